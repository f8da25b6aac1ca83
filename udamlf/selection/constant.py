"""One fixed confidence threshold for all classes: the predicted class where its probability reaches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.selection.base import Selector, keep_above, top1


class ConstantParams(Strict):
    """Parameters of ``constant``.

    Attributes:
        threshold: smallest probability that is kept (HIAST's alternative: 0.9); 0 keeps every pixel.
    """

    threshold: float = Field(0.9, ge=0, le=1)


class Constant(Selector):
    """Labels each image by itself."""

    Params: ClassVar[type[Strict]] = ConstantParams
    params: ConstantParams
    mergeable: ClassVar[bool] = True

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        best = [top1(s) for s in scores]
        return [keep_above(q.cpu().numpy(), y.cpu().numpy(), self.thresholds()) for q, y in best]

    def merge(self, other: Selector) -> None:
        """Nothing is observed."""

    def thresholds(self) -> np.ndarray:
        return np.full(self.space.num_classes, self.params.threshold)
