"""Class mixing of the online EMA recipe: half of a source image's classes pasted on a target image.

DACS (arXiv 2007.08702) and DAFormer (arXiv 2111.14887); numbers in parentheses are sections of online-ema.md.
The mask is drawn with the sample on the host; everything else works on batches on the device.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from udamlf.data.labels import IGNORE


class OnlineLabels(NamedTuple):
    """Pseudo-labels made in the step.

    Attributes:
        labels: int64 [N,H,W], the argmax; no pixel is ignored.
        confidence: float32 [N,H,W], its probability.
        weights: float32 [N,H,W], the confident share everywhere, 0 in the ignored rows.
        confident: bool [N,H,W], pixels at or over the threshold.
        confident_share: scalar tensor on the device, their share of the batch.
    """

    labels: Tensor
    confidence: Tensor
    weights: Tensor
    confident: Tensor
    confident_share: Tensor


def online_labels(
    teacher_logits: Tensor, threshold: float = 0.968, ignore_top: int = 0, ignore_bottom: int = 0
) -> OnlineLabels:
    """Labels and weights of a batch of target crops (3.4, 3.5).

    Args:
        teacher_logits: float [N,C,H,W] at the resolution of the crop.
        threshold: probability at and above which a pixel counts as confident.
        ignore_top, ignore_bottom: rows of the crop with weight 0 (sky and bonnet: 15 and 120 in DAFormer).
    """
    confidence, labels = torch.softmax(teacher_logits.float(), 1).max(1)
    confident = confidence >= threshold
    share = confident.float().mean()
    weights = share.expand_as(confidence).clone()
    weights[:, :ignore_top] = 0
    weights[:, weights.shape[1] - ignore_bottom :] = 0
    return OnlineLabels(labels, confidence, weights, confident, share)


def choose_classes(present: np.ndarray, generator: np.random.Generator, share: float = 0.5) -> np.ndarray:
    """ceil(share x K) of the K classes ``present`` [K], drawn without replacement (3.6)."""
    return generator.choice(present, int(np.ceil(share * len(present))), replace=False)


def mix_mask(label: np.ndarray, generator: np.random.Generator, share: float = 0.5) -> np.ndarray:
    """Which pixels of a source image are pasted: those of ``share`` of its own classes (3.6; the released code draws
    among the classes of the whole batch, IGNORE included, a slip).

    Args:
        label: uint8 [H,W] train ids with IGNORE.

    Returns:
        uint8 [H,W], 1 = pasted.
    """
    present = np.flatnonzero(np.bincount(label.ravel(), minlength=IGNORE + 1)[:IGNORE])
    table = np.zeros(IGNORE + 1, np.uint8)
    table[choose_classes(present, generator, share)] = 1
    return table[label]


def mix(masks: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """``source`` where the mask is True, else ``target``: images [N,3,H,W], labels or weights [N,H,W] (3.7)."""
    return torch.where(masks if source.dim() == masks.dim() else masks.unsqueeze(1), source, target)
