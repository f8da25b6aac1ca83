"""Teachers that are an exponential moving average (EMA) of a student."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def make_teacher(student: Module) -> Module:
    """A copy of ``student`` whose parameters need no gradient, in the same mode."""
    return copy.deepcopy(student).requires_grad_(False)


def ramped_decay(step: int, cap: float) -> float:
    """Decay of update ``step`` (1, 2, ...): ``min(1 - 1 / (step + 1), cap)`` (DAFormer; Tarvainen and Valpola 2017)."""
    return min(1 - 1 / (step + 1), cap)


@torch.no_grad()
def ema_update(teacher: nn.Module, student: nn.Module, decay: float, buffers: Literal["copy", "keep"] = "copy") -> None:
    """In place: every teacher parameter becomes ``decay * teacher + (1 - decay) * student``.

    Args:
        teacher, student: modules of the same structure, on the same device.
        decay: in [0, 1].
        buffers: ``copy`` takes the student's buffers, BatchNorm statistics among them (HIAST, hiast.md 5; ProDA,
            proda.md 7); ``keep`` leaves the teacher's own (DAFormer).
    """
    pairs = zip(teacher.parameters(), student.parameters(), strict=True)
    parameters, targets = map(list, zip(*pairs, strict=True))
    torch._foreach_lerp_(parameters, targets, 1 - decay)
    if buffers == "copy":
        for mine, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
            mine.copy_(theirs)
