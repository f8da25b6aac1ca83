"""Shards of a target list: observed by processes of their own, merged exactly.

Shard i of n holds images i - 1, i - 1 + n, ... of the list. What its process publishes is the selector's state after
the first pass: ``shard/state.npz`` and ``shard/shard.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from json import loads
from pathlib import Path

import numpy as np
from torch import Tensor

from udamlf.errors import UserError
from udamlf.files import atomic_file, write_json
from udamlf.selection.base import Selector

FOLDER, STATE, FACTS = "shard", "state.npz", "shard.json"


@dataclass(frozen=True)
class Shard:
    """Shard ``number`` (1, 2, ...) of ``count``."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Of the form ``i/n``. UserError for anything else."""
        number, _, count = text.partition("/")
        if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
            raise UserError(f"--shard {text}", "i/n with 1 <= i <= n, for example 1/4")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def images(self, total: int) -> range:
        """Its positions in a list of ``total`` images."""
        return range(self.number - 1, total, self.count)


def check_mergeable(name: str, selector: Selector) -> None:
    """UserError when the selector's shards cannot be observed apart."""
    if not selector.shardable:
        found = f"selector {name} labels each image in an order of its own, so its list has no shards"
        raise UserError(found, "global, class_balanced or entropy_ranking", "one process, without --shard")


def observe_shard(out: Path, shard: Shard, selector: Selector, total: int, scores: Callable[[int], Tensor]) -> None:
    """Observe the shard's images of a list of ``total`` and publish the selector's state under ``out``.

    Args:
        scores: probabilities float32 [C, H, W] of image ``index``.
    """
    for index in shard.images(total):
        selector.observe(scores(index), index)
    with atomic_file(out / FOLDER / STATE) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **selector.state())
    write_json(out / FOLDER / FACTS, {"shard": str(shard), "images": total})


def merged(folders: Mapping[str, Path], build: Callable[[], Selector], total: int) -> Selector:
    """The selector that has seen the whole list of ``total`` images.

    Args:
        folders: input name -> local artifacts of a shard's run.

    Raises:
        UserError: the folders are not all shards of one division of this list.
    """
    facts = {name: loads((path / FOLDER / FACTS).read_text(encoding="utf-8")) for name, path in folders.items()}
    found = sorted((Shard.parse(fact["shard"]) for fact in facts.values()), key=lambda shard: shard.number)
    wanted = [Shard(number, len(found)) for number in range(1, len(found) + 1)]
    if found != wanted or any(fact["images"] != total for fact in facts.values()):
        shown = ", ".join(f"{fact['shard']} of {fact['images']} images" for fact in facts.values())
        raise UserError(f"shards {shown}", f"every shard of one division of {total} images, each once")
    selectors = [_restored(path, build()) for path in folders.values()]
    return _merge(selectors)


def _restored(path: Path, selector: Selector) -> Selector:
    with np.load(path / FOLDER / STATE, allow_pickle=False) as arrays:
        selector.restore({name: arrays[name] for name in arrays.files})
    return selector


def _merge(selectors: Sequence[Selector]) -> Selector:
    first, *others = selectors
    for other in others:
        first.merge(other)
    return first
