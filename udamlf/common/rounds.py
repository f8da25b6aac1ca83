"""Hyper-parameters that change from round to round."""

from collections.abc import Sequence

from udamlf.common.ahead import Item


def per_round(value: Item | Sequence[Item], round: int) -> Item:
    """Value of a per-round hyper-parameter in round 1, 2, ...: entry ``round - 1`` of a list, the last one repeats."""
    if isinstance(value, (list, tuple)):
        return value[min(max(round, 1), len(value)) - 1]
    return value  # type: ignore[return-value]
