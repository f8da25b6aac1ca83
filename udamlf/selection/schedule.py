"""What changes from round to round in the CBST family: portions, source picks, learning rate (cbst.md, 4.6 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from udamlf.config import Strict, per_round


class Rising(Strict):
    """A portion that grows after every round while it is below ``max``.

    The published rule checks before it adds, so the last value may overshoot ``max`` by less than a step.
    """

    initial: float = Field(ge=0, le=1)
    step: float = Field(ge=0, le=1)
    max: float = Field(ge=0, le=1)

    def at(self, round: int) -> float:
        """The portion in round 1, 2, ...; at most 1."""
        value = self.initial
        for _ in range(round - 1):
            if value < self.max:
                value += self.step
        return min(value, 1.0)


Portion = float | tuple[float, ...] | Rising
"""One portion for all rounds, a list (entry r-1 for round r, the last repeats), or a rising one."""


def portion_at(portion: float | Sequence[float] | Rising, round: int) -> float:
    """The portion in round 1, 2, ..."""
    return portion.at(round) if isinstance(portion, Rising) else float(per_round(portion, round))


def source_picks(
    count: int, portion: float, seed: int, round: int = 1, policy: Literal["cumulative", "random"] = "cumulative"
) -> np.ndarray:
    """The source images of a round: ``floor(count * portion)`` distinct indices, int64, in drawn order.

    ``cumulative`` draws with the same seed every round: the picks are a prefix of one permutation, so those of a
    later round, with a larger portion, contain those of an earlier one. ``random`` draws with the round's number.
    The legacy generator is part of the published method.
    """
    chosen = seed if policy == "cumulative" else round - 1
    return np.random.RandomState(chosen).choice(count, int(np.floor(count * portion)), replace=False)
