"""Stages 2 and 3 on the toy world: a frozen teacher, hard labels on the strong view, both forms of the loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests import toy
from tests.methods.test_proda import Pointwise
from udamlf.common.errors import UserError
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.methods import distillation
from udamlf.training.objective import Batch


def objective(**params: Any) -> distillation.Objective:
    budget = toy.training(augmentation=Augmentation())
    method = toy.objective("distillation", params, budget, Pointwise(toy.SPACE.num_classes))
    assert isinstance(method, distillation.Objective)
    return method


def test_nothing_is_distilled_from_an_equal_teacher() -> None:
    """The corrected form is 0 with gradient 0 where student and teacher agree; the released one still pulls."""
    for form, still in (("corrected", True), ("released", False)):
        method = objective(form=form)
        method.teacher = Pointwise(toy.SPACE.num_classes).eval()
        value = toy.losses(method, toy.batch(method))["model"]["distillation"]
        (gradient,) = torch.autograd.grad(value, [method.model.head])
        assert bool(gradient.abs().max() < 1e-7) == still
        assert (abs(float(value.detach())) < 1e-7) == still


def test_the_teacher_is_frozen() -> None:
    """It is in evaluation mode, gets no gradient, and no training changes it."""
    method = toy.objective("distillation")
    before = {name: value.clone() for name, value in method.teacher.state_dict().items()}
    toy.trainer(method).run()
    assert not method.teacher.training
    assert all(p.grad is None for p in method.teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in method.teacher.state_dict().items())


def test_hard_labels_follow_the_strong_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each label lies where the strong view shows its pixel; in the hole, and outside of the crop, there is none."""
    method = objective(stride=2)
    seen: list[torch.Tensor] = []

    def cross_entropy(logits: torch.Tensor, labels: torch.Tensor, weights: object) -> torch.Tensor:
        seen.append(labels)
        return logits.mean()

    monkeypatch.setattr(distillation, "cross_entropy", cross_entropy)
    target = toy.batch(method).target
    assert target is not None
    toy.losses(method, Batch(0, 0, 0, None, target))
    cells, index = method.labels_on_grid(target.labels).flatten(1), target.arrays["strong_index"]
    for label, cell, place in zip(seen[0], cells, index, strict=True):
        inside = place >= 0
        assert bool((label[~inside] == IGNORE).all()) and torch.equal(label[inside], cell[place[inside]])
        assert 0 < inside.float().mean() < 1


def test_images_without_label_leave_the_distillation() -> None:
    """A round whose labels are all below the threshold still learns from the teacher."""
    method = objective()
    batch = toy.batch(method)
    batch.target.labels.fill_(IGNORE)
    named = toy.losses(method, batch)["model"]
    assert not named["target_ce"] and named["distillation"] > 0


def test_without_a_previous_training_it_is_refused() -> None:
    context = toy.objective("supervised").context
    context.teacher = None
    with pytest.raises(UserError, match="teacher"):
        distillation.Objective(distillation.DistillationParams(), context)
