"""Optimisers from a network's parameter groups, and the learning rate as a pure function of the step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer

from udamlf.common.errors import UserError
from udamlf.config.budget import OptimiserConfig, Schedule

WARMUP_FROM = 1e-6  # factor of a linear warm-up at step 0


class VisitedSGD(Optimizer):
    """SGD that visits a group ``visits`` times per step with one gradient (advent.md 5.1). ``accumulate_decay``: the
    decay grows over the visits (PyTorch 0.4 added it into the gradient itself)."""

    def __init__(self, groups: list[dict[str, Any]], momentum: float, accumulate_decay: bool) -> None:
        self.accumulate_decay = accumulate_decay
        super().__init__(groups, {"momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step; the gradients are left as they are."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            for p in (p for p in parameters if "momentum_buffer" not in self.state[p]):
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in parameters]
            gradients = decayed = [p.grad for p in parameters]
            for _ in range(group["visits"]):
                start = decayed if self.accumulate_decay else gradients
                decayed = list(torch._foreach_add(start, parameters, alpha=group["weight_decay"]))
                torch._foreach_mul_(buffers, group["momentum"])
                torch._foreach_add_(buffers, decayed)
                torch._foreach_add_(parameters, buffers, alpha=-group["lr"])


def build_optimiser(groups: Sequence[Mapping[str, Any]], config: OptimiserConfig) -> Optimizer:
    """Optimiser of ``groups``: dicts with ``params`` and optionally ``lr_scale``, ``decay_scale`` and ``visits``, which
    "once" ignores; for sgd alone (UserError), "simple" multiplies the rate by them, "exact" and "exact_fresh_decay" are
    ``VisitedSGD``. ``adam`` adds the weight decay to the gradient (as IAST and HIAST), ``adamw`` decouples it."""
    assert isinstance(config.lr, (int, float))
    if config.visits != "once" and config.name != "sgd":
        raise UserError(f"visits: {config.visits} with the optimiser {config.name!r}", "name: sgd")
    exact, prepared = config.visits.startswith("exact"), []
    for group in groups:
        visits = group.get("visits", 1)
        lr_scale = group.get("lr_scale", 1.0) * (visits if config.visits == "simple" else 1)
        decay = config.weight_decay * group.get("decay_scale", 1.0)
        rates = {"base_lr": config.lr, "lr_scale": lr_scale, "lr": config.lr * lr_scale, "floor": config.floor}
        prepared.append({**group, **rates, "weight_decay": decay, "visits": visits if exact else 1})
    if exact:
        return VisitedSGD(prepared, config.momentum, accumulate_decay=config.visits == "exact")
    if config.name == "sgd":
        return SGD(prepared, config.lr, config.momentum)
    return (Adam if config.name == "adam" else AdamW)(prepared, config.lr, config.betas)


def set_learning_rates(optimiser: Optimizer, schedule: Schedule, step: int, total_steps: int) -> None:
    """Give every group of a ``build_optimiser`` optimiser its learning rate for ``step`` (0, 1, ...)."""
    for group in optimiser.param_groups:
        curve = schedule if group["floor"] is None else schedule.model_copy(update={"floor": group["floor"]})
        group["lr"] = group["base_lr"] * lr_factor(curve, step, total_steps, group["lr_scale"])


def lr_factor(schedule: Schedule, step: int, total_steps: int, lr_scale: float = 1.0) -> float:
    """Learning rate of a group in step 0, 1, ... of ``total_steps``, in units of the base rate. ``lr_scale``, the
    group's multiple, is an argument as the floor of a cosine is one absolute rate for all (adversarial-warmup.md 4)."""
    floor, shape, warmup = 0.0, 1.0, 1.0
    length = max(1, round(schedule.period * total_steps))
    if schedule.kind == "poly":
        shape = max(0.0, 1.0 - step / length) ** schedule.power
    elif schedule.kind == "cosine":
        # A restart runs one step at the floor, the next one continues at 1, never at 0 (adversarial-warmup.md 4).
        position = length if step > 0 and step % length == 0 else step % length
        floor, shape = schedule.floor, (1.0 + math.cos(math.pi * position / length)) / 2.0
    if step < schedule.warmup_steps:
        warmup = 1.0 - (1.0 - step / schedule.warmup_steps) * (1.0 - WARMUP_FROM)
    return (floor + (lr_scale - floor) * shape) * warmup
