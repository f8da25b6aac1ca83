"""Adversarial alignment of outputs, and the entropy maps it may look at (adversarial-warmup.md 6, advent.md 4).

``scores`` are a discriminator's raw outputs, float [N,1,h,w]; every mean is over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.losses.basic import masked_mean

SOURCE, TARGET = 0.0, 1.0
"""Domain labels of the released code; the papers swap them, which is equivalent."""

Distance = Literal["least_squares", "bce_with_logits"]

_LOG_EPS = 1e-30  # makes p = 0 finite: 0 * log2(1e-30) = 0


def least_squares(scores: Tensor, domain: float) -> Tensor:
    """Mean of (d - domain)^2 in float32 (LSGAN; AdaptSegNet, IAST, HIAST)."""
    return (scores.float() - domain).square().mean()


def bce_with_logits(scores: Tensor, domain: float) -> Tensor:
    """Mean binary cross-entropy in float32 of the logits d against ``domain`` (AdvEnt)."""
    scores = scores.float()
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))


DISTANCES: dict[Distance, Callable[[Tensor, float], Tensor]] = {
    "least_squares": least_squares,
    "bce_with_logits": bce_with_logits,
}


def generator_loss(target_scores: Tensor, distance: Distance = "least_squares") -> Tensor:
    """The segmentation network's term: target outputs shall look like source ones."""
    return DISTANCES[distance](target_scores, SOURCE)


def discriminator_loss(source_scores: Tensor, target_scores: Tensor, distance: Distance = "least_squares") -> Tensor:
    """The discriminator's loss: half the sum of both domains' terms. Its inputs must be detached from the network."""
    compare = DISTANCES[distance]
    return 0.5 * (compare(source_scores, SOURCE) + compare(target_scores, TARGET))


def self_information(probabilities: Tensor) -> Tensor:
    """Weighted self-information I_c = -p_c log2(p_c + 1e-30) / log2 C, float [N,C,H,W] (advent.md 4).

    The sum over classes is the normalised entropy, 0..1.
    """
    return -probabilities * torch.log2(probabilities + _LOG_EPS) / math.log2(probabilities.shape[1])


def min_entropy(probabilities: Tensor, mask: Tensor | None = None) -> Tensor:
    """MinEnt: mean over images and pixels of the normalised entropy, 0..1; gradients flow through p.

    Args:
        probabilities: float [N,C,H,W].
        mask: bool [N,H,W], default every pixel; an empty mask gives 0.
    """
    normalised = self_information(probabilities).sum(1)
    return normalised.mean() if mask is None else masked_mean(normalised, mask)
