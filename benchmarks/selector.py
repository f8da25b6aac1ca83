"""IAST's selector on one frame: thresholds and label map by histogram, beside the direct implementation.

    python benchmarks/selector.py [--height 768 --width 1536 --classes 19 --frames 1]

Both read the same top-1 confidences (float32) and classes (uint8). The direct one keeps a Python list per class, calls
``numpy.quantile`` and looks thresholds up row by row, as published code does. Thresholds and labels must be identical.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.selection.base import keep_above
from udamlf.selection.instance_adaptive import step

ALPHA, BETA, GAMMA, CAP = 0.2, 0.9, 8.0, 0.999
Frame = tuple[np.ndarray, np.ndarray]
Result = tuple[np.ndarray, list[np.ndarray]]


def simulated(height: int, width: int, classes: int, seed: int) -> Frame:
    """Confidence float32 and class uint8 [H, W] of a frame: blobs of classes, confidences that crowd near 1."""
    generator = rng(seed, "selector benchmark")
    coarse = generator.integers(0, classes, (max(height // 32, 1), max(width // 32, 1))).astype(np.uint8)
    label = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    logits = generator.normal(2.0 + 2.0 * (label % 3), 2.0)
    return np.clip(1 / (1 + np.exp(-logits)), 1 / classes, 1).astype(np.float32), label


def by_histogram(thresholds: np.ndarray, frames: list[Frame]) -> Result:
    """Ours."""
    moved, _ = step(thresholds, frames, ALPHA, GAMMA, BETA, CAP)
    return moved, [keep_above(q, y, moved) for q, y in frames]


def directly(thresholds: np.ndarray, frames: list[Frame]) -> Result:
    """Lists per class and numpy.quantile."""
    moved = thresholds.copy()
    for c in range(len(thresholds)):
        members = [thresholds[c]]
        for confidence, label in frames:
            members.extend(confidence[label == c].astype(np.float16))
        quantile = np.quantile(np.array(members, np.float64), 1 - ALPHA * thresholds[c] ** GAMMA)
        moved[c] = BETA * thresholds[c] + float(np.float32(1 - BETA) * np.float32(quantile))
        if moved[c] >= 1:
            moved[c] = CAP
    kept = []
    for confidence, label in frames:
        required = np.array([list(map(lambda c: moved[c], row)) for row in label])
        kept.append(np.where(confidence >= required, label, np.uint8(IGNORE)))
    return moved, kept


def timed(function: Callable[[], Result], repeats: int) -> tuple[Result, float]:
    """Result and the least seconds of ``repeats`` calls."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def main() -> None:
    """Run both, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("height", 768), ("width", 1536), ("classes", 19), ("frames", 1), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    frames = [simulated(args.height, args.width, args.classes, args.seed + i) for i in range(args.frames)]
    thresholds = np.full(args.classes, 0.9)
    by_histogram(thresholds, frames)  # the first call allocates
    (found, found_labels), ours = timed(lambda: by_histogram(thresholds, frames), 21)
    (expected, expected_labels), direct = timed(lambda: directly(thresholds, frames), 3)
    assert np.array_equal(found, expected), "thresholds differ"
    assert all(np.array_equal(a, b) for a, b in zip(found_labels, expected_labels, strict=True)), "labels differ"
    size = f"{args.frames} x {args.height}x{args.width}, {args.classes} classes, one core"
    print(f"{size}: thresholds and labels identical")
    print(f"histogram {1e3 * ours:8.2f} ms\ndirect    {1e3 * direct:8.2f} ms\nratio     {direct / ours:8.1f}")


if __name__ == "__main__":
    main()
