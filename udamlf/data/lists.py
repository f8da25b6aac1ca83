"""The lists of a scenario on disk: which images, from which data set, under which root."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from udamlf.config import Config, ListRef
from udamlf.data.dataset import DataSet, Sample, listing_digest, open_dataset
from udamlf.data.frames import FrameStore
from udamlf.data.miniature import cached_world, is_miniature
from udamlf.errors import UserError

SUBSET = "target_subset.json"


class ScenarioData:
    """Reads a scenario's lists.

    Args:
        config: names the scenario and the data root; without a root the embedded miniature is generated once.
        root: overrides the configuration's data root.
        target_images: names of the images of ``target_train`` to which that list is cut; None = all.
    """

    def __init__(self, config: Config, root: Path | None = None, target_images: Collection[str] | None = None) -> None:
        self.config = config
        self.target_images = None if target_images is None else set(target_images)
        given = root or (Path(config.data_root) if config.data_root else None)
        needs = tuple(sorted({ref.dataset for ref in config.scenario.lists.values()}))
        self.root = given.expanduser().resolve() if given else cached_world(needs=needs)
        self.samples = lru_cache(maxsize=None)(self._samples)

    @property
    def kind(self) -> str:
        """``miniature`` or ``real``: the tag that keeps their numbers apart."""
        return "miniature" if is_miniature(self.root) else "real"

    def dataset(self, name: str) -> DataSet:
        """Data set of a list."""
        return open_dataset(self._ref(name).dataset)

    def _ref(self, name: str) -> ListRef:
        lists = self.config.scenario.lists
        if name not in lists:
            message = f"scenario {self.config.scenario.name} has no list {name!r}"
            raise UserError(message, f"one of: {', '.join(lists)}")
        return lists[name]

    def _samples(self, name: str, require_labels: bool = False) -> list[Sample]:
        samples = self.dataset(name).samples(self.root, self._ref(name).split, require_labels=require_labels)
        if name != "target_train" or self.target_images is None:
            return samples
        return [sample for sample in samples if sample.name in self.target_images]

    def digest(self, name: str) -> str:
        """Digest of a list's names and file sizes."""
        return listing_digest(self.samples(name))

    def frames(self, name: str, with_labels: bool) -> FrameStore:
        """Frames of a list, decoded as the configuration says."""
        samples, (size_hw, rule) = self.samples(name, with_labels), self.config.frames
        dataset, space = self.dataset(name), self.config.space
        return FrameStore(samples, dataset, space, size_hw, with_labels=with_labels, interpolation=rule)


def chosen_images(folder: Path) -> list[str]:
    """Names of the images that a ``target_subset`` stage has chosen.

    Raises:
        UserError: the folder holds no such choice.
    """
    try:
        images: list[str] = json.loads((folder / SUBSET).read_text(encoding="utf-8"))["images"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"no readable {SUBSET} in {folder} ({error!r})", "a run of stage target_subset") from error
    return images
