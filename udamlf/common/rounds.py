"""Hyper-parameters that change from round to round."""

from collections.abc import Sequence
from typing import TypeVar

Value = TypeVar("Value")


def per_round(value: Value | Sequence[Value], round: int) -> Value:
    """Value of a per-round hyper-parameter in round 1, 2, ...: entry ``round - 1`` of a list, the last one repeats."""
    if isinstance(value, (list, tuple)):
        return value[min(max(round, 1), len(value)) - 1]
    return value  # type: ignore[return-value]
