"""Optimisers get their groups' scales; visited SGD is what a list with duplicates would do."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from udamlf.common.errors import UserError
from udamlf.config.budget import OptimiserConfig, Schedule
from udamlf.training.optimisers import build_optimiser, set_learning_rates


def parameter(*values: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor(values, dtype=torch.float64))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_groups_carry_their_scaled_rate_and_decay(name: str) -> None:
    groups = [
        {"params": [parameter(1.0)], "lr_scale": 10.0, "decay_scale": 0.0},
        {"params": [parameter(1.0)]},
    ]
    optimiser = build_optimiser(groups, OptimiserConfig(name=name, lr=0.5, weight_decay=0.1))
    assert [(g["lr"], g["weight_decay"]) for g in optimiser.param_groups] == [(5.0, 0.0), (0.5, 0.1)]
    set_learning_rates(optimiser, Schedule(kind="poly", power=1.0), 5, 10)
    assert [g["lr"] for g in optimiser.param_groups] == [2.5, 0.25]


def test_adam_couples_the_decay_and_adamw_does_not() -> None:
    """Adam's first step has the length lr whatever the gradient is; a coupled decay does not change that."""
    for name, expected in (("adam", 1.0 - 0.1), ("adamw", 1.0 - 0.1 - 0.1 * 0.5)):
        p = parameter(1.0)
        optimiser = build_optimiser([{"params": [p]}], OptimiserConfig(name=name, lr=0.1, weight_decay=0.5))
        p.grad = torch.ones_like(p)
        optimiser.step()
        assert p.item() == pytest.approx(expected, abs=1e-6)


def test_exact_visits_equal_a_loop_over_duplicates() -> None:
    p, v, momentum, decay, lr = parameter(1.0, -2.0), 3, 0.9, 0.01, 0.1
    config = OptimiserConfig(name="sgd", lr=lr, momentum=momentum, weight_decay=decay, visits="exact")
    optimiser = build_optimiser([{"params": [p], "visits": v}], config)
    expected, buffer = p.detach().clone(), torch.zeros(2, dtype=torch.float64)
    for step in range(4):
        gradient = torch.tensor([0.5, -0.25], dtype=torch.float64) * (step + 1)
        p.grad = gradient.clone()
        optimiser.step()
        torch.testing.assert_close(p.grad, gradient)
        for _ in range(v):
            gradient = gradient + decay * expected
            buffer = momentum * buffer + gradient
            expected = expected - lr * buffer
        torch.testing.assert_close(p.detach(), expected)


def test_simple_visits_multiply_the_rate_and_once_ignores_them() -> None:
    for visits, rate in (("simple", 0.3), ("once", 0.1), ("exact", 0.1)):
        config = OptimiserConfig(name="sgd", lr=0.1, visits=visits)
        optimiser = build_optimiser([{"params": [parameter(1.0)], "visits": 3}], config)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(rate)


def test_visits_of_adam_are_refused() -> None:
    with pytest.raises(UserError, match="visits"):
        build_optimiser([{"params": [parameter(1.0)]}], OptimiserConfig(name="adam", lr=0.1, visits="exact"))


def test_visited_sgd_goes_on_from_its_saved_state() -> None:
    config = OptimiserConfig(name="sgd", lr=0.1, weight_decay=0.01, visits="exact")

    def step(p: nn.Parameter, optimiser: torch.optim.Optimizer) -> None:
        p.grad = p.detach() * 0.5
        optimiser.step()

    p = parameter(1.0, 2.0)
    optimiser = build_optimiser([{"params": [p], "visits": 4}], config)
    step(p, optimiser)
    q = nn.Parameter(p.detach().clone())
    resumed = build_optimiser([{"params": [q], "visits": 4}], config)
    resumed.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    for _ in range(2):
        step(p, optimiser)
        step(q, resumed)
    assert torch.equal(p, q)


def test_a_parameter_without_gradient_stays() -> None:
    p, frozen = parameter(1.0), parameter(1.0)
    config = OptimiserConfig(name="sgd", lr=0.1, weight_decay=0.5, visits="exact")
    optimiser = build_optimiser([{"params": [p, frozen], "visits": 2}], config)
    p.grad = torch.ones_like(p)
    optimiser.step()
    assert frozen.item() == 1.0
    assert p.item() < 1.0
