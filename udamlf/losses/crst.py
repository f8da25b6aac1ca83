"""Confidence-regularised self-training (CRST, Zou et al. 2019; cbst.md 10), each term unweighted.

``logits`` float [N,C,H,W]; ``labels`` int64 [N,H,W] with ``IGNORE``. A term over nothing is 0 with a gradient path.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE
from udamlf.losses.basic import masked_mean, soft_cross_entropy
from udamlf.selection.crst import entropy_regularised


def _regularised_mean(per_pixel: Tensor, labels: Tensor, image_weights: Tensor | None) -> Tensor:
    """Sum of s_n * value over the labelled pixels / number of labelled pixels of the images with s_n != 0."""
    if image_weights is None:
        return masked_mean(per_pixel, labels != IGNORE)
    weights = image_weights.to(per_pixel).view(-1, 1, 1)
    return masked_mean(per_pixel * weights, (labels != IGNORE) & (weights != 0))


def mrkld(logits: Tensor, labels: Tensor, image_weights: Tensor | None = None) -> Tensor:
    """Model regularisation by KL to uniform: mean of -(1/C) sum_c log p_c over labelled pixels.

    The released code multiplies by its weight 0.1 twice, once per image (``image_weights``) and once as a coefficient:
    the effective weight is 0.01.

    Args:
        image_weights: float [N], s_n; 0 leaves an image out (source images), None counts all of them as 1.
    """
    return _regularised_mean(-F.log_softmax(logits, 1).mean(1), labels, image_weights)


def mrent(logits: Tensor, labels: Tensor, image_weights: Tensor | None = None) -> Tensor:
    """Model regularisation by negative entropy: mean of sum_c p_c log p_c (-log C..0) over labelled pixels."""
    log_p = F.log_softmax(logits, 1)
    return _regularised_mean((log_p.exp() * log_p).sum(1), labels, image_weights)


def lrent(logits: Tensor, soft_labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy against entropy-regularised soft labels, mean over the pixels that have one.

    Args:
        soft_labels: float [N,C,H,W], sums to 1 over C, or 0 for every class where the pixel is ignored; a hard label
            is one-hot.
        class_weights: float [C]; the mean becomes the weighted one, as in ``cross_entropy``.
    """
    if class_weights is None:
        return soft_cross_entropy(logits, soft_labels, torch.any(soft_labels != 0, dim=1))
    weighted = soft_labels * class_weights.view(1, -1, 1, 1)
    total = weighted.sum()
    return -(weighted * F.log_softmax(logits, 1)).sum() / torch.where(total > 0, total, 1.0)


def soft_where_kept(scores: Tensor, thresholds: Tensor, alpha: float, kept: Tensor) -> Tensor:
    """LRENT's soft labels of the kept pixels, 0 elsewhere: float32 [N,C,H,W].

    Args:
        scores: probabilities float32 [N,C,H,W].
        thresholds: float32 [C], infinity for a class without any.
        kept: bool [N,H,W].
    """
    soft = torch.stack([entropy_regularised(image, thresholds, alpha).soft for image in scores])
    return soft * kept[:, None]


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Labels int64 [N,H,W] as float32 [N,C,H,W]; 0 for every class where ignored."""
    valid = labels != IGNORE
    return F.one_hot(labels.where(valid, 0), num_classes).permute(0, 3, 1, 2).float() * valid[:, None]
