"""Frames in the real formats at their real sizes through cache, labelling and evaluation by DeepLabV2-ResNet-101 on the
CPU: what a stage takes in memory and seconds, with few frames and with many, each stage in a process of its own.

    python benchmarks/real_sizes.py [--frames 5 20] [--method iast]     half an hour of one core, or two

The network is random and the frames are smooth noise (a PNG of 0.4 bytes a pixel, of labels 0.02); neither time nor
memory depends on what they show. The network sees half of a frame's height and width, once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from scale import peak_mib

from udamlf.common.seeding import rng
from udamlf.config.labels import LABEL_SPACES
from udamlf.data.dataset import SHIPPED

# Data set -> label space, name of a frame, sizes that its frames have in turn.
DATA_SETS: dict[str, tuple[str, str, list[tuple[int, int]]]] = {
    "cityscapes": ("cityscapes19", "ulm_{:06d}_000019", [(1024, 2048)]),
    "gta5": ("cityscapes19", "{:05d}", [(1052, 1914), (1046, 1914)]),
    "synthia": ("cityscapes16", "{:07d}", [(760, 1280)]),
}


class Silent:
    """In the place of a run's log."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None: ...
    def log_dataset(self, name: str, digest: str, context: str, count: int, source: str) -> None: ...
    def set_tags(self, tags: Mapping[str, str]) -> None: ...
    def should_stop(self) -> bool:
        return False


def write_frames(root: Path, data_set: str, count: int) -> None:
    """``count`` frames of split train in the official layout."""
    space, name, sizes = DATA_SETS[data_set]
    for index in range(count):
        height, width = sizes[index % len(sizes)]
        coarse = rng(index, data_set).integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        ids = cv2.resize(coarse[:, :, 0], (width, height), interpolation=cv2.INTER_NEAREST)
        ids = (ids % LABEL_SPACES[space].num_classes).astype(np.uint8)
        SHIPPED[data_set].write(root, "train", name.format(index), image, ids, LABEL_SPACES[space])


def scenario_of(folder: Path, data_set: str) -> str:
    """A scenario whose target is the data set: its frames are labelled, and scored."""
    ref = {"dataset": data_set, "split": "train"}
    tree = {"name": data_set, "title": data_set, "label_space": DATA_SETS[data_set][0], "report": "target_dev",
            "splits": {"source_train": ref, "target_train": ref, "target_dev": ref}}  # fmt: skip
    path = folder / f"{data_set}.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


def run_stage(name: str, folder: Path, root: Path, data_set: str, method: str) -> dict[str, Any]:
    """Peak MiB over what was there before, and seconds, of a stage's first round in this process, on the network of the
    warm-up; its output is in ``folder``."""
    import torch

    from udamlf.runs.plan import Request
    from udamlf.stages.stage import Input, Job, stage

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    height, width = DATA_SETS[data_set][2][0]
    half = f"[{height // 2},{width // 2}]"
    overrides = ("profile.model.weights=null", "profile.warmup.steps=0", f"method.round.labelling.size_hw={half}",
                 f"profile.evaluation.size_hw={half}", "profile.evaluation.scales=[1.0]", "profile.report=target_dev",
                 "profile.labelling.flip=false", "profile.evaluation.flip=false", "profile.validators=false",
                 "profile.audit=false")  # fmt: skip
    scenario = scenario_of(root, data_set)
    config = Request(scenario, method, "paper", data_root=str(root), overrides=overrides).resolve()
    round = min(stage(name).rounds(config))
    declared = stage(name).declare(config, round)
    made = Input("warmup", folder / "warmup" / "out", {"stage": "warmup"})
    out, work = folder / name / "out", folder / name / "work"
    out.mkdir(parents=True)
    work.mkdir()
    before, begun = peak_mib(), time.perf_counter()
    inputs = {key: made for key in declared.inputs if key != "subset"}  # all frames, not 505 of them
    stage(name).run(Job(config, round, inputs, declared.splits, root, out, work, Silent(), name))
    return {"mib": peak_mib() - before, "seconds": time.perf_counter() - begun}


def main() -> None:
    """Print a line for each data set and number of frames."""
    from udamlf.runs.launch import in_fresh_process

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=(5, 20))
    parser.add_argument("--method", default="iast")
    arguments = parser.parse_args()
    print("| data set | frames | labelling: MiB, s a frame | evaluation: MiB, s a frame |\n|---|---:|---:|---:|")
    for data_set in DATA_SETS:
        for count in arguments.frames:
            with tempfile.TemporaryDirectory() as temporary:
                root, folder = Path(temporary) / "data", Path(temporary) / "stages"
                os.environ["UDAMLF_CACHE"] = str(Path(temporary) / "cache")
                write_frames(root, data_set, count)
                cells = [data_set, str(count)]
                for name in ("warmup", "pseudo_label", "evaluate"):
                    took = in_fresh_process(run_stage, name, folder, root, data_set, arguments.method)
                    cells += [f"{took['mib']:.0f}, {took['seconds'] / count:.1f}"] if name != "warmup" else []
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
