"""A world of coloured squares: two domains of five classes, small enough for many training steps in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from udamlf.config import Augmentation, BatchSize, OptimiserConfig, Part, Training
from udamlf.data.batches import Stream
from udamlf.data.labels import IGNORE, LabelSpace
from udamlf.data.view import View
from udamlf.methods import base
from udamlf.methods.base import BaseObjective, Context
from udamlf.models.base import SegmentationModel
from udamlf.models.base import build as build_network
from udamlf.seeding import rng
from udamlf.training.loop import Trainer

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
    "ema_mix": {"threshold": 0.25, "rare_class_temperature": 0.1, "rare_class_min_pixels": 20, "entropy": 0.1},
}
"""Objective -> parameters that switch every term on, at a small size; the defaults where a name is missing."""


def frames(domain: str, count: int = IMAGES, labelled_share: float = 1.0) -> list[View]:
    """Whole frames of random squares; each square keeps its label with probability ``labelled_share``."""
    views = []
    for index in range(count):
        draw = rng(SEED, "toy", domain, index)
        cells = draw.integers(0, SPACE.num_classes, (HEIGHT // CELL, WIDTH // CELL)).astype(np.uint8)
        kept = np.where(draw.random(cells.shape) < labelled_share, cells, IGNORE).astype(np.uint8)
        clean = np.array(SPACE.palette)[cells.repeat(CELL, 0).repeat(CELL, 1)] * (1.0 if domain == "source" else 0.7)
        image = np.clip(clean + draw.normal(0, 12, clean.shape), 0, 250).astype(np.uint8)
        views.append(View(image, kept.repeat(CELL, 0).repeat(CELL, 1)))
    return views


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


def label_extras() -> dict[str, np.ndarray]:
    """What a selector publishes beside the target's pseudo-labels."""
    target = target_frames()
    pixels = np.stack([np.bincount(v.label.ravel(), minlength=IGNORE + 1)[: SPACE.num_classes] for v in target])
    return {
        "class_mean_confidence": np.linspace(0.9, 0.5, SPACE.num_classes),
        "class_pixels": pixels.astype(np.int64),
        "labelled_images": np.arange(len(target)),
        "prototypes": rng(SEED, "toy prototypes").uniform(0, 2, (SPACE.num_classes, 64)).astype(np.float32),
    }


def source_frames() -> list[View]:
    """Labelled source frames."""
    return frames("source")


def target_frames() -> list[View]:
    """Target frames with pseudo-labels on 60 % of the squares."""
    return frames("target", labelled_share=0.6)


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
    pixels = np.stack([np.bincount(v.label.ravel(), minlength=SPACE.num_classes) for v in source_frames()])
    context = Context(
        model=model,
        space=SPACE,
        training=budget or training(),
        round=round,
        seed=SEED,
        device=torch.device("cpu"),
        source_class_pixels=pixels,
        label_extras=label_extras(),
        teacher=lambda: network(seed=SEED + 1, aux=True),
    )
    return base.build(Part(name=name, **(PARAMS.get(name, {}) if params is None else params)), context)


def streams(chosen: BaseObjective, target: list[View] | None = None) -> dict[str, Stream]:
    """Streams of both domains with the hooks of ``chosen``."""
    lists = {"source": source_frames(), "target": target or target_frames()}
    augmentation = chosen.context.training.augmentation
    jitter = {"source": augmentation.jitter_source, "target": augmentation.jitter_target}
    return {
        name: Stream(name, _reader(views), len(views), augmentation, jitter[name], SEED, chosen)
        for name, views in lists.items()
    }


def _reader(views: list[View]) -> Callable[[int], View]:
    return lambda index: views[index]


def trainer(chosen: BaseObjective, state_path: Path | None = None, workers: int = 0, key: str = "toy") -> Trainer:
    """The loop over ``chosen``."""
    return Trainer(chosen, streams(chosen), SEED, key, state_path, workers=workers)


def tensors(loop: Trainer) -> dict[str, Tensor]:
    """Every tensor of a training: weights, buffers, further modules, optimiser state."""
    found = {f"{n}/{k}": v for n, module in loop.state.modules.items() for k, v in module.state_dict().items()}
    for name, optimiser in loop.optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            found |= {f"{name}/{index}/{k}": torch.as_tensor(v) for k, v in state.items()}
    return {name: value.detach().clone() for name, value in found.items()}
