"""Losses that several methods share; one that a single method uses lies in that method's file.

Throughout: ``logits`` float [N, C, H, W]; ``labels`` int64 [N, H, W], train ids or ``IGNORE``; ``mask`` bool [N, H, W].
A loss is the mean over all the masked pixels of the batch, 0 with a gradient path where there is none."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.config.labels import IGNORE


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` over ``mask`` (same shape), without synchronising the device."""
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def cross_entropy(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Mean cross-entropy (nats) over the pixels with a label; with ``class_weights`` float [C] the weighted mean."""
    valid = labels != IGNORE
    losses = F.cross_entropy(logits, labels, weight=class_weights, ignore_index=IGNORE, reduction="none")
    if class_weights is None:
        return losses.sum() / valid.sum().clamp(min=1)
    total = class_weights[labels.masked_fill(~valid, 0)].masked_fill(~valid, 0.0).sum()
    return losses.sum() / torch.where(total > 0, total, 1.0)


def mixed_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over ALL pixels of weight float [N, H, W] x cross-entropy, 0 where ignored (online-ema.md 3.2 and 3.9)."""
    return (weights * F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")).mean()


def soft_cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Mean over ``mask`` of -sum_c t_c log p_c, for ``targets`` t: float [N, C, H, W], 0..1."""
    return masked_mean(-(targets * F.log_softmax(logits, 1)).sum(1), mask)


def entropy(logits: Tensor, mask: Tensor, per_class_mean: bool = False) -> Tensor:
    """Mean over ``mask`` of -sum_c p_c log p_c (nats, 0..log C). ``per_class_mean`` divides once more by C, as the
    released IAST and HIAST do (iast.md 3), and not the paper; their weights, 3.0 and 1.0, belong to that form."""
    log_p = F.log_softmax(logits, 1)
    return masked_mean(-(log_p.exp() * log_p).sum(1), mask) * (1 / log_p.shape[1] if per_class_mean else 1)


def kl_to_uniform(logits: Tensor, mask: Tensor, per_class_mean: bool = False) -> Tensor:
    """Mean over ``mask`` of -(1/C) sum_c log p_c: KL(uniform || p) plus the constant log C (iast.md 3, L_kld).
    ``per_class_mean`` as in ``entropy``; the released weight 0.1 belongs to that form."""
    log_p = F.log_softmax(logits, 1)
    return masked_mean(-log_p.mean(1), mask) * (1 / log_p.shape[1] if per_class_mean else 1)


def self_information(probabilities: Tensor) -> Tensor:
    """Weighted self-information I_c = -p_c log2(p_c + 1e-30) / log2 C, float [N, C, H, W] (advent.md 4): 0 at p = 0;
    its sum over the classes is the normalised entropy, 0..1."""
    return -probabilities * torch.log2(probabilities + 1e-30) / math.log2(probabilities.shape[1])
