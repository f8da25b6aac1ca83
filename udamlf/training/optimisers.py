"""Optimisers from a network's parameter groups, and SGD that steps a parameter more than once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from udamlf.config import OptimiserConfig
from udamlf.errors import UserError
from udamlf.training.schedule import Schedule


class VisitedSGD(Optimizer):
    """SGD whose groups are visited ``visits`` times per step with one gradient (advent.md 5.1).

    The released AdvEnt, CRST and IntraDA list a backbone tensor up to four times in one optimiser. Each visit decays
    the momentum, adds the weight decay and moves the parameter. PyTorch 0.4 added the decay into the gradient itself,
    so that it grows over the visits.

    Args:
        accumulate_decay: that behaviour; False adds the decay afresh at each visit.
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        accumulate_decay: bool = True,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "visits": 1}
        self.accumulate_decay = accumulate_decay
        super().__init__(list(groups), defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the gradients are left as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            pairs = [(p, p.grad) for p in group["params"] if p.grad is not None]
            if pairs:
                self._visit([p for p, _ in pairs], [gradient for _, gradient in pairs], group)
        return loss

    def _visit(self, parameters: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
        for p in parameters:
            if "momentum_buffer" not in self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in parameters]
        decayed = gradients
        for _ in range(group["visits"]):
            start = decayed if self.accumulate_decay else gradients
            decayed = list(torch._foreach_add(start, parameters, alpha=group["weight_decay"]))
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, decayed)
            torch._foreach_add_(parameters, buffers, alpha=-group["lr"])


def build_optimiser(groups: Sequence[Mapping[str, Any]], config: OptimiserConfig) -> Optimizer:
    """Optimiser of ``groups``: dicts with ``params`` and optionally ``lr_scale``, ``decay_scale`` and ``visits``.

    ``sgd`` has momentum and no dampening; ``adam`` adds the weight decay to the gradient (coupled L2, as IAST and
    HIAST); ``adamw`` decouples it. Every group keeps ``base_lr`` and ``lr_scale`` for ``set_learning_rates``.

    Args:
        config: ``lr`` must be this round's number. ``visits``: "once" ignores the groups' ``visits``; "simple"
            multiplies their learning rate by it; "exact" and "exact_fresh_decay" are ``VisitedSGD``.

    Raises:
        UserError: visits are asked of another optimiser than sgd.
    """
    assert isinstance(config.lr, (int, float))
    if config.visits != "once" and config.name != "sgd":
        raise UserError(f"visits: {config.visits} with the optimiser {config.name!r}", "name: sgd")
    prepared = [_group(group, config) for group in groups]
    if config.visits in ("exact", "exact_fresh_decay"):
        return VisitedSGD(prepared, config.lr, config.momentum, config.weight_decay, config.visits == "exact")
    if config.name == "sgd":
        return SGD(prepared, config.lr, config.momentum, weight_decay=config.weight_decay)
    kind = Adam if config.name == "adam" else AdamW
    return kind(prepared, config.lr, config.betas, weight_decay=config.weight_decay)


def _group(group: Mapping[str, Any], config: OptimiserConfig) -> dict[str, Any]:
    lr_scale, visits = group.get("lr_scale", 1.0), group.get("visits", 1)
    if config.visits == "simple":
        lr_scale *= visits
    return {
        **group,
        "base_lr": config.lr,
        "lr_scale": lr_scale,
        "lr": config.lr * lr_scale,
        "weight_decay": config.weight_decay * group.get("decay_scale", 1.0),
        "visits": visits if config.visits.startswith("exact") else 1,
    }


def set_learning_rates(optimiser: Optimizer, schedule: Schedule, step: int, total_steps: int) -> None:
    """Give every group of a ``build_optimiser`` optimiser its learning rate for ``step`` (0, 1, ...)."""
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * schedule.factor(step, total_steps, group["lr_scale"])
