"""What grows with the number of target frames: labelling of simulated frames through selector and archive, memory and
seconds at 10^2, 10^3 and 10^4 frames, each in a process of its own (``docs/scale.md``).

    python benchmarks/scale.py [--frames 100 1000 10000] [--size 64 128]

Small frames do the work that a frame costs whatever its size; what a pixel costs is in ``benchmarks/ratios.py``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from udamlf.common.seeding import rng
from udamlf.config.labels import CITYSCAPES_19
from udamlf.config.parts import Part
from udamlf.data.dataset import SHIPPED, listing_digest
from udamlf.data.frames import FrameStore
from udamlf.data.pseudo_labels import ARCHIVE, EXTRAS, MANIFEST, PseudoLabels, publish
from udamlf.selection.base import build, label_images

SELECTORS = {
    "ST": Part(name="global", portion=0.2),
    "CBST": Part(name="class_balanced", portion=0.2),
    "HIAST": Part(name="instance_adaptive", statistics=True),
    "IntraDA": Part(name="entropy_ranking"),
}


def peak_mib() -> float:
    """Most memory that this process had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def labelled(name: str, count: int, size: tuple[int, int]) -> dict[str, float]:
    """Label ``count`` frames and read them back."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    shape = (CITYSCAPES_19.num_classes, *size)

    @lru_cache(maxsize=16)
    def noise(index: int) -> torch.Tensor:
        return torch.from_numpy(rng(index, "scale").normal(0, 3, shape).astype(np.float32)).softmax(0)

    selector = build(SELECTORS[name], CITYSCAPES_19, 1)
    [noise(index) for index in range(16)]
    before, start = peak_mib(), time.process_time()

    def labels() -> Iterator[tuple[str, np.ndarray]]:
        for index, label in label_images(selector, count, 0, lambda index: noise(index % 16)):
            yield f"city_{index:06d}", label

    def finish() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"label_space": CITYSCAPES_19.name}, selector.publish().arrays

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        publish(out, labels(), finish)
        written = time.process_time()
        read = PseudoLabels(out, CITYSCAPES_19)
        for image in read.names:
            read.label(image)
        sizes = {file: (out / file).stat().st_size for file in (ARCHIVE, EXTRAS, MANIFEST)}
    seconds = {"label": (written - start) / count, "read": (time.process_time() - written) / count}
    return {**seconds, **sizes, "mib": peak_mib() - before}


def listed(count: int, size: tuple[int, int]) -> dict[str, float]:
    """List, hash and cache ``count`` source frames, then open them again."""
    with tempfile.TemporaryDirectory() as folder:
        data_set, root = SHIPPED["gta5"], Path(folder)
        pixels = rng(0, "scale").integers(0, 256, (*size, 3), np.uint8)
        for index in range(count):
            data_set.write(root, "train", f"{index:06d}", pixels, None, CITYSCAPES_19)
        before, start = peak_mib(), time.process_time()
        frames = data_set.samples(root, "train")
        listing_digest(frames, False)
        hashed = time.process_time()
        FrameStore(frames, data_set, CITYSCAPES_19, size, False, "area")
        cached = time.process_time()
        store = FrameStore(frames, data_set, CITYSCAPES_19, size, False, "area")
        again = time.process_time()
        assert np.array_equal(store.image(count - 1), pixels)
    seconds = {"list": (hashed - start) / count, "cache": (cached - hashed) / count, "again": (again - cached) / count}
    return {**seconds, "mib": peak_mib() - before}


def main() -> None:
    """Print a line for every work and number of frames."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=(100, 1000, 10_000))
    parser.add_argument("--size", type=int, nargs=2, default=(64, 128), metavar=("HEIGHT", "WIDTH"))
    args = parser.parse_args()
    context, size = multiprocessing.get_context("spawn"), tuple(args.size)
    for count in args.frames:
        for name in SELECTORS:
            with context.Pool(1) as pool:  # a fresh process: its peak is this work's alone
                found = pool.apply(labelled, (name, count, size))
            times = f"{1e3 * found['label']:.2f} ms a frame, read {1e3 * found['read']:.2f} ms"
            files = ", ".join(f"{file} {found[file] / count:,.0f} B a frame" for file in (ARCHIVE, EXTRAS, MANIFEST))
            print(f"{count:6} {name:8} {found['mib']:5.0f} MiB, {times}; {files}", flush=True)
        with context.Pool(1) as pool:
            found = pool.apply(listed, (count, size))
        times = ", ".join(f"{key} {1e3 * found[key]:.2f} ms" for key in ("list", "cache", "again"))
        print(f"{count:6} frames   {found['mib']:5.0f} MiB, {times} a frame", flush=True)


if __name__ == "__main__":
    main()
