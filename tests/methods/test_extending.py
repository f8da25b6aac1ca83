"""A method on top of another one is a small class: masked consistency (MIC, arXiv 2212.01322) over ``ema_mix``."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from tests import toy
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.mixing import OnlineLabels
from udamlf.data.sample import Sample
from udamlf.methods import ema_mix
from udamlf.training.objective import Batch


class MaskedParams(ema_mix.EmaMixParams):
    """Attributes: block: side of the masked squares, pixels; share: of the squares that are masked."""

    block: int = Field(8, ge=1)
    share: float = Field(0.7, ge=0, le=1)


class Objective(ema_mix.Objective):
    """The student also learns the teacher's labels where it sees only some squares of the target crop."""

    Params: ClassVar[type[Strict]] = MaskedParams

    def prepare(self, draw: Draw) -> Sample:
        crop = super().prepare(draw)
        if draw.domain == "target":
            block = self.params.block
            height, width = (-(-side // block) for side in crop.label.shape)
            hidden = (draw.rng.random((height, width)) < self.params.share).repeat(block, 0).repeat(block, 1)
            visible = ~hidden[: crop.label.shape[0], : crop.label.shape[1], None]
            crop.images["masked"] = crop.images["augmented"] * visible
        return crop

    def terms(self, batch: Batch, online: OnlineLabels) -> dict[str, Tensor]:
        assert batch.target is not None
        output = self.model(batch.target.views["masked"])
        masked = self.weighted_cross_entropy(output, online.labels, online.weights)
        return super().terms(batch, online) | {"masked_ce": masked}


def test_masked_consistency_is_one_class() -> None:
    """Two steps train it: its own loss is there beside those of ``ema_mix``, and the student moves."""
    context = toy.objective("ema_mix", budget=toy.training(steps=2)).context
    objective = Objective(MaskedParams(threshold=0.2), context)
    batch = toy.batch(objective)
    assert batch.target is not None
    hidden = (batch.target.views["masked"] != batch.target.views["augmented"]).any(1).float().mean()
    assert 0.5 < hidden < 0.9
    named = toy.losses(objective, batch)["model"]
    assert set(named) == {"source_ce", "mixed_ce", "masked_ce"} and named["masked_ce"] > 0
    before = [p.detach().clone() for p in objective.model.parameters()]
    metrics: dict[str, float] = {}
    toy.trainer(objective).run(on_metrics=lambda values, step: metrics.update(values))
    assert metrics["train/masked_ce"] > 0
    assert any(not torch.equal(a, b) for a, b in zip(before, objective.model.parameters(), strict=True))
