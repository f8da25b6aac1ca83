"""Whether the data keeps up with the training: seconds to prepare a batch beside seconds of the step that eats it.

    python benchmarks/feeding.py [--methods iast hiast ema_mix] [--profile paper] [--set KEY=VALUE ...] [--no-step]

A batch is prepared from frames of noise already in memory (what reading a file costs is the disk's), by one thread and
by as many as the profile has: crop, flip, jitter, and what the method adds (copy-paste and strong view, the second
view of ema_mix). The step runs on the GPU if there is one. Batches are prepared ahead of the step: the data starves it
only where "share", data time over step time, is above 100 %.
"""

from __future__ import annotations

import argparse
import os
import time

import cv2
import torch

from udamlf.config.compose import resolve
from udamlf.config.schema import Config
from udamlf.data.batches import Batches
from udamlf.runs.dry_step import labels_of
from udamlf.training.measure import measure_step, trainer_on_noise


def data_seconds(config: Config, workers: int, batches: int) -> float:
    """Mean seconds a batch when nothing else is done."""
    streams = trainer_on_noise(config, 1, False, torch.device("cpu"), labels_of(config, 1)).streams
    start = time.perf_counter()
    for _ in Batches(streams, 0, batches, workers):
        pass
    return (time.perf_counter() - start) / batches


def main() -> None:
    """Print a line for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=["iast", "hiast", "ema_mix"])
    parser.add_argument("--profile", default="miniature")
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--no-step", action="store_true")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"profile {args.profile}, first round; step on {device}; {os.cpu_count()} cores")
    for method in args.methods:
        config = resolve("gta2city", method, args.profile, overrides=args.set)
        workers = config.profile.workers
        alone, together = (data_seconds(config, n, args.batches) for n in (1, workers))
        line = f"{method:12} data {1e3 * alone:8.1f} ms (1 thread) {1e3 * together:8.1f} ms ({workers})"
        seconds = None if args.no_step else measure_step(config, 1, label=labels_of(config, 1)).seconds
        print(line if seconds is None else f"{line}, step {1e3 * seconds:8.1f} ms, share {together / seconds:6.1%}")


if __name__ == "__main__":
    main()
