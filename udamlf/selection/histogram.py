"""Order statistics of confidences from counts, in memory that does not depend on the number of images.

The bits of a non-negative float, read as an integer, are ordered like the float itself, so an array of counts indexed
by the upper bits (exponent and m of the 23 mantissa bits) is a histogram whose bins are finer where floats are finer.
"""

import numpy as np
import torch
from torch import Tensor


class Code:
    """Maps float32 values of [2**low_exponent, 2**high_exponent) to ``bins``; bin 0 holds everything smaller."""

    def __init__(self, mantissa_bits: int, low_exponent: int, high_exponent: int) -> None:
        self.bins = ((high_exponent - low_exponent) << mantissa_bits) + 1
        self.shift = 23 - mantissa_bits  # bits dropped
        self.offset = ((127 + low_exponent) << mantissa_bits) - 1  # the smallest value that is not in bin 0 is in bin 1

    def encode(self, values: Tensor) -> Tensor:
        """Bin int32 of each float32 value; values outside the covered range go to the first or the last bin."""
        return (values.float().view(torch.int32) >> self.shift).sub_(self.offset).clamp_(0, self.bins - 1)

    def decode(self, bins: np.ndarray, lower_bits: np.ndarray | int = 0) -> np.ndarray:
        """Float64 value of int64 bins with those lower bits, by default each bin's smallest; nan for bin -1."""
        bits = ((bins + self.offset) << self.shift) | lower_bits
        values = np.where(bins > 0, bits, 0).astype(np.uint32).view(np.float32).astype(np.float64)
        return np.where(bins < 0, np.nan, values)


def _locate(counts: Tensor, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bin of the ``k``-th largest value of each row of counts, and its rank in that bin, 1 = the largest; int64 [rows].
    Bin -1: k is not in 1..values."""
    rows, bins, ranks = counts.cpu().numpy(), np.full(len(k), -1, np.int64), np.zeros(len(k), np.int64)
    for row in np.flatnonzero((k >= 1) & (k <= rows.sum(1))):
        above = np.cumsum(rows[row, ::-1])
        position = np.searchsorted(above, k[row])
        bins[row] = len(above) - 1 - position
        ranks[row] = k[row] - above[position] + rows[row, bins[row]]
    return bins, ranks


class Histogram:
    """Counts int64 [rows, bins], one row per class, on the device of the values added last."""

    def __init__(self, rows: int, code: Code) -> None:
        self.code = code
        self.counts = torch.zeros(rows, code.bins, dtype=torch.int64)

    def add(self, values: Tensor, rows: Tensor) -> None:
        """Count float32 ``values`` [n] in ``rows`` [n] (any integer type)."""
        self.counts = self.counts.to(values.device)
        index = self.code.encode(values).add_(rows, alpha=self.code.bins)
        if index.is_cuda:
            one = torch.ones((), dtype=torch.int64, device=index.device)
            self.counts.view(-1).scatter_add_(0, index.long(), one.expand_as(index))
        else:  # sorted first: 45 MB of counts are then walked once, not jumped about in
            np.add.at(self.counts.view(-1).numpy(), np.sort(index.numpy()), 1)

    def totals(self) -> np.ndarray:
        """Values counted in each row, int64 [rows]."""
        return self.counts.sum(1).cpu().numpy()

    def kth_largest(self, k: np.ndarray) -> np.ndarray:
        """Lower edge t' of the bin of each row's ``k``-th largest value t, float64 [rows], nan unless 1 <= k <= values:
        0 <= t - t' < 2**-m t, and at least k values are >= t'."""
        return self.code.decode(_locate(self.counts, k)[0])


class Refinement:
    """Counts of the values in the bin that holds each row's ``k``-th largest one, at full float32 precision: show it
    the values again that the histogram has seen, and ``kth_largest`` is exact inside the histogram's range."""

    def __init__(self, histogram: Histogram, k: np.ndarray) -> None:
        self.code = histogram.code
        self.bins, self.ranks = _locate(histogram.counts, k)
        self.counts = torch.zeros(len(k), 1 << self.code.shift, dtype=torch.int64)

    def add(self, values: Tensor, rows: Tensor) -> None:
        """Count float32 ``values`` [n] in ``rows`` [n]."""
        self.counts, bins = self.counts.to(values.device), torch.from_numpy(self.bins).to(values.device, torch.int32)
        inside = (self.code.encode(values) == bins.index_select(0, rows.int())).nonzero()[:, 0]
        lower_bits = values[inside].float().view(torch.int32) & ((1 << self.code.shift) - 1)
        index = (rows[inside].long() << self.code.shift) + lower_bits
        self.counts.view(-1).add_(torch.bincount(index, minlength=self.counts.numel()))

    def kth_largest(self) -> np.ndarray:
        """Each row's exact k-th largest value, float64 [rows]; nan where there is none, 0 below the range."""
        return self.code.decode(self.bins, _locate(self.counts, self.ranks)[0])
