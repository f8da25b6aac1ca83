"""Order statistics from counts equal those of a sort, exactly or within the stated accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from udamlf.common.seeding import rng
from udamlf.selection.histogram import Code, Histogram, Refinement

ROWS = 3


def sample(seed: int, size: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Confidences float32 that crowd near 1 (the more, the larger ``spread``) and their rows; row 2 stays empty."""
    generator = rng(seed, "histogram")
    values = 1 / (1 + np.exp(-generator.normal(2, spread, size)))
    return values.astype(np.float32), generator.integers(0, 2, size)


def counted(code: Code, values: np.ndarray, rows: np.ndarray) -> Histogram:
    histogram = Histogram(ROWS, code)
    histogram.add(torch.from_numpy(values), torch.from_numpy(rows))
    return histogram


def kth(values: np.ndarray, rows: np.ndarray, k: np.ndarray) -> np.ndarray:
    """The definition: sort, and take the k-th largest value of each row."""
    result = np.full(ROWS, np.nan)
    for row in range(ROWS):
        descending = np.sort(values[rows == row])[::-1]
        if 1 <= k[row] <= len(descending):
            result[row] = descending[k[row] - 1]
    return result


draws = {
    "seed": st.integers(0, 10**6),
    "size": st.integers(0, 300),
    "share": st.floats(0, 1),
    "spread": st.floats(0, 8),
}


def ranks(rows: np.ndarray, share: float) -> np.ndarray:
    return np.floor(np.bincount(rows, minlength=ROWS) * share).astype(np.int64)


@pytest.mark.parametrize("mantissa_bits", [8, 13, 15])
@settings(max_examples=40)
@given(**draws)
def test_float32_order_statistics_are_as_accurate_as_stated(
    mantissa_bits: int, seed: int, size: int, share: float, spread: float
) -> None:
    """0 <= t - t' < 2**-m t, and at least k values reach t'."""
    values, rows = sample(seed, size, spread)
    values = np.maximum(values, np.float32(2.0**-30))  # where the code's range begins
    k = ranks(rows, share)
    histogram = counted(Code(mantissa_bits, -30, 1), values, rows)
    edges, exact = histogram.kth_largest(k), kth(values, rows, k)
    np.testing.assert_array_equal(np.isnan(edges), np.isnan(exact))
    some = ~np.isnan(exact)
    assert (edges[some] <= exact[some]).all()
    assert (exact[some] - edges[some] < 2.0**-mantissa_bits * exact[some]).all()
    for row in np.flatnonzero(some):
        assert (values[rows == row] >= edges[row]).sum() >= k[row]


@given(**draws)
def test_refined_order_statistics_are_exact(seed: int, size: int, share: float, spread: float) -> None:
    """However the values are parted: a histogram and its refinement may see them in any portions."""
    values, rows = sample(seed, size, spread)
    k = ranks(rows, share)
    histogram = counted(Code(9, -40, 2), values, rows)
    refinement = Refinement(histogram, k)
    for part in np.array_split(np.arange(size), 3):
        refinement.add(torch.from_numpy(values[part]), torch.from_numpy(rows[part]))
    np.testing.assert_array_equal(refinement.kth_largest(), kth(values, rows, k))


def test_values_out_of_range_go_to_the_outer_bins() -> None:
    """Bicubic overshoot above the range and negative or tiny scores are counted, never lost."""
    code = Code(15, -8, 1)
    values = np.array([-0.05, 0.0, 1e-9, 1.07, 1.9999999, 5.0], np.float32)
    codes = code.encode(torch.from_numpy(values)).numpy()
    np.testing.assert_array_equal(codes[[0, 1, 2]], 0)
    assert codes[5] == code.bins - 1 and codes[3] < codes[4] == code.bins - 1
    edges = code.decode(np.arange(code.bins))
    assert (np.diff(edges) > 0).all() and edges[0] == 0 and edges[1] == 2.0**-8 and edges[-1] < 2
