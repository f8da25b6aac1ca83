"""Learning rates and repeated SGD visits equal the released ones on the golden vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.parity.conftest import Golden
from udamlf.config.budget import OptimiserConfig, Schedule
from udamlf.training.optimisers import VisitedSGD, build_optimiser, lr_factor, set_learning_rates


def rates(
    schedule: Schedule, base_lr: float, scales: list[float], total_steps: int, floor: float | None = None
) -> np.ndarray:
    """[steps, groups], read from a real optimiser."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr_scale": scale} for scale in scales]
    optimiser = build_optimiser(groups, OptimiserConfig(name="sgd", lr=base_lr, floor=floor))
    rows = []
    for step in range(total_steps):
        set_learning_rates(optimiser, schedule, step, total_steps)
        rows.append([group["lr"] for group in optimiser.param_groups])
    return np.array(rows)


def test_iast_cosine_with_cut_and_restart(golden: Golden) -> None:
    arrays, hp = golden.arrays("iast", "lr_schedule"), golden.hparams("iast", "lr_schedule")
    scales = [hp[f"{name}_lr_mult"] for name in ("backbone", "decoder", "predictor", "discriminator")]
    cases = [name.removesuffix("_lr") for name in arrays if name.endswith("_lr")]
    assert cases
    for case in cases:
        base_lr, epochs, t_max, iterations = arrays[f"{case}_cfg"].tolist()
        names = ("base_lr", "epochs", "t_max_epochs", "iterations_per_epoch")
        assert [hp[f"{case}_{name}"] for name in names] == [base_lr, epochs, t_max, iterations]
        schedule = Schedule(kind="cosine", floor=hp["eta_min_ratio"], period=t_max / epochs)
        ours = rates(schedule, base_lr, scales, int(epochs * iterations))
        np.testing.assert_allclose(ours, arrays[f"{case}_lr"], rtol=0, atol=1e-12)
        # As it is configured: an optimiser of its own rate and floor, beside the schedule's floor of the backbone.
        scale, ratio = hp["discriminator_lr_mult"], hp["eta_min_ratio"]
        of_backbone = schedule.model_copy(update={"floor": ratio / hp["backbone_lr_mult"]})
        alone = rates(of_backbone, scale * base_lr, [1.0], int(epochs * iterations), floor=ratio / scale)
        np.testing.assert_allclose(alone[:, 0], arrays[f"{case}_lr"][:, 3], rtol=0, atol=1e-12)


def test_hiast_cosine_and_poly(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "lr_schedule"), golden.hparams("hiast", "lr_schedule")
    cosine = Schedule(kind="cosine", floor=hp["cosine_eta_min_ratio"])
    poly = Schedule(kind="poly", power=hp["poly_power"])
    for name, schedule in (("cosine", cosine), ("poly", poly)):
        base_lr, total = arrays[f"{name}_cfg"].tolist()
        assert [hp[f"{name}_backbone_lr"], hp[f"{name}_total_iter"]] == [base_lr, total]
        ours = rates(schedule, base_lr, [1.0, hp["head_lr_mult"]], int(total))
        np.testing.assert_allclose(ours, arrays[f"{name}_lr"], rtol=0, atol=1e-12)


def test_advent_poly(golden: Golden) -> None:
    arrays, hp = golden.arrays("intrada", "lr"), golden.hparams("intrada", "lr")
    base_lr, discriminator_lr, total, power = arrays["base"].tolist()
    assert [hp[k] for k in ("base_lr", "discriminator_lr", "max_iterations", "power")] == arrays["base"].tolist()
    schedule = Schedule(kind="poly", power=power)
    columns = {
        "lr_backbone": (base_lr, 1.0),
        "lr_head": (base_lr, hp["head_lr_mult"]),
        "lr_disc": (discriminator_lr, 1.0),
    }
    for name, (base, scale) in columns.items():
        ours = [base * lr_factor(schedule, step, int(total), scale) for step in arrays["iters"].tolist()]
        np.testing.assert_allclose(ours, arrays[name], rtol=1e-12, atol=0)


def test_advent_sgd_visits(golden: Golden) -> None:
    arrays, hp = golden.arrays("intrada", "sgd_visits"), golden.hparams("intrada", "sgd_visits")
    lr, momentum, weight_decay = arrays["hyper"].tolist()
    assert [hp["lr"], hp["momentum"], hp["weight_decay"]] == [lr, momentum, weight_decay]
    assert len(arrays["grads"]) == hp["num_steps"]
    modes = {"inplace_wd": "exact", "fresh_wd": "exact_fresh_decay"}
    for visits in hp["visits"]:
        for style in hp["styles"]:
            parameter = torch.from_numpy(arrays["p0"].copy()).requires_grad_()
            config = OptimiserConfig(
                name="sgd", lr=lr, momentum=momentum, weight_decay=weight_decay, visits=modes[style]
            )
            optimiser = build_optimiser([{"params": [parameter], "visits": visits}], config)
            assert isinstance(optimiser, VisitedSGD)
            trajectory = []
            for gradient in arrays["grads"]:
                parameter.grad = torch.from_numpy(gradient.copy())
                optimiser.step()
                trajectory.append(parameter.detach().numpy().copy())
            np.testing.assert_allclose(trajectory, arrays[f"traj_v{visits}_{style}"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", ["once", "exact"])
def test_one_visit_is_the_framework_s_sgd(golden: Golden, mode: str) -> None:
    arrays, hp = golden.arrays("intrada", "sgd_visits"), golden.hparams("intrada", "sgd_visits")
    parameter = torch.from_numpy(arrays["p0"].copy()).requires_grad_()
    config = OptimiserConfig(
        name="sgd", lr=hp["lr"], momentum=hp["momentum"], weight_decay=hp["weight_decay"], visits=mode
    )
    optimiser = build_optimiser([{"params": [parameter]}], config)
    for gradient, expected in zip(arrays["grads"], arrays["traj_v1_fresh_wd"], strict=True):
        parameter.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
        np.testing.assert_allclose(parameter.detach().numpy(), expected, rtol=0, atol=1e-12)
