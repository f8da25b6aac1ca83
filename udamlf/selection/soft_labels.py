"""Soft labels as they are stored and hard labels over a threshold: what ProDA's stages pass to each other.

A stored soft label is one array on the network's grid. ``full`` keeps every probability (float32 [C,h,w], 2.5 MB a
Cityscapes frame of 19 classes). The compact form keeps the k most probable classes of each pixel (float16 and a byte
each, 0.4 MB at k = 4): on made-up frames of which a rectification changes 23 % of the labels, 99.98 % of the labels
and 99.1 % of the rectified ones are those of the full form (benchmarks/soft_labels.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from udamlf.data.labels import IGNORE

_COMPACT = np.dtype([("probability", "<f2"), ("label", "u1")])


def encode_soft_label(probabilities: Tensor, top: int | None = 4) -> np.ndarray:
    """One image's soft label as an array to store.

    Args:
        probabilities: float [C,h,w], summing to 1 over C.
        top: classes kept per pixel; None keeps all (``full``).

    Returns:
        Compact: structured [top,h,w], most probable first, 3 bytes an entry. Full: float32 [C,h,w].
    """
    if top is None:
        return probabilities.float().cpu().numpy()
    values, labels = probabilities.float().topk(min(top, len(probabilities)), dim=0)
    stored = np.empty(values.shape, _COMPACT)
    stored["probability"] = values.cpu().numpy()
    stored["label"] = labels.cpu().numpy()
    return stored


def decode_soft_label(stored: np.ndarray, num_classes: int) -> Tensor:
    """Probabilities float32 [C,h,w] of a stored soft label, summing to 1 over C.

    What the kept classes leave of 1 is shared equally by the others, but none of them gets more than the last kept
    one; so the order of the kept classes stays, and prototypes can still lift a class that was not kept.
    """
    if stored.dtype.names is None:
        return torch.from_numpy(np.asarray(stored, np.float32))
    values = torch.from_numpy(stored["probability"].astype(np.float32))
    labels = torch.from_numpy(stored["label"].astype(np.int64))
    rest = (1 - values.sum(0, keepdim=True)).clamp(min=0) / max(num_classes - len(values), 1)
    probabilities = torch.minimum(rest, values[-1:]).expand(num_classes, -1, -1).scatter(0, labels, values)
    return probabilities / probabilities.sum(0, keepdim=True)


class HardLabels(NamedTuple):
    """Attributes: labels int64 [N,H,W] train ids with IGNORE; confidence [N,H,W], the highest probability."""

    labels: Tensor
    confidence: Tensor


def confident_labels(probabilities: Tensor, threshold: float = 0.95, half_precision: bool = False) -> HardLabels:
    """Argmax where its probability exceeds ``threshold``, else IGNORE (ProDA, section 8).

    Args:
        probabilities: float [N,C,H,W].
        half_precision: compare in float16 as the released code does: 0.95 then means 0.9502, with rounding.
    """
    confidence, labels = probabilities.max(1)
    if half_precision:
        confidence = confidence.half()
    return HardLabels(labels.masked_fill(confidence <= torch.full_like(confidence, threshold), IGNORE), confidence)
