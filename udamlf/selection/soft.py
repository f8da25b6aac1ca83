"""ProDA's first round: argmax labels, soft labels and the initial prototypes, from one pass (proda.md, 5 and 6).

The network's own output is what counts: its softmax at its stride is the soft label, its features are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.labels import LabelSpace
from udamlf.errors import UserError
from udamlf.models.base import Output
from udamlf.prototypes import (
    COUNT_CAP,
    MIN_PIXELS,
    Prototypes,
    assigned_classes,
    class_means,
    empty_prototypes,
    update_prototypes,
)
from udamlf.selection.base import Selector, State, top1
from udamlf.selection.soft_labels import encode_soft_label


class SoftParams(Strict):
    """Parameters of ``soft``.

    Attributes:
        storage: ``compact`` keeps the ``top`` most probable classes of a pixel (0.4 MB a Cityscapes frame), ``full``
            every probability in float32 (2.5 MB), ``none`` nothing: the training recomputes them in each step.
        top: classes kept by ``compact``.
        min_pixels: a class with fewer pixels in an image gives no vector for it.
        count_cap: beyond this many vectors the mean becomes an exponential average.
        weighting: a prototype is the mean over images of image means (released) or over all ``pixel``s (paper).
    """

    storage: Literal["compact", "full", "none"] = "compact"
    top: int = Field(4, ge=1)
    min_pixels: int = Field(MIN_PIXELS, ge=1)
    count_cap: int = Field(COUNT_CAP, ge=1)
    weighting: Literal["image", "pixel"] = "image"


class Soft(Selector):
    """Labels each image by itself; publishes ``prototypes`` float32 [C, D] and ``prototype_counts`` [C]."""

    Params: ClassVar[type[Strict]] = SoftParams
    params: SoftParams
    observes_network: ClassVar[bool] = True

    def __init__(self, params: Any, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        self.stores_soft = self.params.storage != "none"
        self.prototypes: Prototypes | None = None
        self._soft: dict[int, np.ndarray] = {}

    def observe_network(self, output: Output, index: int) -> None:
        if output.features is None:
            raise UserError("selector soft needs features, and this network returns none", "another backbone")
        p, count = self.params, self.space.num_classes
        logits, features = output.logits.float(), output.features
        if self.prototypes is None:
            # On the CPU, where every device's sums can be added up in float64.
            self.prototypes = empty_prototypes(count, features.shape[1])
        means = class_means(features, assigned_classes(logits), count)
        means = means._replace(means=means.means.cpu(), pixels=means.pixels.cpu())
        self.prototypes = update_prototypes(self.prototypes, means, p.min_pixels, p.count_cap, p.weighting)
        if self.stores_soft:
            top = p.top if p.storage == "compact" else None
            self._soft[index] = encode_soft_label(torch.softmax(logits[0], 0), top)

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        return [top1(s)[1].cpu().numpy() for s in scores]

    def soft_label(self, index: int) -> np.ndarray:
        return self._soft.pop(index)

    def extras(self) -> State:
        found = super().extras()
        if self.prototypes is not None:
            found["prototypes"] = self.prototypes.vectors.float().numpy()
            found["prototype_counts"] = self.prototypes.counts.numpy()
        return found
