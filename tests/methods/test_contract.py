"""Every objective, found by name, keeps the contract; new ones are picked up without a line here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.methods.contract import ObjectiveContract
from udamlf.methods import base

SMALL: dict[str, dict[str, Any]] = {
    "adversarial": {"width": 4, "weight": 0.01, "aux_weight": 0.002, "aux_ce": 0.1, "entropy": 0.01},
    "self_training": {"entropy": 1.0, "kl": 0.1},
    "ema_mix": {"threshold": 0.3, "rare_class_temperature": 0.1, "rare_class_min_pixels": 20, "entropy": 0.1},
}
"""Parameters that switch every term on, at a small size."""


@pytest.mark.parametrize("name", base.names())
class TestObjective(ObjectiveContract):
    """Runs the contract for each name."""

    @pytest.fixture(autouse=True)
    def _choose(self, name: str) -> None:
        self.name, self.params = name, SMALL.get(name, {})  # type: ignore[misc]
