"""One threshold for all classes: the predicted class where its probability exceeds it (ProDA, proda.md 8)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from udamlf.config.budget import Share
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.selection.base import BaseSelector


def confident_labels(probabilities: Tensor, threshold: float, half_precision: bool = False) -> tuple[Tensor, Tensor]:
    """Argmax of probabilities float [N,C,H,W] where its own exceeds ``threshold``, else IGNORE, int64 [N,H,W]; and that
    one [N,H,W]. With ``half_precision`` compared in float16 as in the released code: 0.95 then means 0.9502."""
    confidence, labels = probabilities.max(1)
    confidence = confidence.half() if half_precision else confidence
    return labels.masked_fill(confidence <= torch.full_like(confidence, threshold), IGNORE), confidence


class ThresholdParams(Strict):
    threshold: Share = 0.95  # probability that must be exceeded; 0 keeps every pixel


class Selector(BaseSelector):
    Params = ThresholdParams

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        labels = (confident_labels(image[None], self.params.threshold)[0] for image in scores)
        return [label[0].cpu().numpy().astype(np.uint8) for label in labels]

    def thresholds(self) -> np.ndarray:
        return np.full(self.space.num_classes, self.params.threshold)
