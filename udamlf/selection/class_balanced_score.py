"""The class-balanced score by which CBST's authors chose 505 of Cityscapes' training images once (cbst.md 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from udamlf.selection.base import slices, top1


def class_balanced_score(probabilities: Tensor) -> float:
    """Mean, over the classes predicted anywhere, of the mean confidence of the pixels predicted as the class.

    Args:
        probabilities: float32 [C, H, W].

    Returns:
        1/C to 1.
    """
    confidence, label = (value.flatten() for value in top1(probabilities))
    sums, counts = torch.zeros(2, len(probabilities), dtype=torch.float64, device=probabilities.device)
    for part in slices(len(label)):
        classes, sure = label[part].long(), confidence[part].double()
        sums.scatter_add_(0, classes, sure)
        counts.scatter_add_(0, classes, torch.ones_like(sure))
    present = counts > 0
    return float((sums[present] / counts[present]).mean())


def highest(scores: Sequence[float], top_k: int) -> list[int]:
    """Positions of the ``top_k`` highest scores, ascending; of equal scores the first ones."""
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    return sorted(order[:top_k].tolist())
