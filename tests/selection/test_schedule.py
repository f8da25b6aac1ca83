"""What changes from round to round in the CBST family."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from udamlf.selection.schedule import Rising, portion_at, source_picks


def test_a_rising_portion_checks_before_it_adds() -> None:
    """The published rule: it may overshoot its maximum by less than a step, and then stays."""
    rising = Rising(initial=0.1, step=0.2, max=0.4)
    np.testing.assert_allclose([portion_at(rising, r) for r in (1, 2, 3, 4, 5)], [0.1, 0.3, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(portion_at(Rising(initial=0.9, step=0.5, max=1.0), 3), 1.0)


def test_a_portion_is_a_number_or_a_list_whose_last_entry_repeats() -> None:
    assert [portion_at(0.3, r) for r in (1, 4)] == [0.3, 0.3]
    assert [portion_at((0.1, 0.2), r) for r in (1, 2, 3)] == [0.1, 0.2, 0.2]


@given(count=st.integers(1, 500), seed=st.integers(0, 2**32 - 1), small=st.floats(0, 1), large=st.floats(0, 1))
def test_cumulative_picks_are_distinct_and_nested(count: int, seed: int, small: float, large: float) -> None:
    small, large = sorted((small, large))
    few, many = source_picks(count, small, seed, round=1), source_picks(count, large, seed, round=2)
    assert len(set(many.tolist())) == len(many) == int(count * large)
    np.testing.assert_array_equal(many[: len(few)], few)


def test_random_picks_depend_on_the_round_and_not_on_the_seed() -> None:
    draws = [source_picks(500, 0.1, seed, round, "random").tolist() for seed in (0, 1) for round in (1, 2)]
    assert draws[0] == draws[2] and draws[1] == draws[3] and draws[0] != draws[1]
