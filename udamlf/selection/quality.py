"""Quality of pseudo-labels, per class and without any target label: what is kept, how sure it is."""

import numpy as np
import torch
from torch import Tensor, nn

from udamlf.config.labels import IGNORE, LabelSpace


class Quality(nn.Module):
    """Counts of pseudo-labels, image by image or batch by batch, on the device they are made on."""

    _counts: Tensor
    _confidence: Tensor

    def __init__(self, num_classes: int, device: torch.device | None = None) -> None:
        super().__init__()
        # Pixels of each class in the argmax and among the labels; the last entry takes what is ignored.
        self.register_buffer("_counts", torch.zeros(2, num_classes + 1, dtype=torch.int64, device=device))
        self.register_buffer("_confidence", torch.zeros(num_classes + 1, dtype=torch.float64, device=device))  # sums

    @property
    def pixels(self) -> int:
        return int(self._counts[0].sum())

    def clear(self) -> None:
        self._counts.zero_()
        self._confidence.zero_()

    def add(self, scores: Tensor, predicted: Tensor, labels: Tensor) -> None:
        """Count some pixels: top-1 scores float [...], their classes [...], labels [...] with IGNORE."""
        classes = torch.where(labels == IGNORE, len(self._confidence) - 1, labels.long()).flatten()
        ones = torch.ones_like(classes)
        self._counts[0].index_add_(0, predicted.long().flatten(), ones)
        self._counts[1].index_add_(0, classes, ones)
        self._confidence.index_add_(0, classes, scores.flatten().double())

    def metrics(self, space: LabelSpace, thresholds: np.ndarray | None = None) -> dict[str, float]:
        """``pl/coverage`` and ``pl/confidence`` in percent, ``pl/threshold``; of a class that has pixels."""
        predicted, labelled = self._counts[:, :-1].cpu().numpy()
        confidence = self._confidence.cpu().numpy()
        result = {"pl/coverage": 100.0 * float(labelled.sum()) / max(self.pixels, 1)}
        for c, name in enumerate(space.classes):
            if predicted[c]:
                result[f"pl/coverage/{name}"] = 100.0 * float(labelled[c] / predicted[c])
            if labelled[c]:
                result[f"pl/confidence/{name}"] = 100.0 * float(confidence[c] / labelled[c])
            if thresholds is not None and np.isfinite(thresholds[c]):
                result[f"pl/threshold/{name}"] = float(thresholds[c])
        return result
