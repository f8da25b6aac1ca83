"""The schedule is a pure function of the step with the promised ends, floors and restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from udamlf.config.budget import Schedule
from udamlf.training.optimisers import WARMUP_FROM, lr_factor

KINDS = st.sampled_from(["constant", "poly", "cosine"])


def test_constant_is_one() -> None:
    assert [lr_factor(Schedule(), step, 10) for step in (0, 5, 9, 100)] == [1, 1, 1, 1]


@given(KINDS, st.integers(1, 500), st.floats(0, 0.5), st.floats(0.1, 10))
def test_it_starts_at_the_group_s_rate_and_stays_between_floor_and_rate(
    kind: str, total: int, floor: float, scale: float
) -> None:
    schedule = Schedule(kind=kind, floor=floor)
    assert lr_factor(schedule, 0, total, scale) == pytest.approx(scale)
    low, high = sorted((floor if kind == "cosine" else 0.0, scale))
    for step in range(total):
        assert low - 1e-12 <= lr_factor(schedule, step, total, scale) <= high + 1e-12


@given(st.integers(2, 300), st.floats(0.2, 3))
def test_cosine_and_poly_fall_until_their_period_ends(total: int, period: float) -> None:
    for kind in ("cosine", "poly"):
        schedule = Schedule(kind=kind, period=period)
        last = min(total, max(1, round(period * total)))
        values = [lr_factor(schedule, step, total) for step in range(last)]
        assert values == sorted(values, reverse=True)


def test_the_floor_is_one_rate_for_all_groups() -> None:
    schedule = Schedule(kind="cosine", floor=0.01)
    assert {round(lr_factor(schedule, 100, 100, scale), 12) for scale in (0.1, 1.0, 10.0)} == {0.01}


def test_a_cosine_restarts_and_a_poly_does_not() -> None:
    total = 20
    cosine = [lr_factor(Schedule(kind="cosine", period=0.5), step, total) for step in range(total)]
    assert cosine[10] == pytest.approx(0)
    # The step after the floor continues at 1, not at 0: the released scheduler's rule.
    assert cosine[11:] == pytest.approx(cosine[1:10])
    poly = [lr_factor(Schedule(kind="poly", period=0.5), step, total) for step in range(total)]
    assert set(poly[10:]) == {0.0}


def test_warm_up_multiplies_the_curve_and_ends() -> None:
    plain = Schedule(kind="poly")
    warm = plain.model_copy(update={"warmup_steps": 4})
    shares = [lr_factor(warm, step, 50) / lr_factor(plain, step, 50) for step in range(8)]
    assert shares == pytest.approx([WARMUP_FROM, 0.25, 0.5, 0.75, 1, 1, 1, 1], rel=1e-5)


def test_unknown_keys_and_bad_values_are_refused() -> None:
    for wrong in ({"kind": "cosin"}, {"powr": 1}, {"period": 0}, {"floor": -0.1}):
        with pytest.raises(ValidationError):
            Schedule(**wrong)
