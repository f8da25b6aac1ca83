"""SHOT's terms: sure pixels, diverse predictions, a classifier that stays."""

from __future__ import annotations

import math

import pytest
import torch

from tests import toy
from udamlf.methods.shot import negative_diversity


def test_diversity_is_of_the_mean_prediction() -> None:
    """-log C where the classes are predicted equally often, however sure; 0 where one is predicted everywhere."""
    sure = 50 * torch.nn.functional.one_hot(torch.arange(4), 4).float().T.reshape(1, 4, 2, 2)
    assert negative_diversity(sure).item() == pytest.approx(-math.log(4))
    assert negative_diversity(torch.zeros(2, 4, 3, 3)).item() == pytest.approx(-math.log(4))
    one = torch.zeros(1, 4, 2, 2).index_fill_(1, torch.tensor([2]), 200.0)
    assert negative_diversity(one).item() == 0.0


def test_the_classifier_stays_and_the_features_move() -> None:
    """Six steps on the target alone."""
    budget = toy.training(batch={"source": 0, "target": 2})
    loop = toy.trainer(toy.objective("shot", {}, budget))
    before = toy.tensors(loop)
    loop.run()
    after = toy.tensors(loop)
    moved = {name.removeprefix("model/") for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("stage4.") for name in moved)
    assert not any(name.startswith("classifier.") for name in moved)
