"""Decoded frames: each file is decoded once per training resolution, then read as raw bytes from the cache folder."""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, cache_folder, digest_json, file_lock
from udamlf.config.labels import LabelSpace
from udamlf.data.dataset import DataSet, Frame, listing_digest
from udamlf.data.geometry import Size, resize_image, resize_label
from udamlf.data.raster import image_size_hw

_FORMAT = 1  # raise when what is stored for the same key changes
_SHARE_OF_FREE_DISK = 0.5


class FrameStore:
    """The frames of a listing (not empty) at height and width ``size`` (None: native), by a rule of ``resize_image``,
    labels by the nearest pixel; without ``with_labels`` no label file is opened. Frames of several native sizes, or too
    many for half of the free disk, are decoded when they are asked for; all others come from files that are built once,
    under a lock, whole or not at all. UserError: a file cannot be read."""

    def __init__(
        self, samples: list[Frame], dataset: DataSet, space: LabelSpace, size: Size | None, with_labels: bool, rule: str
    ) -> None:
        self.samples, self.dataset, self.space = samples, dataset, space
        self.size, self.with_labels, self.rule = size, with_labels, rule
        self.names = [sample.name for sample in samples]
        self._images = self._labels = None
        sizes = {size} if size else {image_size_hw(sample.image) for sample in samples}
        if len(sizes) == 1:
            shape = (len(samples), *sizes.pop())
            about = [_FORMAT, dataset.name, str(samples[0].image.parent.resolve()), shape[1:]]
            key = digest_json([*about, "image", rule, listing_digest(samples, False)])
            self._images = _cached(key, (*shape, 3), self.image)
            if with_labels:
                key = digest_json([*about, "label", dataset.decoding(space), listing_digest(samples, True)])
                self._labels = _cached(key, shape, self.label)

    def __len__(self) -> int:
        return len(self.samples)

    def image(self, index: int) -> np.ndarray:
        """uint8 RGB [H, W, 3]."""
        if self._images is not None:
            return self._images[index]
        image = self.dataset.read_image(self.samples[index])
        return resize_image(image, self.size, self.rule) if self.size else image

    def label(self, index: int) -> np.ndarray:
        """uint8 [H, W] train ids with IGNORE. UserError when the store was made without labels."""
        if not self.with_labels:
            raise UserError(f"the labels of {self.dataset.name} were not opened", "a FrameStore made with_labels=True")
        if self._labels is not None:
            return self._labels[index]
        label = self.dataset.read_label(self.samples[index], self.space)
        return resize_label(label, self.size) if self.size else label


def _cached(key: str, shape: tuple[int, ...], decode: Callable[[int], np.ndarray]) -> np.ndarray | None:
    """Map the array of ``decode(0..n-1)`` from the cache, building it first where needed; None: too large for it."""
    path = cache_folder() / "frames" / f"{key[:32]}.npy"
    if not path.is_file():
        with file_lock(path.with_suffix(".lock")):
            if not path.is_file():
                if np.prod(shape, dtype=np.int64) > _SHARE_OF_FREE_DISK * shutil.disk_usage(path.parent).free:
                    return None
                _build(path, shape, decode)
    # Copy on write: a caller may change a frame in place, the file never changes.
    return np.load(path, mmap_mode="c").view(np.ndarray)


def _build(path: Path, shape: tuple[int, ...], decode: Callable[[int], np.ndarray]) -> None:
    for left_over in path.parent.glob(f".{path.name}.*"):  # of a process that was killed
        left_over.unlink()
    with atomic_file(path) as temporary:
        array = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        with open(temporary, "rb+") as handle:  # a full disk is an error here, not a SIGBUS later
            os.posix_fallocate(handle.fileno(), 0, temporary.stat().st_size)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(lambda index: np.copyto(array[index], decode(index)), range(shape[0])))
        array.flush()
