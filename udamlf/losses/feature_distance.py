"""Thing-class feature distance to an ImageNet encoder (DAFormer, arXiv 2111.14887; online-ema.md 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE
from udamlf.losses.basic import masked_mean


def downscale_labels(labels: Tensor, scale: int, num_classes: int, min_share: float = 0.75) -> Tensor:
    """Labels of scale x scale cells: the class that fills at least ``min_share`` of a cell, else IGNORE.

    Args:
        labels: int64 [N,H,W], train ids or IGNORE; IGNORE competes as a class of its own. H and W multiples of scale.

    Returns:
        int64 [N,H/scale,W/scale].
    """
    channels = labels.masked_fill(labels == IGNORE, num_classes)
    one_hot = F.one_hot(channels, num_classes + 1).permute(0, 3, 1, 2).float()
    share, winner = F.avg_pool2d(one_hot, scale).max(1)
    return winner.masked_fill((share < min_share) | (winner == num_classes), IGNORE)


def class_mask(labels: Tensor, classes: Sequence[int]) -> Tensor:
    """bool, shape of ``labels``: pixels of one of ``classes``."""
    return torch.isin(labels, torch.as_tensor(classes, device=labels.device, dtype=labels.dtype))


def feature_distance(features: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Mean over ``mask`` of the Euclidean distance between two feature maps; 0 where it is empty (upstream: nan).

    Args:
        features, reference: float [N,D,h,w]; no gradient flows through the reference.
        mask: bool [N,h,w], e.g. thing classes of ``downscale_labels``.
    """
    return masked_mean(torch.linalg.vector_norm(features - reference.detach(), dim=1), mask)
