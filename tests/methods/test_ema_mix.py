"""What is the online recipe's own: DAFormer's feature distance. The rest of it: the contract, the golden vectors."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests import toy
from tests.methods.contract import all_losses, batch_of
from udamlf.errors import UserError
from udamlf.methods.base import BaseObjective
from udamlf.methods.ema_mix import EmaMixParams, Objective

STREETS = dataclasses.replace(toy.SPACE, name="streets", classes=("road", "car", "sky", "person", "pole"),
                              subsets={"5": ("road", "car", "sky", "person", "pole")}, rare=())  # fmt: skip


def with_distance(space: object = STREETS, pretrained: bool = True) -> BaseObjective:
    context = toy.objective("ema_mix", {}).context
    model = context.model.eval()
    initial = (lambda: toy.network(seed=5, aux=True)) if pretrained else None
    changed = dataclasses.replace(context, space=space, model=model, initial=initial)
    return Objective(EmaMixParams(feature_distance=0.005, feature_share=0.5), changed)


def distance(chosen: BaseObjective) -> torch.Tensor:
    chosen.model.eval()
    return all_losses(chosen, batch_of(chosen))["model"]["source_feature_distance"]


def test_the_distance_is_of_thing_classes_to_the_pretrained_features() -> None:
    """Positive with a gradient for other weights than the pretrained ones, 0 for these, 0 where no thing class exists;
    the reference is neither trained nor saved."""
    chosen = with_distance()
    value = distance(chosen)
    assert value > 0 and value.requires_grad
    assert chosen.weights["source_feature_distance"] == 0.005
    assert "reference" not in chosen.modules() and set(chosen.modules()) == {"teacher"}
    assert isinstance(chosen, Objective) and chosen.reference is not None
    chosen.model.load_state_dict(chosen.reference.network.state_dict())
    assert float(distance(chosen).detach()) == pytest.approx(0, abs=1e-5)
    assert float(distance(with_distance(toy.SPACE)).detach()) == 0


def test_without_pretrained_weights_it_is_refused() -> None:
    with pytest.raises(UserError, match="without pretrained weights"):
        with_distance(pretrained=False)
