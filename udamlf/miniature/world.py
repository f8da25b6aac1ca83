"""Worlds on disk: the miniature's data sets in their real formats, so that the real readers are exercised.

A world is a data root with gta5 and synthia (game-like sources), cityscapes and robotcar (camera-like targets).
``val`` of a target is the split to tune on, ``test`` the one to report; every split has its own seeds."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_folder, cache_folder, digest_json, file_lock, write_json
from udamlf.config.labels import CITYSCAPES_16, CITYSCAPES_19, CITYSCAPES_CLASSES, ROBOTCAR_9, LabelSpace, lookup_table
from udamlf.data.dataset import SHIPPED
from udamlf.data.splits import MARKER, is_generated
from udamlf.miniature.frame import draw_frame
from udamlf.miniature.style import CAMERA, CAMERA_RAIN, GAME, GAME_SYNTHIA, Style

VERSION = 2
"""Raise when the pixels of a frame change."""
_CHUNK = 25  # frames per task of a worker


@dataclass(frozen=True)
class Frames:
    """Number of frames of each split."""

    source_train: int = 400
    source_val: int = 100
    target_train: int = 400
    target_val: int = 100
    target_test: int = 150

    @classmethod
    def tiny(cls, count: int) -> Frames:
        """``count`` frames in every split."""
        return cls(count, count, count, count, count)


DEFAULT_FRAMES = Frames()


@dataclass(frozen=True)
class _Split:
    frames: str  # field of Frames
    name: str  # pattern of frame names
    labelled: bool = True


@dataclass(frozen=True)
class _Recipe:
    style: Style
    space: LabelSpace
    splits: dict[str, _Split]
    lists: bool  # splits are defined by lists/<split>.txt


_RECIPES = {
    "gta5": _Recipe(
        GAME,
        CITYSCAPES_19,
        {"train": _Split("source_train", "0{0:04d}"), "val": _Split("source_val", "1{0:04d}")},
        lists=True,
    ),
    "synthia": _Recipe(
        GAME_SYNTHIA,
        CITYSCAPES_16,
        {"train": _Split("source_train", "000{0:04d}"), "val": _Split("source_val", "001{0:04d}")},
        lists=True,
    ),
    "cityscapes": _Recipe(
        CAMERA,
        CITYSCAPES_19,
        {
            "train": _Split("target_train", "minitrain_{0:06d}_000019"),
            "val": _Split("target_val", "minival_{0:06d}_000019"),
            "test": _Split("target_test", "minitest_{0:06d}_000019"),
        },
        lists=False,
    ),
    "robotcar": _Recipe(
        CAMERA_RAIN,
        ROBOTCAR_9,
        {
            "train": _Split("target_train", "mini-train_{0:06d}", labelled=False),
            "val": _Split("target_val", "mini-val_{0:06d}"),
            "test": _Split("target_test", "mini-test_{0:06d}"),
        },
        lists=True,
    ),
}
DATA_SETS = tuple(_RECIPES)


def _single_threaded() -> None:
    cv2.setNumThreads(1)


def write_frames(root: Path, data_set: str, split: str, start: int, stop: int, seed: int) -> None:
    """Draw and write frames ``start`` to ``stop`` of a split under the data root ``root``."""
    recipe, reader = _RECIPES[data_set], SHIPPED[data_set]
    entry = recipe.splits[split]
    table = lookup_table(dict(enumerate(CITYSCAPES_CLASSES)), recipe.space)
    for index in range(start, stop):
        image, label = draw_frame(recipe.style, seed, data_set, split, index)
        ids = table[label] if entry.labelled else None
        reader.write(root, split, entry.name.format(index), image, ids, recipe.space)


def _render(root: Path, data_sets: Sequence[str], seed: int, frames: Frames, workers: int | None) -> None:
    """Write whole data sets under ``root`` with ``workers`` processes (None: one per core)."""
    tasks = []
    for name in data_sets:
        for split, entry in _RECIPES[name].splits.items():
            count = getattr(frames, entry.frames)
            tasks += [(root, name, split, a, min(a + _CHUNK, count), seed) for a in range(0, count, _CHUNK)]
            if _RECIPES[name].lists:
                SHIPPED[name].write_list(root, split, [entry.name.format(i) for i in range(count)])
    workers = workers if workers is not None else len(os.sched_getaffinity(0))
    workers = min(workers, len(tasks))
    if workers <= 1:
        for task in tasks:
            write_frames(*task)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_single_threaded) as pool:
        for done in [pool.submit(write_frames, *task) for task in tasks]:
            done.result()


def _marker(seed: int, frames: Frames) -> dict[str, object]:
    return {"miniature": VERSION, "seed": seed, "frames": asdict(frames)}


def generate(out: Path, seed: int = 0, frames: Frames = DEFAULT_FRAMES, workers: int | None = None) -> None:
    """Write a whole world to ``out``: every byte is a function of (seed, frames), whatever ``workers`` is.

    Raises:
        UserError: a negative seed, or ``out`` exists and is not this very world already.
    """
    if seed < 0:
        raise UserError(f"seed {seed}", "a seed of 0 or more")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        if is_generated(out) and json.loads((out / MARKER).read_text()) == _marker(seed, frames):
            return
        raise UserError(f"{out} exists and is not empty", "a new or an empty folder", "another --out")
    if out.exists():
        out.rmdir()
    with atomic_folder(out) as folder:
        _render(folder, DATA_SETS, seed, frames, workers)
        write_json(folder / MARKER, _marker(seed, frames))


def cached_world(
    seed: int = 0,
    needs: Sequence[str] = DATA_SETS,
    frames: Frames = DEFAULT_FRAMES,
    workers: int | None = None,
) -> Path:
    """Data root of the miniature in the cache folder, generated once: other processes wait and then share it.

    Args:
        needs: the data sets that must be there; others are added by later calls.
    """
    unknown = sorted(set(needs) - set(DATA_SETS))
    if unknown:
        raise UserError(f"the miniature has no {', '.join(unknown)}", f"one of: {', '.join(DATA_SETS)}", "--data-root")
    if seed < 0:
        raise UserError(f"seed {seed}", "a seed of 0 or more")
    size = "" if frames == DEFAULT_FRAMES else "-" + digest_json(asdict(frames))[:8]
    world = cache_folder() / "miniature" / f"v{VERSION}-seed{seed}{size}"
    missing = [name for name in needs if not (world / name).is_dir()]
    if missing or not is_generated(world):
        with file_lock(world.with_name(f"{world.name}.lock")):
            if not is_generated(world):
                write_json(world / MARKER, _marker(seed, frames))
            for name in missing:
                logging.getLogger("udamlf").info("drawing the miniature's %s, once, in %s", name, world)
                _add(world, name, seed, frames, workers)
    return world


def _add(world: Path, name: str, seed: int, frames: Frames, workers: int | None) -> None:
    """Add one whole data set to a world; the caller holds its lock."""
    if (world / name).is_dir():
        return
    for left_over in world.glob(f".{name}.*"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    with atomic_folder(world / name) as folder:
        (folder / name).mkdir()
        _render(folder, [name], seed, frames, workers)
        for entry in (folder / name).iterdir():
            entry.rename(folder / entry.name)
        (folder / name).rmdir()
