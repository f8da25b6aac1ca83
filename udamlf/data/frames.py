"""Decoded frames: each file is decoded once per training resolution, then read as raw bytes from the cache folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from udamlf.data.dataset import DataSet, Sample, listing_digest
from udamlf.data.labels import LabelSpace
from udamlf.data.raster import image_size_hw
from udamlf.data.resize import IMAGE_RULES, resize_image, resize_label
from udamlf.errors import UserError
from udamlf.files import atomic_file, cache_folder, digest_json, file_lock

_FORMAT = 1  # raise when what is stored for the same key changes
_SHARE_OF_FREE_DISK = 0.5


class FrameStore:
    """The frames of a listing at one size.

    Args:
        samples: the listing.
        size_hw: height and width of every frame; None keeps the native size.
        with_labels: decode labels as well; without it no label file is opened, whether there is one or not.
        interpolation: rule for images ("area", "bilinear", "lanczos"); labels take the nearest pixel.

    Frames of several sizes at native size, and frames that would fill more than half of the free disk, are decoded
    whenever they are asked for; everything else comes from files that are built once, under a lock, whole or not at
    all. What is returned is the same either way.

    Raises:
        UserError: an unreadable file, or, with ``with_labels``, a frame without label.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        dataset: DataSet,
        space: LabelSpace,
        size_hw: tuple[int, int] | None,
        *,
        with_labels: bool,
        interpolation: str = "area",
    ) -> None:
        if interpolation not in IMAGE_RULES:
            raise UserError(f"unknown interpolation {interpolation!r}", f"one of: {', '.join(IMAGE_RULES)}")
        if not samples:
            raise UserError("an empty listing", "at least one frame")
        self.samples, self.dataset, self.space = list(samples), dataset, space
        self.size_hw, self.interpolation, self.with_labels = size_hw, interpolation, with_labels
        shape_hw = tuple(size_hw) if size_hw else self._common_size()
        self._images = self._labels = None
        if shape_hw is not None:
            unlabelled = [replace(sample, label=None) for sample in self.samples]
            about = [_FORMAT, dataset.name, str(samples[0].image.parent.resolve()), list(shape_hw)]
            n, rule = len(self.samples), interpolation
            key = digest_json([*about, "image", rule, listing_digest(unlabelled)])
            self._images = _cached(key, (n, *shape_hw, 3), self._decode_image)
            if with_labels:
                key = digest_json([*about, "label", space.name, list(space.classes), listing_digest(self.samples)])
                self._labels = _cached(key, (n, *shape_hw), self._decode_label)

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def names(self) -> list[str]:
        """Frame names in order."""
        return [sample.name for sample in self.samples]

    def image(self, index: int) -> np.ndarray:
        """uint8 RGB [H, W, 3]."""
        return self._decode_image(index) if self._images is None else self._images[index]

    def label(self, index: int) -> np.ndarray:
        """uint8 [H, W] train ids with IGNORE. UserError when the store was made without labels."""
        if not self.with_labels:
            raise UserError(f"the labels of {self.dataset.name} were not opened", "a FrameStore made with_labels=True")
        return self._decode_label(index) if self._labels is None else self._labels[index]

    def _common_size(self) -> tuple[int, int] | None:
        sizes = {image_size_hw(sample.image) for sample in self.samples}
        return sizes.pop() if len(sizes) == 1 else None

    def _decode_image(self, index: int) -> np.ndarray:
        image = self.dataset.read_image(self.samples[index])
        return resize_image(image, self.size_hw, self.interpolation) if self.size_hw else image

    def _decode_label(self, index: int) -> np.ndarray:
        label = self.dataset.read_label(self.samples[index], self.space)
        return resize_label(label, self.size_hw) if self.size_hw else label


def _cached(key: str, shape: tuple[int, ...], decode: Callable[[int], np.ndarray]) -> np.ndarray | None:
    """Map the array of ``decode(0..n-1)`` from the cache, building it first where needed; None: too large for it."""
    path = cache_folder() / "frames" / f"{key[:32]}.npy"
    if not path.is_file():
        with file_lock(path.with_suffix(".lock")):
            if not path.is_file():
                if np.prod(shape, dtype=np.int64) > _SHARE_OF_FREE_DISK * shutil.disk_usage(path.parent).free:
                    return None
                for left_over in path.parent.glob(f".{path.name}.*"):  # of a process that was killed
                    left_over.unlink()
                with atomic_file(path) as temporary:
                    array = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
                    with open(temporary, "rb+") as handle:  # a full disk is an error here, not a SIGBUS later
                        os.posix_fallocate(handle.fileno(), 0, temporary.stat().st_size)

                    def store(index: int) -> None:
                        array[index] = decode(index)

                    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
                        list(pool.map(store, range(shape[0])))
                    array.flush()
    # Copy on write: a caller may change a frame in place, the file never changes.
    return np.load(path, mmap_mode="c").view(np.ndarray)
