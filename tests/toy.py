"""A world of coloured squares: two domains of five classes, small enough for many training steps in a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation, BatchSize, OptimiserConfig, Training
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.config.parts import Part
from udamlf.data.batches import Batches, Frames, Stream
from udamlf.data.sample import Sample
from udamlf.models.base import SegmentationModel
from udamlf.models.base import build as build_network
from udamlf.training import objective as base
from udamlf.training.loop import Trainer, to_domain
from udamlf.training.objective import BaseObjective, Batch, Context, Losses

SPACE = LabelSpace(
    "toy",
    ("grass", "stone", "water", "sand", "ice"),
    ((30, 160, 40), (120, 110, 100), (30, 60, 200), (220, 200, 120), (230, 240, 250)),
    {"5": ("grass", "stone", "water", "sand", "ice"), "2": ("grass", "ice")},
    rare=("sand", "ice"),
)
HEIGHT, WIDTH, CELL, IMAGES = 32, 48, 8, 6
OPTIMISER = OptimiserConfig(name="adamw", lr=1e-3, weight_decay=1e-2)
SEED = 7
PARAMS: dict[str, dict[str, Any]] = {
    "adversarial": {"width": 4, "weight": 0.01, "aux_weight": 0.002, "aux_ce": 0.1, "entropy": 0.01},
    "self_training": {"entropy": 1.0, "kl": 0.1},
    "crst": {"mrkld": 0.01, "mrent": 0.01, "lrent": 0.25, "lrent_jitter": 0.4},
    "ema_mix": {"threshold": 0.25, "rare_class_temperature": 0.1, "rare_class_min_pixels": 20},
}
PARAMS["mic"] = {**PARAMS["ema_mix"], "mask_block": 8, "colour_of_mixed": True, "joint_batch": False}
PARAMS |= {"self_training+mic": {"mask_block": 8}, "proda+mic": {"mask_block": 8}}
"""Objective -> parameters that switch every term on, at a small size; the defaults where a name is missing."""


def frames(domain: str, count: int = IMAGES, labelled_share: float = 1.0) -> list[Sample]:
    """Whole frames of random squares; each square keeps its label with probability ``labelled_share``."""
    samples = []
    for index in range(count):
        draw = rng(SEED, "toy", domain, index)
        cells = draw.integers(0, SPACE.num_classes, (HEIGHT // CELL, WIDTH // CELL)).astype(np.uint8)
        label = np.where(draw.random(cells.shape) < labelled_share, cells, IGNORE).astype(np.uint8)
        clean = np.array(SPACE.palette)[cells.repeat(CELL, 0).repeat(CELL, 1)] * (1.0 if domain == "source" else 0.7)
        image = np.clip(clean + draw.normal(0, 12, clean.shape), 0, 250).astype(np.uint8)
        samples.append(Sample(image, label.repeat(CELL, 0).repeat(CELL, 1)))
    return samples


def training(**changes: Any) -> Training:
    """A budget of six steps with two images of each domain."""
    values = {
        "steps": 6,
        "batch": BatchSize(source=2, target=2),
        "optimiser": OPTIMISER,
        "augmentation": Augmentation(crop_hw=(HEIGHT, HEIGHT), jitter_source=0.3, jitter_target=0.3),
        "loss_stride": 1,
    }
    return Training(**{**values, **changes})


def published() -> dict[str, np.ndarray]:
    """What a selector publishes beside the target's pseudo-labels."""
    target = target_frames()
    pixels = np.stack([np.bincount(v.label.ravel(), minlength=IGNORE + 1)[: SPACE.num_classes] for v in target])
    return {
        "class_mean_confidence": np.linspace(0.9, 0.5, SPACE.num_classes),
        "class_pixels": pixels.astype(np.int64),
        "labelled_images": np.arange(len(target)),
        "thresholds": np.array([0.3, 0.25, 0.4, np.nan, 0.35]),
        "divisors": np.array([0.3, 0.25, 0.4, np.inf, 0.35], np.float32),
        "prototypes": rng(SEED, "toy prototypes").uniform(0, 2, (SPACE.num_classes, 64)).astype(np.float32),
    }


def source_frames() -> list[Sample]:
    """Labelled source frames."""
    return frames("source")


def target_frames() -> list[Sample]:
    """Target frames with pseudo-labels on 60 % of the squares, and soft labels at a quarter of their size."""
    samples = frames("target", labelled_share=0.6)
    for index, sample in enumerate(samples):
        scores = rng(SEED, "toy soft", index).random((SPACE.num_classes, HEIGHT // 4, WIDTH // 4), np.float32)
        sample.arrays["soft"] = scores / scores.sum(0)
    return samples


def network(seed: int = SEED, **options: Any) -> SegmentationModel:
    """The compact network for the five classes."""
    return build_network("compact", SPACE.num_classes, seed=seed, **options)


def objective(
    name: str,
    params: Mapping[str, Any] | None = None,
    budget: Training | None = None,
    model: SegmentationModel | None = None,
    round: int = 1,
) -> BaseObjective:
    """An objective with everything a context can hold; ``params`` default to ``PARAMS``."""
    model = model if model is not None else network(aux=True)
    context = Context(
        model=model,
        space=SPACE,
        training=budget or training(),
        round=round,
        seed=SEED,
        device=torch.device("cpu"),
        source_class_pixels=class_pixels,
        published=published(),
        teacher=lambda: network(seed=SEED + 1, aux=True),
    )
    return base.build(Part(name=name, **(PARAMS.get(name, {}) if params is None else params)), context)


def class_pixels() -> np.ndarray:
    """Pixels of each class in each source label, int64 [images, C]."""
    return np.stack([np.bincount(v.label.ravel(), minlength=SPACE.num_classes) for v in source_frames()])


def domains(target: list[Sample] | None = None) -> dict[str, Frames]:
    """Frames of both domains."""
    splits = {"source": source_frames(), "target": target or target_frames()}
    return {name: (frames.__getitem__, len(frames)) for name, frames in splits.items()}


def stream(domain: str, samples: list[Sample], objective: BaseObjective) -> Stream:
    """A stream over whole frames with the budget's augmentation."""
    augmentation = objective.context.training.augmentation
    return Stream(domain, samples.__getitem__, len(samples), augmentation, SEED, objective.prepare)


def trainer(objective: BaseObjective, state_path: Path | None = None, workers: int = 0, key: str = "toy") -> Trainer:
    """The loop over ``objective``."""
    return Trainer(objective, domains(), key, state_path, workers=workers)


def batch(objective: BaseObjective, target: list[Sample] | None = None, step: int = 0) -> Batch:
    """The batch of a step on the device."""
    sizes = objective.context.training.batch
    splits = {"source": source_frames(), "target": target or target_frames()}
    sized = {name: (stream(name, frames, objective), getattr(sizes, name)) for name, frames in splits.items()}
    host = Batches(sized, 0, 1, 0).at(step)
    domains = {name: to_domain(d, objective.model, torch.device("cpu"), slice(None)) for name, d in host.items()}
    return Batch(step, 0, SEED, domains.get("source"), domains.get("target"))


def losses(objective: BaseObjective, batch: Batch) -> Losses:
    """Losses of all parts."""
    merged: Losses = {}
    parts = objective.losses(batch)
    for part in [parts] if isinstance(parts, dict) else parts:
        for optimiser, named in part.items():
            assert not merged.get(optimiser, {}).keys() & named.keys(), "two parts share a loss's name"
            merged.setdefault(optimiser, {}).update(named)
    return merged


def tensors(loop: Trainer) -> dict[str, Tensor]:
    """Every tensor of a training: weights, buffers, further modules, optimiser state."""
    values = {f"{n}/{k}": v for n, module in loop.state.modules.items() for k, v in module.state_dict().items()}
    for name, optimiser in loop.optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            values |= {f"{name}/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
    return {name: value.detach().clone() for name, value in values.items()}
