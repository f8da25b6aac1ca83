"""Quality of pseudo-labels, per class and without any target label: what is kept, how sure it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from udamlf.data.labels import IGNORE, LabelSpace


class Quality:
    """Counts of pseudo-labels, image by image or batch by batch, on the device they are made on.

    Attributes:
        predicted, kept: int64 [C], pixels of each class in the argmax and among the labels.
        confidence: float64 [C], summed score of the kept pixels.
    """

    def __init__(self, num_classes: int, device: torch.device | None = None) -> None:
        # The last entry takes what is ignored.
        self._counts = torch.zeros(2, num_classes + 1, dtype=torch.int64, device=device)
        self._confidence = torch.zeros(num_classes + 1, dtype=torch.float64, device=device)
        self.pixels = 0

    @property
    def predicted(self) -> np.ndarray:
        return self._counts[0, :-1].cpu().numpy()

    @property
    def kept(self) -> np.ndarray:
        return self._counts[1, :-1].cpu().numpy()

    @property
    def confidence(self) -> np.ndarray:
        return self._confidence[:-1].cpu().numpy()

    def add(self, scores: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """Count some pixels: top-1 scores float [...], their classes [...], labels [...] with IGNORE."""
        ignored = len(self._confidence) - 1
        kept = torch.where(labels == IGNORE, ignored, labels.long()).flatten()
        ones = torch.ones_like(kept)
        self._counts[0].index_add_(0, predicted.long().flatten(), ones)
        self._counts[1].index_add_(0, kept, ones)
        self._confidence.index_add_(0, kept, scores.flatten().double())
        self.pixels += labels.numel()

    def metrics(self, space: LabelSpace, thresholds: np.ndarray | None = None) -> dict[str, float]:
        """``pl/...`` metrics: coverage (share of a class's predicted pixels that are kept) and mean confidence in
        percent, finite thresholds as they are; a class without pixels has none."""
        predicted, kept, confidence = self.predicted, self.kept, self.confidence
        result = {"pl/coverage": 100.0 * float(kept.sum()) / max(self.pixels, 1)}
        for c, name in enumerate(space.classes):
            if predicted[c]:
                result[f"pl/coverage/{name}"] = 100.0 * float(kept[c] / predicted[c])
            if kept[c]:
                result[f"pl/confidence/{name}"] = 100.0 * float(confidence[c] / kept[c])
            if thresholds is not None and np.isfinite(thresholds[c]):
                result[f"pl/threshold/{name}"] = float(thresholds[c])
        return result
