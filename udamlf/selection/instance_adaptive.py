"""IAST's instance-adaptive selector (Mei et al., ECCV 2020), also used by HIAST (iast.md, section 2, steps a-f).

Per class the running threshold theta moves towards psi, the (1 - alpha * theta**gamma) quantile of a step's confidences
joined by theta itself. Half-precision confidences have 15,361 codes: a histogram gives the bits of a sort."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.common.rounds import per_round
from udamlf.common.seeding import rng
from udamlf.config.budget import OneOrMore, Rate, Share
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.config.parts import Strict
from udamlf.data.maps import top1
from udamlf.selection.base import BaseSelector, Publication, keep_above

# The released constants: momentum of theta, its value at the start of a round, and where it is put back from 1 on.
BETA, INITIAL, CAP = 0.9, 0.9, 0.999
# Codes of [0, 2): a power of two makes the index of a (class, code) pair a shift, and 1 + rounding has its own bins.
_CODE_BITS = 14
_VALUES = np.append(np.arange(1 << _CODE_BITS).astype(np.uint16).view(np.float16).astype(np.float64), np.inf)


Top1 = tuple[np.ndarray, np.ndarray]  # of an image: confidences float32 (0 <= q < 2) and classes uint8, [H, W] each


def confidence_counts(images: Sequence[Top1], num_classes: int) -> np.ndarray:
    """Counts int64 [C, 16384] of the half-precision codes of the confidences of each class."""
    counts = torch.zeros(num_classes << _CODE_BITS, dtype=torch.int64)
    for confidence, label in images:
        codes = torch.from_numpy(confidence).half().view(torch.int16).numpy()
        # 32-bit indices halve the traffic; torch's bincount takes them as they are.
        index = np.left_shift(label, _CODE_BITS, dtype=np.int32)
        index += codes
        counts += torch.bincount(torch.from_numpy(index).flatten(), minlength=len(counts))
    return counts.view(num_classes, -1).numpy()


def selection_quantiles(counts: np.ndarray, thresholds: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    """psi float32 [C]: the (1 - alpha * theta**gamma) quantile of each class's confidences and its theta, by linear
    interpolation as in ``numpy.quantile``; from ``confidence_counts`` and theta float64 [C]."""
    cumulative = counts.cumsum(1)
    position = cumulative[:, -1] * (1 - alpha * thresholds**gamma)
    lower = np.floor(position).astype(np.int64)

    def confidences(ranks: np.ndarray) -> np.ndarray:
        """Each class's confidence of that rank, 0 the smallest; 0 before the first one, infinite after the last."""
        return _VALUES[[np.searchsorted(row, rank, "right") for row, rank in zip(cumulative, ranks, strict=True)]]

    def members(ranks: np.ndarray) -> np.ndarray:
        """The same with theta among the confidences."""
        return np.clip(thresholds, confidences(ranks - 1), confidences(ranks))

    a, b = members(lower), members(np.minimum(lower + 1, cumulative[:, -1]))
    weight = position - lower
    # Two forms, as NumPy has it: the result then never leaves [a, b], and is the same to the last bit.
    return np.where(weight >= 0.5, b - (b - a) * (1 - weight), a + (b - a) * weight).astype(np.float32)


def step(
    theta: np.ndarray, images: Sequence[Top1], alpha: float, gamma: float, beta: float = BETA, cap: float = CAP
) -> tuple[np.ndarray, np.ndarray]:
    """theta float64 [C] moved by the images of one step, and the psi float32 [C] it moved towards. The published
    numbers depend on this arithmetic."""
    psi = selection_quantiles(confidence_counts(images, len(theta)), theta, alpha, gamma)
    # The product is float32 on purpose: float32(1 - 0.9) > 0.1 lets a saturated class reach 1 and be reset.
    moved = beta * theta + (np.float32(1 - beta) * psi).astype(np.float64)
    return np.where(moved >= 1, cap, moved), psi


class ClassStatistics:
    """What HIAST gathers while labelling (hiast.md 2): ``mean`` float64 [C], the moving mean confidence of labelled
    pixels (released momentum: 0.99; 0 = never seen), and the labelled pixels of each class in each image."""

    def __init__(self, num_classes: int, momentum: float = 0.99) -> None:
        self.momentum, self.mean = momentum, np.zeros(num_classes)
        self._pixels: dict[int, np.ndarray] = {}  # by image

    def add(self, indices: Sequence[int], confidences: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> None:
        """Take in one step: confidences float32 [H, W] and final labels uint8 [H, W] of the images ``indices``."""
        classes = len(self.mean)
        sums, pixels = np.zeros(classes), np.zeros(classes, np.int64)
        for index, confidence, label in zip(indices, confidences, labels, strict=True):
            labelled = np.flatnonzero(label != IGNORE)  # a fifth of the pixels, more or less
            label, weights = label.ravel()[labelled], confidence.ravel()[labelled]
            self._pixels[index] = np.bincount(label, minlength=classes)
            sums += np.bincount(label, weights, minlength=classes)
            pixels += self._pixels[index]
        present = pixels > 0
        step_mean = sums[present] / pixels[present]
        moved = self.momentum * self.mean[present] + (1 - self.momentum) * step_mean
        self.mean[present] = np.where(self.mean[present] == 0, step_mean, moved)

    def arrays(self) -> dict[str, np.ndarray]:
        """``class_mean_confidence`` [C], ``labelled_images`` int64 [n] and ``class_pixels`` int64 [n, C], published."""
        images = np.array(list(self._pixels), np.int64)
        pixels = np.array(list(self._pixels.values()), np.int64).reshape(-1, len(self.mean))
        return {"class_mean_confidence": self.mean.copy(), "labelled_images": images, "class_pixels": pixels}


class InstanceAdaptiveParams(Strict):
    # Largest share of a class's pixels that a step selects, for all rounds or each; how much less at a low threshold.
    alpha: Share | Annotated[tuple[Share, ...], OneOrMore] = 0.2
    gamma: Rate = 8.0
    pooled_images: int = Field(2, ge=1)  # of a step (paper: 1)
    statistics: bool = False  # publish also the class statistics that HIAST's copy-paste needs


class Selector(BaseSelector):
    """Labels the images of a step with the theta that they have moved. Sequential: the order of the images is part of
    the result, a permutation drawn from the seed."""

    Params = InstanceAdaptiveParams
    params: InstanceAdaptiveParams

    def __init__(self, params: InstanceAdaptiveParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        self.alpha: float = per_round(params.alpha, round)
        self.group, self.theta = params.pooled_images, np.full(space.num_classes, INITIAL)
        self.statistics = ClassStatistics(space.num_classes)
        self.publishes += tuple(self.statistics.arrays()) if params.statistics else ()

    def order(self, count: int, seed: int) -> list[int]:
        return rng(seed, "selection order", self.round).permutation(count).tolist()

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        images = [(confidence.cpu().numpy(), label.cpu().numpy()) for confidence, label in map(top1, scores)]
        self.theta, _ = step(self.theta, images, self.alpha, self.params.gamma)
        labels = [keep_above(confidence, label, self.theta) for confidence, label in images]
        if self.params.statistics:
            self.statistics.add(indices, [confidence for confidence, _ in images], labels)
        return labels

    def thresholds(self) -> np.ndarray:
        return self.theta.copy()

    def publish(self) -> Publication:
        statistics = self.statistics.arrays() if self.params.statistics else {}
        return Publication({"thresholds": self.thresholds(), **statistics})
