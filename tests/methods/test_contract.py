"""Every objective, found by name, keeps the contract; new ones are picked up without a line here."""

from __future__ import annotations

import pytest

from tests import toy
from tests.methods.contract import ObjectiveContract
from udamlf.training.objective import OBJECTIVES


@pytest.mark.parametrize("name", [*OBJECTIVES.names(), "self_training+mic", "proda+mic"])
class TestObjective(ObjectiveContract):
    """Runs the contract for each name."""

    @pytest.fixture(autouse=True)
    def _choose(self, name: str) -> None:
        self.name, self.params = name, toy.PARAMS.get(name, {})  # type: ignore[misc]
