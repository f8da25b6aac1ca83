"""The loss on class-mixed images of the online EMA recipe (DACS, arXiv 2007.08702; DAFormer, arXiv 2111.14887)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE


def mixed_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over ALL pixels of weight x cross-entropy; an ignored pixel counts as 0 (online-ema.md 3.2 and 3.9).

    Args:
        logits: float [N,C,H,W].
        labels: int64 [N,H,W], train ids or IGNORE.
        weights: float [N,H,W], 0..1.
    """
    return (weights * F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")).mean()
