"""CBST (Zou et al., ECCV 2018): per class, the most confident portion of the pixels predicted as that class.

cbst.md, section 4. Pass 1 counts the top-1 confidences per class; the k-th largest, k = floor(n_c * portion), is the
class's threshold t_c. A pixel gets ``argmax_c score_c / t_c`` and is kept when that ratio is at least 1. With a spatial
prior (CBST-SP) the score is prior * probability throughout. A class with k = 0 selects nothing.

The default thresholds are bin edges: at most 2**-15 (with a prior 2**-13) below the exact value, relatively, so the
kept portion is never smaller than asked for. ``exact`` spends another pass on the exact float32 value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.labels import IGNORE, LabelSpace
from udamlf.errors import UserError
from udamlf.selection.base import BAND_PIXELS, Selector, State, slices, top1
from udamlf.selection.crst import entropy_regularised
from udamlf.selection.histogram import Histogram, Refinement, float32_code
from udamlf.selection.schedule import Portion, portion_at
from udamlf.selection.spatial_prior import FittedPrior, check_prior_file, load_prior

# 19 classes: 45 MB; a probability is at least 1/C > 2**-8, and bicubic upsampling overshoots 1 a little.
PROBABILITY = float32_code(mantissa_bits=15, low_exponent=-8, high_exponent=1)
# 19 classes: 60 MB; a prior that sums to 1 over a frame makes scores of 1e-6 and below.
WEIGHTED = float32_code(mantissa_bits=13, low_exponent=-40, high_exponent=8)
FROM_SOURCE = "source"


class PortionParams(Strict):
    """Parameters of ``class_balanced`` and ``global``.

    Attributes:
        portion: of a class's pixels to keep, 0-1; a number, a list per round, or {initial, step, max}.
        exact: thresholds equal to the exact float32 order statistic, for one more pass over the images.
        min_count: classes with fewer predicted pixels select nothing.
        prior: spatial prior; ``source`` = computed from the source labels and given by ``set_prior``, else a .npy or
            .mat file.
        subsample: count every n-th pixel of each (image, class) in raster order; the published code takes 4.
        sentinel: count an artificial 0 per class, as the published code does (a portion of 1 then selects nothing).
        fallback_threshold: threshold of a class with k = 0; the published code takes 1.0, by default it has none.
        soft_alpha: LRENT's alpha (CRST): keep the pixels that have a soft label, see ``crst``; the label is its argmax.
    """

    portion: Portion
    exact: bool = False
    min_count: int = Field(0, ge=0)
    prior: str | None = None
    subsample: Annotated[int, Field(ge=1)] = 1
    sentinel: bool = False
    fallback_threshold: Annotated[float, Field(gt=0)] | None = None

    soft_alpha: Annotated[float, Field(gt=0)] | None = None

    @field_validator("portion")
    @classmethod
    def _in_range(cls, value: Portion) -> Portion:
        values = (value,) if isinstance(value, float) else value if isinstance(value, tuple) else ()
        if isinstance(value, tuple) and not value:
            raise ValueError("an empty list of portions")
        if any(not 0 <= v <= 1 for v in values):
            raise ValueError(f"a portion lies in 0..1, found {value}")
        return value


class ClassBalanced(Selector):
    """One threshold per class."""

    Params: ClassVar[type[Strict]] = PortionParams
    params: PortionParams
    mergeable: ClassVar[bool] = True
    pooled: ClassVar[bool] = False

    def __init__(self, params: PortionParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        self.passes = 2 if params.exact else 1
        self.portion = portion_at(params.portion, round)
        if params.prior is not None and params.prior != FROM_SOURCE:
            _absolute(Path(params.prior))
        self._given_prior: np.ndarray | None = None
        self._prior: FittedPrior | None = None  # at the size of the latest score maps
        self.histogram = Histogram(space.num_classes, WEIGHTED if params.prior else PROBABILITY)
        self.refinement: Refinement | None = None
        self._divisors: Tensor | None = None  # of the counts as they are; None when these have changed
        if params.sentinel:
            self._add_sentinels()

    def _add_sentinels(self) -> None:
        # One 0 per class; the pooled list gets one more.
        self.histogram.counts[:, 0] += 1
        if self.pooled:
            self.histogram.counts[0, 0] += 1

    # --- observing ------------------------------------------------------------------------------------------------

    @property
    def needs_source_prior(self) -> bool:
        return self.params.prior == FROM_SOURCE and self._given_prior is None

    def set_prior(self, prior: np.ndarray) -> None:
        """The spatial prior float32 [C, h, w], of any size; it is brought to the size of the score maps."""
        if prior.ndim != 3 or len(prior) != self.space.num_classes:
            raise UserError(f"a spatial prior of shape {prior.shape}", f"[{self.space.num_classes}, height, width]")
        self._given_prior, self._prior = prior, None

    def _prior_for(self, scores: Tensor) -> FittedPrior:
        if self._given_prior is None:
            if self.needs_source_prior:
                raise UserError("the spatial prior was not set", "set_prior before the first image")
            self.set_prior(load_prior(Path(str(self.params.prior)), self.space.num_classes))
        assert self._given_prior is not None
        size = (scores.shape[1], scores.shape[2])
        if self._prior is None or self._prior.size_hw != size:
            self._prior = FittedPrior(self._given_prior, size, scores.device)
        return self._prior

    def weighted(self, scores: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Scores float32 [C, H, W] times the spatial prior, in bands: rows, and the band; without a prior all rows and
        the scores themselves."""
        if self.params.prior is None:
            yield slice(None), scores
            return
        prior, (_, height, width) = self._prior_for(scores), scores.shape
        rows = max(BAND_PIXELS // width, 1)
        for start in range(0, height, rows):
            stop = min(start + rows, height)
            yield slice(start, stop), scores[:, start:stop] * prior.rows(start, stop)

    def observe(self, scores: Tensor, index: int) -> None:
        # Made before the bands: small results between them would keep freed bands from being used again.
        confidence = torch.empty(scores.shape[1:], device=scores.device)
        label = torch.empty(scores.shape[1:], dtype=torch.uint8, device=scores.device)
        for rows, band in self.weighted(scores):
            confidence[rows], label[rows] = top1(band)
        self.observe_top1(confidence, label)

    def observe_top1(self, confidence: Tensor, label: Tensor) -> None:
        """Take in the confidence float32 and the class uint8 of every pixel of one image, [H, W] each."""
        self._divisors = None
        counts: Histogram | Refinement = self.refinement or self.histogram
        confidence, label = confidence.flatten(), label.flatten()
        if self.params.prior is not None:  # where the source shows no class at all, no class is predicted
            predicted = confidence > 0
            confidence, label = confidence[predicted], label[predicted]
        if self.params.subsample > 1:
            chosen = every_nth_of_each_class(label, self.params.subsample)
            confidence, label = confidence[chosen], label[chosen]
        for part in slices(len(label)):
            rows = torch.zeros_like(label[part]) if self.pooled and self.refinement else label[part]
            counts.add(confidence[part], rows)

    def end_pass(self) -> None:
        self._divisors = None
        if self.params.exact and self.refinement is None:
            histogram = self.histogram.pooled() if self.pooled else self.histogram
            self.refinement = Refinement.of(histogram, self._ranks())

    def merge(self, other: Selector) -> None:
        assert isinstance(other, ClassBalanced)
        self._divisors = None
        if (self.refinement is None) != (other.refinement is None):
            raise UserError("shards of different passes cannot be merged", "merge, end the pass, then share the state")
        if self.refinement is not None and other.refinement is not None:
            self.refinement.merge(other.refinement)
            return
        self.histogram.merge(other.histogram)
        if self.params.sentinel:
            self.histogram.counts[:, 0] -= 1
            if self.pooled:
                self.histogram.counts[0, 0] -= 1

    def state(self) -> State:
        refined = self.refinement.state() if self.refinement else {}
        return {"counts": self.histogram.counts.cpu().numpy(), **refined}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._divisors = None
        self.histogram.counts = torch.from_numpy(np.array(state["counts"]))
        self.refinement = Refinement.restored(self.histogram.code, state) if "critical" in state else None

    # --- thresholds and labels ------------------------------------------------------------------------------------

    def class_sizes(self) -> np.ndarray:
        """Counted pixels predicted as each class, int64 [C] (without sentinels)."""
        totals = self.histogram.totals()
        if self.params.sentinel:
            totals = totals - 1
            totals[0] -= self.pooled
        return totals

    def _ranks(self) -> np.ndarray:
        totals = self.histogram.totals()
        if self.pooled:
            totals = totals.sum(keepdims=True)
        return np.floor(totals * self.portion).astype(np.int64)

    def thresholds(self) -> np.ndarray:
        if self.refinement is not None:
            found = self.refinement.kth_largest()
        else:
            found = (self.histogram.pooled() if self.pooled else self.histogram).kth_largest(self._ranks())
        found = np.broadcast_to(found, self.space.num_classes).copy()
        if self.params.sentinel:
            found[found == 0] = np.nan  # the artificial 0 was reached
        else:
            found = np.maximum(found, np.finfo(np.float32).tiny)  # every positive score is kept
        found[self.class_sizes() < self.params.min_count] = np.nan
        return found

    def divisors(self) -> np.ndarray:
        """What scores are divided by, float32 [C]: the threshold, its fall-back, or infinity for none."""
        fallback = np.inf if self.params.fallback_threshold is None else self.params.fallback_threshold
        thresholds = self.thresholds()
        return np.where(np.isnan(thresholds), fallback, thresholds).astype(np.float32)

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        if self._divisors is None:
            self._divisors = torch.from_numpy(self.divisors())
        t = self._divisors

        def label(given: Tensor) -> np.ndarray:
            result = np.empty(given.shape[1:], np.uint8)
            for rows, band in self.weighted(given):
                result[rows] = label_by_ratio(band, t.to(band.device), self.params.soft_alpha)
            return result

        return [label(given) for given in scores]

    def extras(self) -> State:
        return {**super().extras(), "class_sizes": self.class_sizes()}


def _absolute(path: Path) -> None:
    """UserError for a prior that a stage, whose current folder is another one, would not find."""
    if not path.is_absolute():
        raise UserError(f"spatial prior {path}", "an absolute path", f"prior: {path.absolute()}")
    check_prior_file(path)


def every_nth_of_each_class(label: Tensor, step: int) -> Tensor:
    """Positions 0, step, 2*step, ... within each class of ``label`` [n], in raster order; int64, grouped by class."""
    order = torch.argsort(label, stable=True)
    sizes = torch.bincount(label.to(torch.int64))
    starts = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    rank = torch.arange(len(label), device=label.device) - starts
    return order[rank % step == 0]


def label_by_ratio(scores: Tensor, divisors: Tensor, soft_alpha: float | None = None) -> np.ndarray:
    """``argmax_c scores_c / divisors_c`` where that ratio is at least 1, IGNORE elsewhere (cbst.md, 4.5).

    Args:
        scores: float32 [C, H, W].
        divisors: float32 [C], > 0; infinity takes a class out.
        soft_alpha: keep the pixels that LRENT keeps instead: with this alpha, the soft label's weight exceeds 1.

    Returns:
        uint8 [H, W]; the lowest class on a tie, and the boundary pixel itself is kept.
    """
    flat = scores.flatten(1)
    label = torch.empty(flat.shape[1], dtype=torch.uint8, device=scores.device)
    for part in slices(flat.shape[1]):
        ratio, winner = (flat[:, part] / divisors[:, None]).max(0)
        kept = ratio >= 1
        if soft_alpha is not None:
            kept = entropy_regularised(flat[:, part, None], divisors, soft_alpha).kept[:, 0]
        label[part] = torch.where(kept, winner, IGNORE).to(torch.uint8)
    return label.view(scores.shape[1:]).cpu().numpy()
