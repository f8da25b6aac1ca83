"""EMA teachers: what moves, what is copied, what is kept."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from udamlf.models.base import build
from udamlf.models.ema import ema_update, make_teacher, ramped_decay


def _pair() -> tuple[nn.Module, nn.Module]:
    student = build("compact", 5, seed=1)
    teacher = make_teacher(build("compact", 5, seed=2))
    student(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return teacher, student


def test_a_teacher_starts_equal_and_needs_no_gradient() -> None:
    """A copy, not a view: the student may change without it."""
    student = build("compact", 5)
    teacher = make_teacher(student)
    assert all(not p.requires_grad for p in teacher.parameters())
    assert all(p.requires_grad for p in student.parameters())
    with torch.no_grad():
        student.classifier.weight.add_(1)
    assert not torch.equal(teacher.classifier.weight, student.classifier.weight)


@pytest.mark.parametrize(("decay", "like"), [(1.0, "before"), (0.0, "student")])
def test_extreme_decays(decay: float, like: str) -> None:
    """1 leaves the parameters, 0 makes them the student's."""
    teacher, student = _pair()
    before = [p.clone() for p in teacher.parameters()]
    ema_update(teacher, student, decay)
    expected = before if like == "before" else list(student.parameters())
    for value, wanted in zip(teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(value, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("policy", ["copy", "keep"])
def test_buffer_policies(policy: str) -> None:
    """``copy`` takes the student's statistics and counters, ``keep`` leaves the teacher's."""
    teacher, student = _pair()
    before = [b.clone() for b in teacher.buffers()]
    ema_update(teacher, student, 0.9, buffers=policy)
    expected = list(student.buffers()) if policy == "copy" else before
    assert all(torch.equal(a, b) for a, b in zip(teacher.buffers(), expected, strict=True))


def test_other_structure_is_refused() -> None:
    """A teacher with more tensors than its student is a mistake, never a partial update."""
    with pytest.raises(RuntimeError, match="same number"):
        ema_update(build("compact", 5, aux=True), build("compact", 5), 0.9)


def test_ramp_rises_to_its_cap() -> None:
    """The first update takes half of the student; later ones never exceed the cap."""
    ramp = [ramped_decay(step, 0.99) for step in range(1, 300)]
    assert ramp[0] == 0.5 and ramp == sorted(ramp) and ramp[-1] == 0.99
