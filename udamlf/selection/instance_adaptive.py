"""IAST's instance-adaptive selector (Mei et al., ECCV 2020), also used by HIAST (iast.md, section 2, steps a-f).

Two images are pooled per step. Per class the running threshold theta moves towards psi, the (1 - alpha * theta**gamma)
quantile of the step's confidences joined by theta itself; these images are then labelled with the new theta. The
published numbers depend on its arithmetic, which is kept: half-precision confidences, psi and its product with
1 - beta in float32, everything else in float64, theta >= 1 put back to 0.999.

Half-precision confidences have 15,361 codes, so a histogram replaces the sort and gives the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict, per_round
from udamlf.data.labels import LabelSpace
from udamlf.errors import UserError
from udamlf.seeding import rng
from udamlf.selection.base import Selector, State, keep_above, top1
from udamlf.selection.class_statistics import ClassStatistics
from udamlf.selection.histogram import FLOAT16, Code, kth_largest, quantiles_with_extra

# Codes of [0, 2): a power of two makes the index of a (class, code) pair a shift, and 1 + rounding has its own bins.
_CODE_BITS = 14
_CODE = Code(bins=1 << _CODE_BITS)


OrderStatistic = Literal["quantile", "top_k"]


class InstanceAdaptiveParams(Strict):
    """Parameters of ``instance_adaptive``.

    Attributes:
        alpha: largest share of a class's pixels selected in a step; a number, or a list per round.
        beta: momentum of the threshold.
        gamma: how much less is selected of a class with a low threshold.
        initial: threshold of every class at the start of a round.
        cap: what a threshold that reached 1 is set to.
        order_statistic: what theta moves towards: ``quantile`` interpolates and counts the old theta among the
            confidences (released), ``top_k`` is the element at alpha * theta**gamma of the sorted confidences (paper).
        strict: keep confidences above the threshold only (paper), instead of at or above it (released).
        batch: images pooled per step.
        statistics: also gather the class statistics HIAST's copy-paste needs (published as extras).
        mean_momentum: momentum of HIAST's class mean confidence.
    """

    alpha: float | tuple[float, ...] = 0.2
    beta: float = Field(0.9, ge=0, le=1)
    gamma: float = Field(8.0, ge=0)
    initial: float = Field(0.9, gt=0, lt=1)
    cap: float = Field(0.999, gt=0, lt=1)
    order_statistic: OrderStatistic = "quantile"
    strict: bool = False
    batch: int = Field(2, ge=1)
    statistics: bool = False
    mean_momentum: float = Field(0.99, ge=0, le=1)


class Step(NamedTuple):
    """Result of one step: thresholds float64 [C] after it, and the quantiles psi float32 [C] they moved towards."""

    thresholds: np.ndarray
    quantiles: np.ndarray


def confidence_counts(confidences: Sequence[np.ndarray], labels: Sequence[np.ndarray], num_classes: int) -> np.ndarray:
    """Counts int64 [C, 16384] of the half-precision codes of the confidences (float32, 0 <= q < 2) of each class."""
    counted = []
    for confidence, label in zip(confidences, labels, strict=True):
        codes = torch.from_numpy(confidence).reshape(-1).half().view(torch.int16)
        # 32-bit indices halve the traffic; bincount takes them as they are.
        index = torch.from_numpy(label).reshape(-1).to(torch.int32).bitwise_left_shift_(_CODE_BITS).add_(codes)
        counted.append(torch.bincount(index, minlength=num_classes << _CODE_BITS))
    return reduce(torch.Tensor.add_, counted).view(num_classes, -1).numpy()


def selection_quantiles(
    counts: np.ndarray, thresholds: np.ndarray, alpha: float, gamma: float, rule: OrderStatistic = "quantile"
) -> np.ndarray:
    """psi float32 [C]: the (1 - alpha * theta**gamma) quantile of each class's confidences and its theta.

    Args:
        counts: int64 [C, bins] of half-precision codes.
        thresholds: theta, float64 [C].
        rule: "top_k" takes the confidence at that share of the descending list; a class without any keeps its theta.
    """
    if rule == "top_k":
        totals = counts.sum(1)
        ranks = np.minimum(np.floor(totals * alpha * thresholds**gamma).astype(np.int64) + 1, totals)
        found = kth_largest(counts, FLOAT16, ranks)
        return np.where(totals > 0, found, thresholds).astype(np.float32)
    return quantiles_with_extra(counts, FLOAT16, 1 - alpha * thresholds**gamma, thresholds).astype(np.float32)


def step(
    thresholds: np.ndarray,
    confidences: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    alpha: float = 0.2,
    beta: float = 0.9,
    gamma: float = 8.0,
    cap: float = 0.999,
    rule: OrderStatistic = "quantile",
) -> Step:
    """Move the thresholds by the images of one step.

    Args:
        thresholds: theta float64 [C] before the step.
        confidences: float32 [H, W] of each image.
        labels: uint8 [H, W] predicted classes of each image.
    """
    counts = confidence_counts(confidences, labels, len(thresholds))
    quantiles = selection_quantiles(counts, thresholds, alpha, gamma, rule)
    # The product is float32 on purpose: float32(1 - 0.9) > 0.1 lets a saturated class reach 1 and be reset.
    moved = beta * thresholds + (np.float32(1 - beta) * quantiles).astype(np.float64)
    return Step(np.where(moved >= 1, cap, moved), quantiles)


class InstanceAdaptive(Selector):
    """Sequential: the order of the images is part of the result, a permutation drawn from the seed."""

    Params: ClassVar[type[Strict]] = InstanceAdaptiveParams
    params: InstanceAdaptiveParams

    def __init__(self, params: InstanceAdaptiveParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        self.group = params.batch
        self.alpha = float(per_round(params.alpha, round))
        if not 0 <= self.alpha <= 1:
            raise UserError(f"instance_adaptive: alpha {self.alpha}", "a share in 0..1")
        self.theta = np.full(space.num_classes, params.initial)
        self.statistics = ClassStatistics(space.num_classes, params.mean_momentum) if params.statistics else None

    def order(self, count: int, seed: int) -> list[int]:
        return rng(seed, "selection order", self.round).permutation(count).tolist()

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        best = [top1(s) for s in scores]
        return self.assign_top1([q.cpu().numpy() for q, _ in best], [y.cpu().numpy() for _, y in best], indices)

    def assign_top1(
        self, confidences: Sequence[np.ndarray], labels: Sequence[np.ndarray], indices: Sequence[int]
    ) -> list[np.ndarray]:
        """``assign`` from the confidence float32 [H, W] and the class uint8 [H, W] of each image of a step."""
        p = self.params
        moved = step(self.theta, confidences, labels, self.alpha, p.beta, p.gamma, p.cap, p.order_statistic)
        self.theta = moved.thresholds
        # A float32 confidence is above theta where it is at least the next float64.
        required = np.nextafter(self.theta, np.inf) if p.strict else self.theta
        kept = [keep_above(q, y, required) for q, y in zip(confidences, labels, strict=True)]
        if self.statistics is not None:
            self.statistics.add(indices, confidences, kept)
        return kept

    def thresholds(self) -> np.ndarray:
        return self.theta.copy()

    def state(self) -> State:
        return {"theta": self.theta, **(self.statistics.state() if self.statistics else {})}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self.theta = np.array(state["theta"])
        if self.statistics is not None:
            self.statistics.restore(state)

    def extras(self) -> State:
        return {**super().extras(), **(self.statistics.state() if self.statistics else {})}
