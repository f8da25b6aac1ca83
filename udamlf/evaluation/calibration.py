"""Whether a confidence is a probability: of the pixels labelled with confidence 0.9, are nine in ten right?"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from udamlf.common.ahead import Item
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE

BINS = 15  # as in the publication
LEVELS = 200  # steps of a stored confidence: its error of a quarter per cent averages out within a bin
SAMPLE = 32
CONFIDENCE = "confidence.npz"
"""Beside the pseudo-labels: of a sample of the images their ``stored_confidence``."""


def sample(items: Sequence[Item]) -> list[Item]:
    """At most ``SAMPLE`` of them in their order; the same ones for every method and seed, so that they compare."""
    chosen = rng(0, "sample of the target").permutation(len(items))[:SAMPLE]
    return [items[index] for index in sorted(chosen.tolist())]


def stored_confidence(scores: Tensor, label: np.ndarray) -> np.ndarray:
    """What probabilities float [C, H, W] give each label, uint8 [H, W] in steps of 1 / ``LEVELS``; 0 for IGNORE."""
    classes = torch.from_numpy(np.where(label == IGNORE, 0, label).astype(np.int64)).to(scores.device)
    confidence = scores.gather(0, classes[None])[0].clamp(0, 1).cpu().numpy()
    return np.where(label == IGNORE, 0, np.rint(LEVELS * confidence)).astype(np.uint8)


def reliability(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64 [3, BINS]: pixels, right ones, and the sum of their confidence, in bins ((m - 1) / BINS, m / BINS] of a
    confidence in 0..1, 0 in the first (Guo et al., ICML 2017, section 2). Tables of images add up."""
    place = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    return np.stack([np.bincount(place, w, BINS) for w in (np.ones(len(place)), right.astype(float), confidence)])


def expected_calibration_error(table: np.ndarray) -> float:
    """The difference of a bin's accuracy and confidence, averaged over pixels, per cent (equation 3); nan without."""
    pixels, right, confidence = table
    return 100.0 * float(np.abs(right - confidence).sum() / pixels.sum()) if pixels.any() else float("nan")
