"""Learning rate as a pure function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Schedule(BaseModel):
    """How the learning rate changes within one training.

    ``constant``; ``poly``: (1 - k/T)^power; ``cosine``: half a cosine from 1 to the floor. T is ``period`` times the
    training's number of steps: > 1 cuts the curve before its end (IAST trains 2 epochs of a period of 3, AdvEnt
    120,000 steps of 250,000), < 1 restarts a cosine and holds a poly at 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant", "poly", "cosine"] = "constant"
    power: float = Field(default=0.9, gt=0, description="exponent of poly")
    floor: float = Field(default=0.0, ge=0, le=1, description="lowest rate of cosine, a share of the base rate")
    period: float = Field(default=1.0, gt=0, description="length of the curve, in trainings")
    warmup_steps: int = Field(default=0, ge=0, description="steps of a linear warm-up that multiplies the curve")
    warmup_from: float = Field(default=1e-6, ge=0, le=1, description="factor of the warm-up at step 0")

    def factor(self, step: int, total_steps: int, lr_scale: float = 1.0) -> float:
        """Learning rate of a parameter group in units of the base learning rate.

        Args:
            step: 0 for the first step of the training.
            total_steps: length of the training, in steps.
            lr_scale: the group's multiple of the base rate. It is an argument, and not a factor outside, because the
                floor of a cosine is one absolute rate for all groups (adversarial-warmup.md 4).
        """
        floor = self.floor if self.kind == "cosine" else 0.0
        return (floor + (lr_scale - floor) * self._shape(step, total_steps)) * self._warmup(step)

    def _shape(self, step: int, total_steps: int) -> float:
        length = max(1, round(self.period * total_steps))
        if self.kind == "constant":
            return 1.0
        if self.kind == "poly":
            return max(0.0, 1.0 - step / length) ** self.power
        # A restart runs one step at the floor, the next one continues at 1, never at 0 (adversarial-warmup.md 4).
        position = length if step > 0 and step % length == 0 else step % length
        return (1.0 + math.cos(math.pi * position / length)) / 2.0

    def _warmup(self, step: int) -> float:
        if step >= self.warmup_steps:
            return 1.0
        return 1.0 - (1.0 - step / self.warmup_steps) * (1.0 - self.warmup_from)


def round_lr(base_lr: float, round_number: int, decay: float) -> float:
    """Learning rate of a round: base_lr * decay^(round - 1), rounds from 1 (cbst.md 5: decay = 1/sqrt(2))."""
    return base_lr * decay ** (round_number - 1)
