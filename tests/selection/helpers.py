"""Small label spaces and probability maps for the tests of selectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from udamlf.common.seeding import rng
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part
from udamlf.selection.base import BaseSelector, build, label_images


def space(classes: int = 5, rare: int = 2) -> LabelSpace:
    """A label space whose last ``rare`` classes are rare."""
    names = tuple(f"class{c}" for c in range(classes))
    return LabelSpace("test", names, ((0, 0, 0),) * classes, {"all": names}, rare=names[classes - rare :])


def probabilities(seed: int, images: int = 4, classes: int = 5, height: int = 12, width: int = 16) -> Tensor:
    """Float32 [N, C, H, W], summing to 1 over C; class 0 is frequent, the last class is rare."""
    logits = rng(seed, "test").normal(size=(images, classes, height, width)) * 2
    logits -= np.linspace(0, 3, classes)[:, None, None]
    return torch.from_numpy(logits).float().softmax(1)


def make(name: str, round: int = 1, labels: LabelSpace | None = None, **params: Any) -> Any:
    """A selector for ``space()`` or ``labels``."""
    return build(Part(name=name, **params), labels or space(), round)


def label_maps(selector: BaseSelector, scores: Tensor, seed: int = 0) -> dict[int, np.ndarray]:
    """Label map of every image that gets one."""
    return dict(label_images(selector, len(scores), seed, lambda i: scores[i]))


class Rising(NamedTuple):
    """The published rule behind the configurations' lists of portions (cbst.md, 5): a portion grows while it is below
    ``max``; it checks before it adds, so the last value may overshoot ``max`` by less than a step."""

    initial: float
    step: float
    max: float

    def at(self, round: int) -> float:
        """The portion in round 1, 2, ...; at most 1."""
        value = self.initial
        for _ in range(round - 1):
            if value < self.max:
                value += self.step
        return min(value, 1.0)
