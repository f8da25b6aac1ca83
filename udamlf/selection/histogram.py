"""Order statistics of confidences from counts, in memory that does not depend on the number of images.

The bits of a non-negative float, read as an integer, are ordered like the float itself, so an array of counts indexed
by (some of) these bits is a histogram whose bins are finer where floats are finer. Counts of shards add up.

* ``FLOAT16``: all 15,361 half-precision numbers of [0, 1]. Every order statistic of half-precision confidences is
  exact. Everything above 0.999756 is 1.0 in half precision.
* ``float32_code(m, ...)``: sign, exponent and ``m`` of the 23 mantissa bits. With t the exact k-th largest float32
  value, the returned t' is the lower edge of its bin: ``0 <= t - t' < 2**-m * t``; at least k values are >= t'.
* ``Refinement``: a second look at the values in one bin per row makes the k-th largest float32 value exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_MANTISSA_BITS = 23


@dataclass(frozen=True)
class Code:
    """Maps a confidence to a bin.

    Attributes:
        bins: number of bins.
        shift: mantissa bits dropped; None for half precision.
        offset: (bits of the smallest value with a bin of its own) >> shift, less one: bin 0 holds what is smaller.
    """

    bins: int
    shift: int | None = None
    offset: int = 0

    def encode(self, values: Tensor) -> Tensor:
        """Bin int64 of each float32 value; values outside the covered range go to the first or the last bin."""
        if self.shift is None:
            codes = values.half().view(torch.int16).to(torch.int64)
        else:
            codes = (values.float().view(torch.int32) >> self.shift).to(torch.int64).sub_(self.offset)
        return codes.clamp_(0, self.bins - 1)

    def edge(self, codes: np.ndarray) -> np.ndarray:
        """Smallest value of each bin, float64."""
        codes = np.asarray(codes, np.int64)
        if self.shift is None:
            return codes.astype(np.uint16).view(np.float16).astype(np.float64)
        bits = np.where(codes > 0, (codes + self.offset) << self.shift, 0).astype(np.uint32)
        return bits.view(np.float32).astype(np.float64)


FLOAT16 = Code(bins=15361)


def float32_code(mantissa_bits: int, low_exponent: int, high_exponent: int) -> Code:
    """Bins on the bits of float32 values in [2**low_exponent, 2**high_exponent); bin 0 holds everything smaller."""
    shift = _MANTISSA_BITS - mantissa_bits
    bits = int(np.float32(2.0**low_exponent).view(np.uint32))
    return Code(((high_exponent - low_exponent) << mantissa_bits) + 1, shift, (bits >> shift) - 1)


def _descending_rank(counts: np.ndarray, k: int) -> tuple[int, int]:
    """Bin of the k-th largest value (k >= 1) and how many values lie in larger bins."""
    above = np.cumsum(counts[::-1])
    position = int(np.searchsorted(above, k, side="left"))
    return len(counts) - 1 - position, int(above[position] - counts[::-1][position])


def kth_largest(counts: np.ndarray, code: Code, k: np.ndarray) -> np.ndarray:
    """Lower edge of the bin of each row's k-th largest value, float64 [rows]; nan unless 1 <= k <= values.

    Args:
        counts: int64 [rows, bins].
        k: int [rows].
    """
    result = np.full(len(counts), np.nan)
    for row in np.flatnonzero((k >= 1) & (k <= counts.sum(1))):
        result[row] = code.edge(np.array([_descending_rank(counts[row], int(k[row]))[0]]))[0]
    return result


class Histogram:
    """Counts int64 [rows, bins]; one row per class.

    Attributes:
        code: how a value becomes a bin.
        counts: on the device of the values added last.
    """

    def __init__(self, rows: int, code: Code) -> None:
        self.code = code
        self.counts = torch.zeros(rows, code.bins, dtype=torch.int64)

    def add(self, values: Tensor, rows: Tensor) -> None:
        """Count float32 ``values`` [n] in ``rows`` [n] (any integer type)."""
        self.counts = self.counts.to(values.device)
        index = rows.to(torch.int64).mul_(self.code.bins) if rows.dtype != torch.int64 else rows * self.code.bins
        index += self.code.encode(values)
        self.counts.view(-1).scatter_add_(
            0, index, torch.ones((), dtype=torch.int64, device=index.device).expand_as(index)
        )

    def merge(self, other: Histogram) -> None:
        """Add the counts of another shard."""
        self.counts += other.counts.to(self.counts.device)

    def totals(self) -> np.ndarray:
        """Values counted in each row, int64 [rows]."""
        return self.counts.sum(1).cpu().numpy()

    def pooled(self) -> Histogram:
        """One row that holds all values."""
        pooled = Histogram(1, self.code)
        pooled.counts = self.counts.sum(0, keepdim=True)
        return pooled

    def kth_largest(self, k: np.ndarray) -> np.ndarray:
        """Lower edge of the bin of each row's k-th largest value, float64 [rows]; nan unless 1 <= k <= values."""
        return kth_largest(self.counts.cpu().numpy(), self.code, k)


class Refinement:
    """Counts of the values in the bin that holds each row's k-th largest one, at full float32 precision.

    Build it from a finished ``Histogram`` (float32 code), show it the same values again, and ``kth_largest`` is exact
    for values inside the histogram's range; below the range it is 0.
    """

    def __init__(self, code: Code, critical: np.ndarray, rank: np.ndarray) -> None:
        if code.shift is None:
            raise ValueError("half-precision bins are exact already")
        self.code = code
        self.critical = critical  # bin of each row, -1 for none
        self.rank = rank  # k less the values in larger bins
        self.counts = torch.zeros(len(critical), 1 << code.shift, dtype=torch.int64)

    @classmethod
    def of(cls, histogram: Histogram, k: np.ndarray) -> Refinement:
        """For the ``k``-th largest value of each row, int [rows]."""
        counts = histogram.counts.cpu().numpy()
        critical, rank = np.full(len(counts), -1, np.int64), np.zeros(len(counts), np.int64)
        for row in np.flatnonzero((k >= 1) & (k <= counts.sum(1))):
            critical[row], above = _descending_rank(counts[row], int(k[row]))
            rank[row] = int(k[row]) - above
        return cls(histogram.code, critical, rank)

    def add(self, values: Tensor, rows: Tensor) -> None:
        """Count float32 ``values`` [n] in ``rows`` [n]."""
        shift = self.code.shift or 0
        self.counts = self.counts.to(values.device)
        rows = rows.to(torch.int64)
        chosen = self.code.encode(values) == torch.from_numpy(self.critical).to(values.device)[rows]
        fine = values[chosen].float().view(torch.int32) & ((1 << shift) - 1)
        self.counts.view(-1).add_(torch.bincount((rows[chosen] << shift) + fine, minlength=self.counts.numel()))

    def merge(self, other: Refinement) -> None:
        """Add the counts of another shard."""
        self.counts += other.counts.to(self.counts.device)

    def kth_largest(self) -> np.ndarray:
        """Each row's exact k-th largest value, float64 [rows]; nan where there is none."""
        counts = self.counts.cpu().numpy()
        result = np.full(len(counts), np.nan)
        for row in np.flatnonzero(self.critical >= 0):
            if self.critical[row] == 0:
                result[row] = 0.0
                continue
            fine, _ = _descending_rank(counts[row], int(self.rank[row]))
            bits = ((int(self.critical[row]) + self.code.offset) << (self.code.shift or 0)) | fine
            result[row] = float(np.uint32(bits).view(np.float32))
        return result

    def state(self) -> dict[str, np.ndarray]:
        """Arrays from which ``restored`` makes an equal one."""
        return {"critical": self.critical, "rank": self.rank, "refined": self.counts.cpu().numpy()}

    @classmethod
    def restored(cls, code: Code, state: Mapping[str, np.ndarray]) -> Refinement:
        """The refinement whose ``state`` this is."""
        refinement = cls(code, np.asarray(state["critical"]), np.asarray(state["rank"]))
        refinement.counts = torch.from_numpy(np.array(state["refined"]))
        return refinement


def quantiles_with_extra(counts: np.ndarray, code: Code, quantile: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """Quantile of each row's counted values joined by one further value, as ``numpy.quantile`` computes it.

    Args:
        counts: int64 [rows, bins].
        code: its bins; a counted value is taken to be the edge of its bin, which is exact for half precision.
        quantile: float64 [rows], 0-1; linear interpolation at position (n - 1) * quantile, n counting the extra value.
        extra: float64 [rows], >= 0; a row without counts gives it back.

    Returns:
        float64 [rows].
    """
    cumulative = counts.cumsum(1)
    edges = code.edge(np.arange(counts.shape[1]))
    position = cumulative[:, -1] * quantile
    lower = np.floor(position).astype(np.int64)
    first_not_below = np.searchsorted(edges, extra, side="left")

    def member(row: int, rank: int) -> float:
        below = cumulative[row, first_not_below[row] - 1] if first_not_below[row] else 0
        if rank == below:
            return extra[row]
        return edges[np.searchsorted(cumulative[row], rank - (rank > below), side="right")]

    rows = range(len(counts))
    a = np.array([member(row, lower[row]) for row in rows])
    b = np.array([member(row, min(lower[row] + 1, cumulative[row, -1])) for row in rows])
    weight = position - lower
    # Two forms, as NumPy has it: the result then never leaves [a, b], and is the same to the last bit.
    return np.where(weight >= 0.5, b - (b - a) * (1 - weight), a + (b - a) * weight)
