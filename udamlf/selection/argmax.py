"""The predicted class of every pixel, none ignored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from torch import Tensor

from udamlf.selection.base import Selector, top1


class Argmax(Selector):
    """No parameters."""

    mergeable: ClassVar[bool] = True

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        return [top1(s)[1].cpu().numpy() for s in scores]

    def merge(self, other: Selector) -> None:
        """Nothing is observed."""
