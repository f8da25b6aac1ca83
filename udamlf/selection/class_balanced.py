"""CBST (Zou et al., ECCV 2018; cbst.md 4): per class, the most confident portion of the pixels predicted as that class.
A pixel is labelled ``argmax_c score_c / t_c`` where that ratio is at least 1, the threshold t_c being the k-th largest
confidence of the n_c pixels, k = floor(n_c * portion); a class with k = 0 selects nothing."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.common.rounds import per_round
from udamlf.config.budget import OneOrMore, Share
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.config.parts import Strict
from udamlf.data.maps import bands, top1
from udamlf.selection.base import BaseSelector, Publication
from udamlf.selection.histogram import Code, Histogram, Refinement

RELEASED_STEP = 4  # the released code counts every 4th pixel of each (image, class), in raster order,
RELEASED_FALLBACK = 1.0  # and gives a class with k = 0 this threshold


class PortionParams(Strict):
    """Parameters of ``class_balanced``, ``global`` and ``spatial_prior``."""

    portion: Share | Annotated[tuple[Share, ...], OneOrMore]  # of a class's pixels to label; a list has one a round
    # Thresholds are exact float32 order statistics, for one more pass; else edges of bins: never less is selected.
    exact: bool = False
    soft_alpha: Annotated[float, Field(gt=0)] | None = None  # LRENT's (CRST): label the pixels that have a soft label
    # Count as the published code does; CBST's also counts an artificial 0 per class: a portion of 1 selects nothing.
    released: Literal["cbst", "crst"] | None = None


def entropy_regularised(scores: Tensor, thresholds: Tensor, alpha: float = 0.25) -> tuple[Tensor, Tensor]:
    """LRENT's soft labels y_c = w_c / Z, float32 [C, H, W], and where they are selected, bool [H, W]: Z > 1 (cbst.md
    10, rearranged); w_c = (score_c / t_c)**(1/alpha) and Z is their sum. From scores float32 [C, H, W], >= 0, and
    thresholds t float32 [C], > 0; infinity takes a class out; without any class, y is uniform."""
    # The logarithm keeps (score / t)**(1 / alpha) in range; log 0 = -inf is a class without a share. In float32 Z of
    # the pixel that is the threshold may round to 1.
    log_weights = (scores.double() / thresholds[:, None, None]).clamp(min=0).log() / alpha
    log_sum = log_weights.logsumexp(0)
    soft = (log_weights - log_sum).exp().float()
    return torch.where(torch.isneginf(log_sum), 1 / len(scores), soft), log_sum > 0


class Selector(BaseSelector):
    """One threshold per class, or, ``pooled``, one for all classes together."""

    Params = PortionParams
    params: PortionParams
    # 19 classes: 45 MB; a probability is at least 1/C > 2**-8, and bicubic upsampling overshoots 1 a little.
    code = Code(mantissa_bits=15, low_exponent=-8, high_exponent=1)
    pooled = False
    publishes = ("thresholds", "divisors", "class_sizes")

    def __init__(self, params: PortionParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        self.passes = 2 if params.exact else 1
        self.portion: float = per_round(params.portion, round)
        self.histogram = Histogram(1 if self.pooled else space.num_classes, self.code)
        self.refinement: Refinement | None = None
        # Pixels predicted as each class; as CBST released it, only those that thresholds count.
        self.class_sizes = np.zeros(space.num_classes, np.int64)
        self._thresholds = super().thresholds()
        if params.released == "cbst":
            self.histogram.counts[:, 0] = space.num_classes + 1 if self.pooled else 1  # artificial zeros

    def weighted(self, scores: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """What is counted and compared, in bands of rows: here the scores float32 [C, H, W] themselves."""
        return ((rows, scores[:, rows]) for rows in bands(scores.shape[1], scores.shape[2]))

    def observe(self, scores: Tensor, index: int) -> None:
        # Made before the bands: small results between them would keep freed bands from being used again.
        confidence = torch.empty(scores.shape[1:], device=scores.device)
        label = torch.empty(scores.shape[1:], dtype=torch.uint8, device=scores.device)
        for rows, band in self.weighted(scores):
            top1(band, (confidence[rows], label[rows]))
        self.observe_top1(confidence.flatten(), label.flatten())

    def observe_top1(self, confidence: Tensor, label: Tensor) -> None:
        """Take in the confidence float32 [n] and the class uint8 [n] of the pixels of one image, in raster order."""
        predicted = label
        if self.params.released:
            positions = every_nth_of_each_class(label, RELEASED_STEP)
            confidence, label = confidence.index_select(0, positions), label.index_select(0, positions)
        if self.refinement is None:
            counted = label if self.params.released == "cbst" else predicted
            self.class_sizes += torch.bincount(counted, minlength=len(self.class_sizes)).cpu().numpy()
        rows = torch.zeros_like(label) if self.pooled else label
        (self.refinement or self.histogram).add(confidence, rows)

    def finish(self) -> None:
        ranks = np.floor(self.histogram.totals() * self.portion).astype(np.int64)
        if self.params.exact and self.refinement is None:
            self.refinement = Refinement(self.histogram, ranks)
            return
        values = self.refinement.kth_largest() if self.refinement else self.histogram.kth_largest(ranks)
        if self.params.released == "cbst":
            values[values == 0] = np.nan  # an artificial zero was reached
        self._thresholds[:] = np.maximum(values, np.finfo(np.float32).tiny)  # a positive score is never below it

    def thresholds(self) -> np.ndarray:
        return self._thresholds.copy()

    def divisors(self) -> np.ndarray:
        """What scores are divided by, float32 [C]: the threshold; infinity (released: 1) for a class without one."""
        fallback = RELEASED_FALLBACK if self.params.released else np.inf
        return np.where(np.isnan(self._thresholds), fallback, self._thresholds).astype(np.float32)

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        divisors = torch.from_numpy(self.divisors()).to(scores[0].device)
        labels = [np.empty(image.shape[1:], np.uint8) for image in scores]
        for image, label in zip(scores, labels, strict=True):
            for rows, band in self.weighted(image):
                label[rows] = label_by_ratio(band, divisors, self.params.soft_alpha)
        return labels

    def publish(self) -> Publication:
        arrays = {"thresholds": self.thresholds(), "divisors": self.divisors(), "class_sizes": self.class_sizes.copy()}
        return Publication(arrays)


def every_nth_of_each_class(label: Tensor, step: int) -> Tensor:
    """Positions 0, step, 2*step, ... within each class of ``label`` [n], in raster order; int64, grouped by class."""
    if label.is_cuda:
        order = torch.argsort(label, stable=True)
    else:  # NumPy sorts bytes by their value's place, ten times as fast
        order = torch.from_numpy(np.argsort(label.numpy(), kind="stable"))
    return torch.cat([order[:0], *(part[::step] for part in order.split(torch.bincount(label).tolist()))])


def label_by_ratio(scores: Tensor, divisors: Tensor, soft_alpha: float | None = None) -> np.ndarray:
    """``argmax_c scores_c / divisors_c`` where it is at least 1, the lowest on a tie, else IGNORE, uint8 [H, W], from
    float32 [C, H, W] and [C], > 0 (cbst.md, 4.5). With LRENT's ``soft_alpha`` the pixels that it selects."""
    if soft_alpha is None and not scores.is_cuda:
        return _label_by_comparison(scores.numpy(), divisors.numpy())
    ratio, winner = (scores / divisors[:, None, None]).max(0)
    selected = ratio >= 1 if soft_alpha is None else entropy_regularised(scores, divisors, soft_alpha)[1]
    return torch.where(selected, winner, IGNORE).to(torch.uint8).cpu().numpy()


def _label_by_comparison(scores: np.ndarray, divisors: np.ndarray) -> np.ndarray:
    """The same: s / t >= 1 in float32 exactly where s >= t; few pixels have two such classes (3 times as fast)."""
    label, reached = np.zeros((2, *scores.shape[1:]), np.uint8)
    over = np.empty(label.shape, bool)
    won = over.view(np.uint8)
    for c in np.flatnonzero(np.isfinite(divisors)).tolist():
        if np.greater_equal(scores[c], divisors[c], out=over).any():
            reached += won
            np.maximum(label, np.multiply(won, IGNORE - c, out=won), out=label)  # so that the lowest class stays
    label = IGNORE - label
    several = reached > 1
    if several.any():
        label[several] = (scores[:, several] / divisors[:, None]).argmax(0)
    return label
