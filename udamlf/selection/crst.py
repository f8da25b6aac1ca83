"""CRST's label-entropy regularised soft labels (LRENT; Zou et al., ICCV 2019; cbst.md, section 10)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class SoftLabels(NamedTuple):
    """Attributes: soft float32 [C, H, W], sums to 1 over C; kept bool [H, W]."""

    soft: Tensor
    kept: Tensor


def entropy_regularised(scores: Tensor, thresholds: Tensor, alpha: float = 0.25) -> SoftLabels:
    """Soft labels y_c = w_c / Z with w_c = (score_c / t_c)**(1/alpha) and Z their sum; a pixel is kept where Z > 1.

    This is the published test, sum -y log p + alpha sum y log y < sum -y log t, rearranged. As alpha goes to 0 it
    becomes CBST's rule and one-hot labels.

    Args:
        scores: float32 [C, H, W], >= 0.
        thresholds: float32 [C], > 0; infinity takes a class out. With every class out, y is uniform and nothing kept.
    """
    # The logarithm keeps (score / t)**(1 / alpha) in range; log 0 = -inf is a class without a share.
    log_weights = (scores / thresholds[:, None, None]).clamp(min=0).log() / alpha
    log_sum = log_weights.logsumexp(0)
    soft = (log_weights - log_sum).exp()
    none = torch.isneginf(log_sum)
    return SoftLabels(torch.where(none, 1 / len(scores), soft), log_sum > 0)
