"""Teachers that are an exponential moving average (EMA) of a student."""

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from udamlf.models.base import SegmentationModel


def make_teacher(student: SegmentationModel) -> SegmentationModel:
    """A copy of ``student`` whose parameters need no gradient, in the same mode; it sees whole images."""
    teacher = copy.deepcopy(student).requires_grad_(False)
    teacher.whole_view = True
    return teacher


def ramped_decay(step: int, cap: float) -> float:
    """Decay of update ``step`` (1, 2, ...): ``min(1 - 1 / (step + 1), cap)`` (DAFormer; Tarvainen and Valpola 2017)."""
    return min(1 - 1 / (step + 1), cap)


@torch.no_grad()
def ema_update(teacher: nn.Module, student: nn.Module, decay: float, buffers: Literal["copy", "keep"] = "copy") -> None:
    """In place: every teacher parameter becomes ``decay * teacher + (1 - decay) * student``. Buffers (BatchNorm):
    ``copy`` takes the student's (hiast.md 5, proda.md 7), ``keep`` leaves them alone (DAFormer)."""
    mine, theirs = list[Tensor](teacher.parameters()), list[Tensor](student.parameters())
    torch._foreach_mul_(mine, decay)  # not lerp, which rounds otherwise than the released code
    torch._foreach_add_(mine, theirs, alpha=1 - decay)
    if buffers == "copy":
        copy_tensors(list(teacher.buffers()), list(student.buffers()))


def copy_tensors(into: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Copy each of ``values`` into its place, with a launch for all of a kind: BatchNorm's counters are integers."""
    for kind in {tensor.dtype for tensor in into}:
        mine, theirs = zip(*(pair for pair in zip(into, values, strict=True) if pair[0].dtype == kind), strict=True)
        torch._foreach_copy_(mine, theirs)
