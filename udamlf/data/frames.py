"""Decoded frames: each file is decoded once per training resolution, then read as raw bytes from the cache folder."""

import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, cache_folder, digest_json, environment_number, file_lock
from udamlf.common.progress import tracked
from udamlf.config.labels import LabelSpace
from udamlf.data.dataset import DataSet, Frame, listing_digest
from udamlf.data.geometry import Size, resize_image, resize_label
from udamlf.data.raster import image_size_hw

_FORMAT = 2  # raise when what is stored for the same key changes
_SHARE_OF_FREE_DISK = 0.5
Read = Callable[[int], np.ndarray]


class FrameStore:
    """The frames of a listing (not empty) at height and width ``size`` (None: native), by a rule of ``resize_image``,
    labels by the nearest pixel; without ``with_labels`` no label file is opened. They come from files of the cache, or
    are decoded when they are asked for. UserError: a file cannot be read."""

    def __init__(
        self, samples: list[Frame], dataset: DataSet, space: LabelSpace, size: Size | None, with_labels: bool, rule: str
    ) -> None:
        self.samples, self.dataset, self.space = samples, dataset, space
        self.size, self.with_labels, self.rule = size, with_labels, rule
        self.names = [sample.name for sample in samples]
        sizes = [size or image_size_hw(sample.image) for sample in samples]
        key = digest_json([_FORMAT, dataset.name, size, "image", rule, listing_digest(samples, False)])
        self.image = _cached(key, [(*hw, 3) for hw in sizes], self._image)
        """Position -> uint8 RGB [H, W, 3]."""
        self.label: Read = self._label
        """Position -> uint8 [H, W] train ids with IGNORE. UserError when the store was made without labels."""
        if with_labels:
            decoding = dataset.decoding(space)
            key = digest_json([_FORMAT, dataset.name, size, "label", decoding, listing_digest(samples, True)])
            self.label = _cached(key, sizes, self._label)

    def __len__(self) -> int:
        return len(self.samples)

    def _image(self, index: int) -> np.ndarray:
        image = self.dataset.read_image(self.samples[index])
        return resize_image(image, self.size, self.rule) if self.size else image

    def _label(self, index: int) -> np.ndarray:
        if not self.with_labels:
            raise UserError(f"the labels of {self.dataset.name} were not opened", "a FrameStore made with_labels=True")
        label = self.dataset.read_label(self.samples[index], self.space)
        return resize_label(label, self.size) if self.size else label


def _cached(key: str, shapes: Sequence[tuple[int, ...]], decode: Read) -> Read:
    """``decode(0..n-1)``, of ``shapes``, from a file of the cache; ``decode`` itself where it finds no room."""
    path, ends = cache_folder() / "frames" / f"{key[:32]}.npy", np.cumsum([math.prod(shape) for shape in shapes])
    with file_lock(path.with_suffix(".lock")):
        if (pixels := _mapped(path, int(ends[-1]))) is None:
            if not _make_room(path.parent, int(ends[-1])):
                return decode
            _build(path, ends, decode)
            pixels = _mapped(path, int(ends[-1]))
            assert pixels is not None
        os.utime(path)  # used just now
    return lambda index: pixels[ends[index] - math.prod(shapes[index]) : ends[index]].reshape(shapes[index])


def _mapped(path: Path, size: int) -> np.ndarray | None:
    """The uint8 array of a file, of which a caller may change his own copy; None: there is none of that size."""
    with suppress(OSError, ValueError, EOFError):
        pixels = np.load(path, mmap_mode="c").view(np.ndarray)
        return pixels if pixels.shape == (size,) else None
    return None


def _make_room(folder: Path, size: int) -> bool:
    """Whether ``size`` more bytes have room in what frames may take: ``UDAMLF_CACHE_GIB`` GiB, else half of the disk
    that they and what is free have. For it the files that were not used for longest go; who reads one keeps it."""
    files = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.glob("*.npy"))
    taken = sum(stored for _, stored, _ in files)
    share_gib = _SHARE_OF_FREE_DISK * (shutil.disk_usage(folder).free + taken) / 2**30
    room = environment_number("UDAMLF_CACHE_GIB", share_gib) * 2**30
    if size > room:
        return False
    for _, stored, path in files:
        if taken + size > room:
            path.unlink(missing_ok=True)
            taken -= stored
    return True


def _build(path: Path, ends: np.ndarray, decode: Read) -> None:
    for left_over in path.parent.glob(f".{path.name}.*"):  # of a process that was killed
        left_over.unlink()
    with atomic_file(path) as temporary:
        pixels = np.lib.format.open_memmap(temporary, "w+", np.uint8, (int(ends[-1]),))
        with open(temporary, "rb+") as handle:  # a full disk is an error here, not a SIGBUS later
            os.posix_fallocate(handle.fileno(), 0, temporary.stat().st_size)
        decoded = ahead(decode, range(len(ends)), len(os.sched_getaffinity(0)))
        for end, frame in zip(ends, tracked(decoded, "decoding frames", len(ends)), strict=True):
            pixels[end - frame.size : end] = frame.ravel()
        pixels.flush()
