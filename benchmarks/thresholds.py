"""Thresholds of a whole target split: streaming histograms beside keeping every confidence and sorting.

    python benchmarks/thresholds.py                                            a small split, compared with the sort
    python benchmarks/thresholds.py --frames 2975 --height 1024 --width 2048 --no-direct     all of Cityscapes train

Simulated top-1 confidences are streamed through ``class_balanced`` and ``global``; with --prior also whole score maps
through CBST-SP (``spatial_prior``, 1/8 of the frame), observed and labelled. Every way runs in
a process of its own; its memory is the peak above what it held before the first frame. The exact way must equal the
sort, the one-pass way must lie at most 2**-15 below it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udamlf.common.seeding import rng
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part
from udamlf.selection import class_balanced, spatial_prior
from udamlf.selection.base import build, keep_above

TOLERANCE = 2.0**-15
SELECTORS = ("class_balanced", "global")
Outcome = dict[str, np.ndarray | float]


def frame(index: int, args: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidence float32 and class uint8 [H, W] of a simulated frame; road-like classes are frequent and confident."""
    generator = rng(args.seed, "thresholds benchmark", index)
    shape = (args.height, args.width)
    block = generator.random((max(args.height // 16, 1), max(args.width // 16, 1)), dtype=np.float32)
    classes = (block**3 * args.classes).astype(np.uint8)
    rows, columns = (np.arange(n) * m // n for n, m in zip(shape, classes.shape, strict=True))
    label = classes[rows[:, None], columns]
    doubt = generator.random(shape, dtype=np.float32) ** (2 + 2 * (label < 3))
    confidence = (1 - doubt * (1 - 1 / args.classes)).astype(np.float32)
    return torch.from_numpy(confidence), torch.from_numpy(label)


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def simulated_space(args: argparse.Namespace) -> LabelSpace:
    """Classes without names."""
    classes = tuple(map(str, range(args.classes)))
    return LabelSpace("simulated", classes, ((0, 0, 0),) * args.classes, {"all": classes})


def streamed(name: str, exact: bool, args: argparse.Namespace) -> Outcome:
    """Thresholds float64 [C], kept share of the first frame, seconds inside the selector, peak memory in MiB."""
    torch.set_num_threads(1)
    start = _memory_mb()
    selector = build(Part(name=name, portion=args.portion, exact=exact), simulated_space(args), round=1)
    assert isinstance(selector, class_balanced.Selector)
    spent = 0.0
    for _ in range(selector.passes):
        for index in range(args.frames):
            confidence, label = frame(index, args)
            begin = time.perf_counter()
            selector.observe_top1(confidence.flatten(), label.flatten())
            spent += time.perf_counter() - begin
        selector.finish()
    begin = time.perf_counter()
    thresholds = selector.thresholds()
    spent += time.perf_counter() - begin
    first = frame(0, args)
    kept = keep_above(first[0].numpy(), first[1].numpy(), thresholds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"thresholds": thresholds, "kept": (kept < args.classes).mean(), "s": spent, "mb": peak - start}


def with_prior(args: argparse.Namespace) -> Outcome:
    """CBST-SP's thresholds, kept share, seconds and peak memory. The score map, the network's, is made before."""
    torch.set_num_threads(1)
    generator = rng(args.seed, "prior benchmark")
    scores = torch.from_numpy(generator.random((args.classes, args.height, args.width), dtype=np.float32))
    scores /= scores.sum(0)
    prior = generator.random((args.classes, args.height // 8, args.width // 8)).astype(np.float32)
    start = max(_memory_mb(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
    selector = build(Part(name="spatial_prior", portion=args.portion), simulated_space(args), round=1)
    assert isinstance(selector, spatial_prior.Selector)
    selector.prior = prior
    begin = time.perf_counter()
    for index in range(min(args.frames, 4)):  # memory does not depend on how many
        selector.observe(scores, index)
    selector.finish()
    (label,) = selector.assign([scores], [0])
    spent = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    kept = (label < args.classes).mean()
    return {"thresholds": selector.thresholds(), "kept": kept, "s": spent, "mb": peak - start}


def sorted_directly(name: str, args: argparse.Namespace) -> Outcome:
    """The same, from every confidence kept in memory."""
    start = _memory_mb()
    seen: list[list[np.ndarray]] = [[] for _ in range(args.classes)]
    spent = 0.0
    for index in range(args.frames):
        confidence, label = (t.numpy() for t in frame(index, args))
        begin = time.perf_counter()
        for c in range(args.classes):
            seen[c].append(confidence[label == c])
        spent += time.perf_counter() - begin
    begin = time.perf_counter()
    if name == "global":
        seen = [[part for parts in seen for part in parts]]
    thresholds = np.full(len(seen), np.nan)
    for row, values in enumerate(seen):
        descending = np.sort(np.concatenate(values))[::-1]
        k = int(np.floor(len(descending) * args.portion))
        if k >= 1:
            thresholds[row] = descending[k - 1]
    thresholds = np.broadcast_to(thresholds, args.classes).copy()
    spent += time.perf_counter() - begin
    first = frame(0, args)
    kept = keep_above(first[0].numpy(), first[1].numpy(), thresholds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"thresholds": thresholds, "kept": (kept < args.classes).mean(), "s": spent, "mb": peak - start}


def main() -> None:
    """Run every way in its own process, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("frames", 24), ("height", 512), ("width", 1024), ("classes", 19), ("seed", 0)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--portion", type=float, default=0.2)
    parser.add_argument("--no-direct", action="store_true", help="leave the sort out; it keeps every confidence")
    parser.add_argument("--prior", action="store_true", help="measure CBST-SP too; needs a whole score map")
    parser.add_argument("--selector", choices=SELECTORS, action="append", help="default: all")
    parser.add_argument("--no-exact", action="store_true", help="leave the two-pass way out")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    if args.prior:
        with context.Pool(1) as pool:
            outcome = pool.apply(with_prior, (args,))
        print(f"spatial_prior: {outcome['mb']:.0f} MiB, {outcome['s']:.2f} s, kept {outcome['kept']:.4f}")
    print(f"{args.frames} frames of {args.height}x{args.width}, {args.classes} classes, portion {args.portion}")
    for name in args.selector or SELECTORS:
        ways: dict[str, tuple[Callable[..., Outcome], tuple[Any, ...]]] = {"one pass": (streamed, (name, False, args))}
        if not args.no_exact:
            ways["exact, two passes"] = (streamed, (name, True, args))
        if not args.no_direct:
            ways["keep and sort"] = (sorted_directly, (name, args))
        outcomes: dict[str, Outcome] = {}
        for way, (function, arguments) in ways.items():
            with context.Pool(1) as pool:  # a fresh process: its peak memory is this way's alone
                outcomes[way] = pool.apply(function, arguments)
            outcome = outcomes[way]
            per_frame = 1e3 * float(outcome["s"]) / args.frames
            print(
                f"  {name:15} {way:18} {per_frame:8.2f} ms/frame {outcome['mb']:8.0f} MiB  kept {outcome['kept']:.4f}"
            )
        reference = outcomes.get("keep and sort", outcomes.get("exact, two passes"))
        if reference is None:
            continue
        exact, streaming = reference["thresholds"], outcomes["one pass"]["thresholds"]
        if "exact, two passes" in outcomes:
            assert np.array_equal(outcomes["exact, two passes"]["thresholds"], exact, equal_nan=True)
        assert isinstance(exact, np.ndarray) and isinstance(streaming, np.ndarray)
        assert np.array_equal(np.isnan(streaming), np.isnan(exact))
        seen = ~np.isnan(exact)
        error = (exact[seen] - streaming[seen]) / exact[seen]
        assert ((error >= 0) & (error < TOLERANCE)).all(), "the one-pass thresholds leave their stated accuracy"
        print(f"  {name:15} one pass is at most {error.max():.1e} below the exact threshold, relatively: as stated")


if __name__ == "__main__":
    main()
