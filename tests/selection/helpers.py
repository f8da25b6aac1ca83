"""Small label spaces and probability maps for the tests of selectors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from udamlf.data.labels import LabelSpace
from udamlf.seeding import rng
from udamlf.selection.base import Selector, label_images


def space(classes: int = 5, rare: int = 2) -> LabelSpace:
    """A label space whose last ``rare`` classes are rare."""
    names = tuple(f"class{c}" for c in range(classes))
    return LabelSpace("test", names, ((0, 0, 0),) * classes, {"all": names}, rare=names[classes - rare :])


def probabilities(seed: int, images: int = 4, classes: int = 5, height: int = 12, width: int = 16) -> Tensor:
    """Float32 [N, C, H, W], summing to 1 over C; class 0 is frequent, the last class is rare."""
    logits = rng(seed, "test").normal(size=(images, classes, height, width)) * 2
    logits -= np.linspace(0, 3, classes)[:, None, None]
    return torch.from_numpy(logits).float().softmax(1)


def label_maps(selector: Selector, scores: Tensor, seed: int = 0) -> dict[int, np.ndarray]:
    """Label map of every image that gets one."""
    return dict(label_images(selector, len(scores), seed, lambda i: scores[i]))
