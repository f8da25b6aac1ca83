"""ProDA's hard labels for stages 2 and 3: the predicted class where its probability exceeds 0.95 (proda.md, 8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.selection.base import Selector
from udamlf.selection.soft_labels import confident_labels


class HardAboveParams(Strict):
    """Parameters of ``hard_above``.

    Attributes:
        threshold: probability that must be exceeded.
        half_precision: compare in float16, as the released code does (0.95 then means 0.9502).
    """

    threshold: float = Field(0.95, ge=0, le=1)
    half_precision: bool = False


class HardAbove(Selector):
    """Labels each image by itself."""

    Params: ClassVar[type[Strict]] = HardAboveParams
    params: HardAboveParams
    mergeable: ClassVar[bool] = True

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        p = self.params
        found = (confident_labels(s[None], p.threshold, p.half_precision).labels[0] for s in scores)
        return [labels.to("cpu").numpy().astype(np.uint8) for labels in found]

    def merge(self, other: Selector) -> None:
        """Nothing is observed."""

    def thresholds(self) -> np.ndarray:
        return np.full(self.space.num_classes, self.params.threshold)
