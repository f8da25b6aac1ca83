"""Per-pixel losses that several methods share.

Throughout: ``logits`` float [N,C,H,W]; ``labels`` int64 [N,H,W], train ids or ``IGNORE``; ``mask`` bool [N,H,W]; the
mean is over all the masked pixels of the batch, not per image. An empty mask gives 0 with a gradient path.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE

Region = Literal["ignored", "confident", "all"]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` over ``mask`` (same shape); 0 where the mask is empty. No device synchronisation."""
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def cross_entropy(
    logits: Tensor, labels: Tensor, class_weights: Tensor | None = None, pixel_weights: Tensor | None = None
) -> Tensor:
    """Mean cross-entropy (nats) over the pixels with a label.

    Args:
        class_weights: float [C]. The mean becomes the weighted mean: it is divided by the summed weights.
        pixel_weights: float [N,H,W], for instance confidences in 0..1. They scale the loss of a pixel and stay out of
            the divisor, so that a low confidence does lower the loss.
    """
    valid = labels != IGNORE
    losses = F.cross_entropy(logits, labels, weight=class_weights, ignore_index=IGNORE, reduction="none")
    if pixel_weights is not None:
        losses = losses * pixel_weights
    if class_weights is None:
        return losses.sum() / valid.sum().clamp(min=1)
    total = class_weights[labels.masked_fill(~valid, 0)].masked_fill(~valid, 0.0).sum()
    return losses.sum() / torch.where(total > 0, total, 1.0)


def soft_cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over ``mask`` (default: every pixel) of -sum_c t_c log p_c, for ``targets`` t: float [N,C,H,W], 0..1."""
    per_pixel = -(targets * F.log_softmax(logits, 1)).sum(1)
    return per_pixel.mean() if mask is None else masked_mean(per_pixel, mask)


def _entropy_map(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(1)


def _scale(log_p: Tensor, per_class_mean: bool) -> float:
    return 1.0 / log_p.shape[1] if per_class_mean else 1.0


def entropy(logits: Tensor, mask: Tensor, per_class_mean: bool = False) -> Tensor:
    """Mean over ``mask`` of -sum_c p_c log p_c (nats, 0..log C).

    Args:
        per_class_mean: divide once more by C. The released IAST and HIAST do (iast.md 3), the paper's formula does
            not; their weight 3.0 belongs to the divided form.
    """
    log_p = F.log_softmax(logits, 1)
    return masked_mean(_entropy_map(log_p), mask) * _scale(log_p, per_class_mean)


def kl_to_uniform(logits: Tensor, mask: Tensor, per_class_mean: bool = False) -> Tensor:
    """Mean over ``mask`` of -(1/C) sum_c log p_c: KL(uniform || p) plus the constant log C (iast.md 3, L_kld).

    Args:
        per_class_mean: divide once more by C, as the released code does; its weight 0.1 belongs to that form.
    """
    log_p = F.log_softmax(logits, 1)
    return masked_mean(-log_p.mean(1), mask) * _scale(log_p, per_class_mean)


def _consistency(log_p: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    products = (targets * log_p).masked_fill(~mask.unsqueeze(1), 0.0)
    return -products.sum() / products.detach().count_nonzero().clamp(min=1)


def consistency(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """HIAST's consistency -(1/N) sum over mask and classes of t_c log p_c (hiast.md 5, L_cst).

    N is the number of (pixel, class) pairs whose product is not exactly 0: C times the pixels, unless a confident
    teacher underflows to 0. So it carries a factor of about 1/C against ``soft_cross_entropy``.

    Args:
        targets: the teacher's probabilities, float [N,C,H,W]; no gradient flows through them.
    """
    return _consistency(F.log_softmax(logits, 1), targets.detach(), mask)


class RegionTerms(NamedTuple):
    """Scalars of ``region_terms``, unweighted."""

    cross_entropy: Tensor
    kl_to_uniform: Tensor
    entropy: Tensor
    consistency: Tensor | None


def region_terms(
    logits: Tensor,
    labels: Tensor,
    targets: Tensor | None = None,
    consistency_region: Region = "ignored",
    per_class_mean: bool = True,
) -> RegionTerms:
    """IAST's and HIAST's losses from one shared log-softmax (iast.md 3, hiast.md 5).

    Cross-entropy and KL to uniform on the confident region (pixels with a pseudo-label), entropy on the ignored one.

    Args:
        targets: the teacher's probabilities, float [N,C,H,W]; None leaves the consistency out.
        consistency_region: where the consistency is taken.
        per_class_mean: as in ``entropy``; True is the released behaviour.
    """
    log_p = F.log_softmax(logits, 1)
    confident = labels != IGNORE
    scale = _scale(log_p, per_class_mean)
    log_likelihood = F.nll_loss(log_p, labels, ignore_index=IGNORE, reduction="sum")
    regions = {"ignored": ~confident, "confident": confident, "all": torch.ones_like(confident)}
    return RegionTerms(
        cross_entropy=log_likelihood / confident.sum().clamp(min=1),
        kl_to_uniform=masked_mean(-log_p.mean(1), confident) * scale,
        entropy=masked_mean(_entropy_map(log_p), ~confident) * scale,
        consistency=None if targets is None else _consistency(log_p, targets.detach(), regions[consistency_region]),
    )
