"""What a training step needs, by taking two of them on frames of noise: memory, and seconds of the second."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udamlf.common.seeding import rng
from udamlf.config.schema import TARGET, Config
from udamlf.data.batches import Frames
from udamlf.data.sample import Sample
from udamlf.models.base import SegmentationModel, device, freeze_batchnorm
from udamlf.models.base import build as build_network
from udamlf.training.loop import Trainer
from udamlf.training.objective import Context, build

FRAME_HW = (1024, 2048)  # frames of a profile that keeps the native size: Cityscapes'

Arrays = Mapping[str, np.ndarray]
Label = Callable[[SegmentationModel, Sample], tuple[Arrays, Arrays]]
"""Labels a frame with a network as the round does: the arrays that are published with it, and those of the frame."""


@dataclass(frozen=True)
class Measured:
    """What a step took: the peak of the GPU's allocator (CUDA takes half a GiB beside it), or the process's growth."""

    peak_bytes: int
    weight_bytes: int
    seconds: float

    def __str__(self) -> str:
        peak, weights = self.peak_bytes / 2**30, self.weight_bytes / 2**20
        return f"{peak:.2f} GiB at the peak of a step, {weights:.0f} MiB of weights, {self.seconds:.2f} s"


def measure_step(config: Config, round: int, pretraining: bool = False, label: Label | None = None) -> Measured:
    """Two steps of a training (``round`` 0 is the warm-up; ``pretraining``: the round's self-supervised one); the
    optimiser's state exists in the second. On a CPU a process that has used memory before reports less."""
    start, where = _process_peak(), device()
    trainer, cuda = trainer_on_noise(config, round, pretraining, where, label), where.type == "cuda"
    if cuda:
        torch.cuda.empty_cache()  # of the labelling, which no training holds
        torch.cuda.reset_peak_memory_stats()
    trainer.model.train()
    for step, host in trainer.batches(0, 2):
        began = time.perf_counter()
        trainer.take_step(step, host)
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    peak = torch.cuda.max_memory_reserved() if cuda else max(_process_peak() - start, 0)  # the kernel counts roughly
    return Measured(peak, sum(value.nbytes for value in trainer.model.state_dict().values()), seconds)


def _process_peak() -> int:
    # getrusage would count the process that started this one too, whose memory it had until its exec.
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) * 1024


def trainer_on_noise(
    config: Config, round: int, pretraining: bool, where: torch.device, label: Label | None = None
) -> Trainer:
    """A training whose streams hold one frame of noise with random labels each."""
    entry: Any = config.method.round_at(round) if round else config.method.warmup
    training = config.pretraining(round) if pretraining else config.training(round)
    seed, classes = config.seed, config.space.num_classes

    def network(number: int) -> SegmentationModel:
        part = config.backbone(number)
        built = build_network(part.name, classes, pretrained=False, **part.params)
        return built.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]

    model = network(round)
    freeze_batchnorm(model, training.freeze_bn_affine, training.freeze_bn_statistics)

    def noise(split: str) -> Sample:
        draw, hw = rng(seed, "noise"), config.frames(split)[0] or FRAME_HW
        return Sample(draw.integers(0, 256, (*hw, 3), np.uint8), draw.integers(0, classes, hw, np.uint8))

    source, frame = noise(entry.source), noise(TARGET)
    published, arrays = label(model, frame) if label and not pretraining else ({}, {})
    context = Context(model, config.space, training, round, seed, where, published=published)
    context.source_class_pixels = lambda: np.bincount(source.label.ravel(), minlength=classes)[None]
    context.teacher, context.initial = lambda: network(round - 1).eval(), lambda: network(round).eval()
    objective = build((entry.pretrain if pretraining else entry).objective, context)
    target = Sample(frame.image, frame.label, arrays=dict(arrays))
    frames: dict[str, Frames] = {"source": ([source].__getitem__, 1), "target": ([target].__getitem__, 1)}
    budget = config.profile.precision, config.profile.micro_batch
    return Trainer(objective, frames, "noise", None, *budget, workers=0)
