"""What a GPU makes of the trainings, in ten minutes at the most: one JSON, and a table of it.

    python benchmarks/gpu.py [--out gpu.json] [--minutes 10] [--only steps methods ...] [--tiny]

Needs torch >= 2.11, pydantic, safetensors, opencv, pillow, scipy and pyyaml, and no mlflow. Without a network there:

    pip download --only-binary=:all: -d wheels pydantic safetensors opencv-python-headless pillow scipy pyyaml   # here
    pip install --no-index --find-links wheels pydantic safetensors opencv-python-headless pillow scipy pyyaml   # there

The parts, in this order; what is not reached in time is said:

    methods    a step of IAST, HIAST, ProDA and ema_mix at their published budget
    steps      DeepLabV2-ResNet-101 at 512x1024, batch 2, 4, 8, in float32, tf32, bfloat16, float16: seconds, images/s,
               peak memory, and the share of the arithmetic that a large matrix product reaches in that precision
    losses     50 steps on the CPU and on the GPU side by side
    resume     a training killed by SIGKILL and continued, in deterministic mode: whether its weights are bit-identical
    frames     labelled and evaluated frames/s, and the share of the time that the bare network would have taken
    memory     peak of every training of every profile ``paper*`` against the memory that the profile claims to need
    compiled   as steps, with torch.compile: half a minute each before the first step

``--tiny`` takes networks and sizes that a CPU can do in seconds: a test of this file, its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.config.compose import available, resolve
from udamlf.config.labels import CITYSCAPES_19
from udamlf.config.parts import Part
from udamlf.config.schema import Config
from udamlf.data.dataset import Frame
from udamlf.evaluation.predict import evaluating, label_scores
from udamlf.evaluation.score import evaluate
from udamlf.models.base import SegmentationModel, build, device
from udamlf.models.numerics import numerics
from udamlf.selection.base import build as build_selector
from udamlf.selection.base import label_images
from udamlf.training import loop
from udamlf.training.measure import measure_step, trainer_on_noise

PRECISIONS = {"float32": torch.float32, "tf32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
CLAIMED_GIB = {"paper": 24, "paper_16gb": 16, "paper_8gb": 8, "paper_t4": 8}
METHODS = ("iast", "hiast", "proda", "ema_mix", "advent", "cbst", "crst_lrent", "intrada")
Row = dict[str, Any]


class Sizes:
    """What is measured: the published sizes, or tiny ones."""

    def __init__(self, tiny: bool) -> None:
        self.hw = (64, 128) if tiny else (512, 1024)
        self.batches: Sequence[int] = (2,) if tiny else (4, 2, 8)
        self.options: dict[str, Any] = {"depth": 26, "width": 4} if tiny else {}
        self.methods: Sequence[str] = METHODS[:2] if tiny else METHODS
        self.profile = "miniature" if tiny else "paper"
        self.profiles = ["miniature"] if tiny else [p for p in available("profiles") if p.startswith("paper")]
        self.steps, self.frames, self.product = (6, 2, 256) if tiny else (50, 24, 8192)
        self.frame_hw, self.repeats = ((64, 128), 1) if tiny else ((1024, 2048), 20)
        self.parts = [part for part in PARTS if part != "compiled" or not tiny]


def synchronise() -> None:
    """Wait for the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def fresh() -> None:
    """Forget what was allocated, and its peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def seconds_of(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of a call, after one that is not counted; at most five seconds are spent."""
    work()
    synchronise()
    began, done = time.perf_counter(), 0
    while done < repeats and time.perf_counter() - began < 5:
        work()
        done += 1
    synchronise()
    return (time.perf_counter() - began) / done


def product_flops(size: int, precision: str, repeats: int) -> float:
    """Operations a second of a square matrix product: what "peak" means here."""
    with numerics(precision, False):  # type: ignore[arg-type]
        one = torch.randn(size, size, device=device(), dtype=PRECISIONS[precision])
        return 2 * size**3 / seconds_of(lambda: one @ one, repeats)


def network(sizes: Sizes) -> SegmentationModel:
    """DeepLabV2 on the device."""
    model = build("deeplabv2", CITYSCAPES_19.num_classes, **sizes.options)
    return model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]


def step_of(sizes: Sizes, batch: int, precision: str, compiled: bool) -> Row:
    """A step of plain cross-entropy and SGD."""
    fresh()
    with numerics(precision, False):  # type: ignore[arg-type]
        model, kind = network(sizes), PRECISIONS[precision]
        optimiser = torch.optim.SGD(model.parameters(), 1e-6)
        forward = torch.compile(model, dynamic=False) if compiled else model
        images = torch.randn(batch, 3, *sizes.hw, device=device()).contiguous(memory_format=torch.channels_last)
        labels = torch.randint(19, (batch, *sizes.hw), device=device())
        scaler = torch.amp.GradScaler(device().type, enabled=precision == "float16")

        def step() -> None:
            with torch.autocast(device().type, kind, enabled=kind is not torch.float32):
                logits = forward(images).logits
            loss = F.cross_entropy(model.upsample(logits.float(), sizes.hw), labels, reduction="none").mean()
            scaler.scale(loss).backward()
            scaler.step(optimiser)
            scaler.update()
            optimiser.zero_grad(set_to_none=True)

        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(images)
        seconds = seconds_of(step, sizes.repeats)
    done = 3 * counter.get_total_flops() / seconds  # the backward pass is two forward ones
    return {
        **{"precision": precision, "batch": batch, "seconds": seconds, "images_per_s": batch / seconds},
        **{"peak_gib": peak_gib(), "share_of_product": done / product_flops(sizes.product, precision, sizes.repeats)},
    }


def steps(sizes: Sizes, compiled: bool = False) -> Iterator[Row]:
    """Every batch and precision."""
    for batch, precision in itertools.product(sizes.batches, PRECISIONS):
        yield step_of(sizes, batch, precision, compiled)


def peak_gib() -> float | None:
    """Peak of what the allocator held since ``fresh``; None without a GPU."""
    return torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else None


def published(model: SegmentationModel, frame: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What a round's labels publish, of the right shapes: memory and time do not depend on the values."""
    classes, (height, width) = model.num_classes, frame.label.shape
    with evaluating(model):
        output = model(torch.zeros(1, 3, 64, 64, device=next(model.parameters()).device))
    features = 0 if output.features is None else output.features.shape[1]
    soft = np.full((classes, -(-height // 8), -(-width // 8)), 1 / classes, np.float32)
    arrays: dict[str, np.ndarray] = {"prototypes": np.random.default_rng(0).random((classes, features), np.float32)}
    arrays |= {"thresholds": np.full(classes, 0.5), "class_sizes": np.full(classes, 100)}
    arrays |= {"class_mean_confidence": np.linspace(0.5, 0.9, classes), "labelled_images": np.zeros(1, np.int64)}
    return arrays | {"class_pixels": np.full((1, classes), 100)}, {"soft": soft}


def trainings(config: Config) -> Iterator[tuple[int, bool]]:
    """(round, pre-training) of every training that takes a step."""
    for number in range(config.method.rounds + 1):
        if number and config.method.round_at(number).pretraining:
            yield number, True
        if config.training(number).steps:
            yield number, False


def measured(config: Config, number: int, pretraining: bool) -> Row:
    """Memory and time of a step of a training."""
    fresh()
    with numerics(config.profile.precision, config.profile.deterministic):
        found = measure_step(config, number, pretraining, published if number else None)
    row = {"method": config.method.name, "profile": config.profile.name, "round": number, "pretraining": pretraining}
    return {**row, "seconds": found.seconds, "peak_gib": found.peak_bytes / 2**30}


def methods(sizes: Sizes) -> Iterator[Row]:
    """A step of the last round of the first four methods."""
    for name in sizes.methods[:4]:
        config = resolve("gta2city", name, sizes.profile, overrides=plain(sizes.profile))
        yield measured(config, config.method.rounds, False)


def plain(profile: str) -> list[str]:
    """Overrides without files: the networks begin with random weights."""
    return [] if profile == "miniature" else ["profile.model.weights=null"]


def memory(sizes: Sizes) -> Iterator[Row]:
    """Every distinct training of every profile."""
    for profile in sizes.profiles:
        for name in sizes.methods:
            config, seen = resolve("gta2city", name, profile, overrides=plain(profile)), set()
            for number, pretraining in trainings(config):
                budget = config.pretraining(number) if pretraining else config.training(number)
                what = (config.backbone(number).model_dump_json(), str(budget.batch), pretraining, number > 0)
                if what not in seen:
                    seen.add(what)
                    row = measured(config, number, pretraining)
                    claim = CLAIMED_GIB.get(profile)
                    yield {**row, "claimed_gib": claim, "kept": claim is None or row["peak_gib"] <= claim}


def losses(sizes: Sizes) -> Iterator[Row]:
    """Means of every tenth of 50 steps of self-training with the compact network, on both devices."""
    cpu, there = (list(_losses(sizes, where)) for where in (torch.device("cpu"), device()))
    for position, (one, other) in enumerate(zip(cpu, there, strict=True)):
        for name in (n for n in one if n.endswith("_ce")):
            difference = abs(other[name] - one[name]) / abs(one[name])
            yield {"tenth": position, "loss": name, "cpu": one[name], "device": other[name], "relative": difference}


def _losses(sizes: Sizes, where: torch.device) -> list[dict[str, float]]:
    values: list[dict[str, float]] = []
    loop.LOG_EVERY_STEPS = max(sizes.steps // 10, 1)
    with numerics("float32", True):
        trainer_on_noise(small(sizes.steps), 1, False, where).run(lambda metrics, step: values.append(metrics))
    return values


def small(steps: int) -> Config:
    """A training of the miniature."""
    return resolve(
        "gta2city", "st", "miniature", overrides=[f"profile.round.steps={steps}", "profile.deterministic=true"]
    )


def _train(steps: int, state: str, die_at: int, weights: str) -> None:
    """A training in a process of its own; it kills itself after step ``die_at``, or leaves its weights."""
    loop.SAVE_EVERY_S = 0.0
    with numerics("float32", True):
        trainer = trainer_on_noise(small(steps), 1, False, device())
        trainer.state_path = Path(state)

        def on_step(done: int) -> None:
            if done == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        trainer.run(on_step=on_step)
        torch.save({name: value.cpu() for name, value in trainer.model.state_dict().items()}, weights)


def resume(sizes: Sizes) -> Iterator[Row]:
    """Killed in the middle and continued, beside undisturbed."""
    spawn, folder = multiprocessing.get_context("spawn"), Path(tempfile.mkdtemp())

    def train(name: str, die_at: int) -> None:
        arguments = (sizes.steps, str(folder / f"{name}.state"), die_at, str(folder / f"{name}.pt"))
        process = spawn.Process(target=_train, args=arguments)
        process.start()
        process.join()

    train("whole", 0)
    train("killed", sizes.steps // 2)
    killed = not (folder / "killed.pt").exists()
    train("killed", 0)
    one, other = (torch.load(folder / f"{name}.pt", weights_only=True) for name in ("whole", "killed"))
    same = all(torch.equal(value, other[name]) for name, value in one.items())
    yield {"steps": sizes.steps, "killed_at": sizes.steps // 2, "was_killed": killed, "bit_identical": same}


class Folder:
    """Frames of noise as PNG files, read like a data set."""

    def __init__(self, sizes: Sizes) -> None:
        self.folder, draw = Path(tempfile.mkdtemp()), np.random.default_rng(0)
        self.frames = [
            Frame(f"{n}", self.folder / f"{n}.png", self.folder / f"{n}_label.png") for n in range(sizes.frames)
        ]
        cells = (sizes.frame_hw[1] // 16, sizes.frame_hw[0] // 16)
        for frame in self.frames:
            image = cv2.resize(draw.integers(0, 256, (*cells[::-1], 3), np.uint8), sizes.frame_hw[::-1])
            label = draw.integers(0, 19, cells[::-1], np.uint8).repeat(16, 0).repeat(16, 1)
            cv2.imwrite(str(frame.image), image)
            cv2.imwrite(str(frame.label), label)

    def read_image(self, frame: Frame) -> np.ndarray:
        """uint8 RGB [H, W, 3]."""
        return np.ascontiguousarray(np.asarray(cv2.imread(str(frame.image)))[..., ::-1])

    def read_label(self, frame: Frame, space: Any) -> np.ndarray:
        """uint8 [H, W]."""
        return np.asarray(cv2.imread(str(frame.label), cv2.IMREAD_UNCHANGED))


def frames(sizes: Sizes) -> Iterator[Row]:
    """Labelling by IAST's selector and evaluation, from PNG files on this disk, read ahead as the stages do."""
    config = resolve("gta2city", "iast", sizes.profile, overrides=plain(sizes.profile))
    folder, model = Folder(sizes), network(sizes).eval()
    size = config.profile.evaluation.size_hw or sizes.frame_hw
    images = torch.randn(1, 3, *size, device=device()).contiguous(memory_format=torch.channels_last)
    with numerics(config.profile.precision, False), evaluating(model):
        bare = seconds_of(lambda: model(images), sizes.repeats)
        protocol, workers = config.labelling(1), config.profile.workers

        def label() -> None:
            selector = build_selector(Part(name="instance_adaptive", alpha=0.5, gamma=8.0), CITYSCAPES_19, 1)
            images = ahead(folder.read_image, folder.frames, workers)
            list(label_images(selector, sizes.frames, 0, lambda n: label_scores(model, next(images), protocol)))

        def score() -> None:
            read: Any = folder
            evaluate(model, read, folder.frames, CITYSCAPES_19, "noise", config.profile.evaluation, workers=workers)

        for name, work, passes in (("labelling", label, 1 + protocol.flip), ("evaluation", score, 1)):
            seconds = seconds_of(work, 1) / sizes.frames
            yield {"work": name, "frames_per_s": 1 / seconds, "network_busy": passes * bare / seconds}


PARTS: dict[str, Callable[[Sizes], Iterator[Row]]] = {
    **{"methods": methods, "steps": steps, "losses": losses, "resume": resume, "frames": frames, "memory": memory},
    "compiled": partial(steps, compiled=True),
}


def table(rows: list[Row]) -> str:
    """Rows as Markdown."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in (row.get(n, "-") for n in names)] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names), *shown))


def main() -> None:
    """Measure until the time is over, writing the file after every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    end, sizes = time.monotonic() + 60 * args.minutes - 30, Sizes(args.tiny)
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    found: dict[str, Any] = {
        "device": where,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "tiny": args.tiny,
    }
    parts = args.only or sizes.parts
    for part in parts:
        rows = found[part] = []
        try:
            for row in PARTS[part](sizes):
                rows.append(row)
                args.out.write_text(json.dumps(found, indent=1))
                if time.monotonic() > end:
                    rows.append({"not reached": "the time was over"})
                    break
        except (UserError, RuntimeError) as error:  # out of memory, or a kernel that a card does not have
            rows.append({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
    args.out.write_text(json.dumps(found, indent=1))
    text = "\n\n".join(f"## {part}\n\n{table(found[part])}" for part in parts)
    args.out.with_suffix(".md").write_text(f"{where}, torch {torch.__version__}\n\n{text}\n")
    print(args.out.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
