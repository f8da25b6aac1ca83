"""Stages 2 and 3 on the toy world: a frozen teacher, hard labels on the strong view, both forms of the loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests import toy
from tests.methods.test_proda import Pointwise
from udamlf.config import Augmentation
from udamlf.data.batches import Batches
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.methods import distillation
from udamlf.methods.base import Batch
from udamlf.training.loop import Trainer, to_domain


def objective(**params: Any) -> distillation.Objective:
    found = toy.objective(
        "distillation", params, toy.training(augmentation=Augmentation()), Pointwise(toy.SPACE.num_classes)
    )
    assert isinstance(found, distillation.Objective)
    return found


def batch_of(chosen: distillation.Objective) -> Batch:
    loop = Trainer(chosen, toy.streams(chosen), toy.SEED, "toy", workers=0)
    host = Batches(loop.streams, 0, 1, 0).at(0)
    domains = {n: to_domain(d, loop.model, loop.device, slice(None)) for n, d in host.items()}
    return Batch(0, 0, toy.SEED, domains["source"], domains["target"])


def test_nothing_is_distilled_from_an_equal_teacher() -> None:
    """The corrected form is 0 with gradient 0 where student and teacher agree; the released one still pulls."""
    for form, still in (("corrected", True), ("released", False)):
        chosen = objective(form=form)
        chosen.teacher = Pointwise(toy.SPACE.num_classes).eval()
        value = chosen.losses(batch_of(chosen))["model"]["distillation"]
        (gradient,) = torch.autograd.grad(value, [chosen.model.head])
        assert bool(gradient.abs().max() < 1e-7) == still
        assert (abs(float(value.detach())) < 1e-7) == still


def test_the_teacher_is_frozen() -> None:
    """It is in evaluation mode, gets no gradient, and no training changes it."""
    chosen = toy.objective("distillation")
    before = {name: value.clone() for name, value in chosen.teacher.state_dict().items()}
    toy.trainer(chosen).run()
    assert not chosen.teacher.training
    assert all(p.grad is None for p in chosen.teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in chosen.teacher.state_dict().items())


def test_hard_labels_follow_the_strong_view() -> None:
    """Without operations and hole the strong view is the crop or its mirror image, and so are the labels; inside the
    hole there is no label."""
    chosen = objective(operations=0, cutout=0.0, stride=2)
    seen: dict[str, torch.Tensor] = {}
    chosen._on_strong = lambda output, labels, strong: seen.update(labels=labels) or {}  # type: ignore[method-assign]
    target = batch_of(chosen).target
    list(chosen.parts(Batch(0, 0, 0, None, target)))
    mirrored = [not torch.equal(s, w) for s, w in zip(target.views["strong"], target.images, strict=True)]
    for position, mirror in enumerate(mirrored):
        label = target.labels[position].flip(1) if mirror else target.labels[position]
        # Cells hold 2x2 pixels of one square, so that any of them is the cell's label.
        assert torch.equal(seen["labels"][position], label[::2, ::2])
    holed = objective(operations=0, cutout=0.5, stride=2)
    holed._on_strong = chosen._on_strong  # type: ignore[method-assign]
    target = batch_of(holed).target
    target.labels.fill_(3)
    list(holed.parts(Batch(0, 0, 0, None, target)))
    share = (seen["labels"] == IGNORE).float().mean()
    assert 0.02 < share < 0.3 and set(seen["labels"].unique().tolist()) == {3, IGNORE}


def test_images_without_label_leave_the_distillation() -> None:
    """A round whose labels are all below the threshold still learns from the teacher."""
    chosen = objective()
    batch = batch_of(chosen)
    batch.target.labels.fill_(IGNORE)
    named = chosen.losses(batch)["model"]
    assert not named["target_ce"] and named["distillation"] > 0


def test_without_a_previous_training_it_is_refused() -> None:
    context = toy.objective("supervised").context
    context.teacher = None
    with pytest.raises(UserError, match="teacher"):
        distillation.Objective(distillation.DistillationParams(), context)
