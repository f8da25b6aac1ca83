"""The compact network keeps the contract and stays compact."""

from __future__ import annotations

from tests.models.contract import ModelContract
from udamlf.models.base import build


class TestCompact(ModelContract):
    name = "compact"
    stride = 4


class TestCompactWithAuxiliaryHead(ModelContract):
    name = "compact"
    stride = 4
    options = {"aux": True}  # noqa: RUF012

    def test_there_is_an_auxiliary_output(self) -> None:
        """Multi-level methods find auxiliary logits; without the option there are none."""
        assert build("compact", 5, aux=True)(self.images()).aux is not None
        assert build("compact", 5)(self.images()).aux is None


def test_parameter_count() -> None:
    """About 0.42 M parameters at 19 classes, which is what makes CPU runs feasible."""
    assert 410_000 < sum(p.numel() for p in build("compact", 19).parameters()) < 440_000
