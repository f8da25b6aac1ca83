"""EMA teachers of HIAST, ProDA and DAFormer follow the published numbers."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import torch
from torch import nn

from tests.parity.conftest import Golden
from udamlf.models.ema import ema_update, make_teacher, ramped_decay


class _Parameters(nn.Module):
    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.from_numpy(values.copy()))


def _loaded(modules: dict[str, nn.Module], state: dict[str, np.ndarray]) -> nn.Module:
    model = nn.Sequential(OrderedDict(modules))
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in state.items()})
    return model


def _with_prefix(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def test_hiast_ema(golden: Golden) -> None:
    """Parameters are interpolated, buffers (the counter too) copied."""
    arrays = golden.arrays("hiast", "ema_update")

    def network(prefix: str) -> nn.Module:
        weight = arrays["student.c.weight"]
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[-1])
        return _loaded({"c": conv, "bn": nn.BatchNorm2d(weight.shape[0])}, _with_prefix(arrays, prefix))

    student, teacher = network("student."), network("teacher_before.")
    ema_update(teacher, student, float(arrays["ema_gamma"]))
    assert float(arrays["ema_gamma"]) == golden.hparams("hiast", "ema_update")["ema_gamma"]
    expected = _with_prefix(arrays, "teacher_after.")
    assert set(expected) == set(teacher.state_dict())
    for name, value in teacher.state_dict().items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=0, atol=1e-7)


def test_proda_ema(golden: Golden) -> None:
    """Several steps with changing students."""
    arrays, hparams = golden.arrays("proda", "10_ema"), golden.hparams("proda", "10_ema")

    def network(role: str, step: int) -> nn.Module:
        state = {}
        for name, value in _with_prefix(arrays, f"{role}_").items():
            module, _, leaf = name.partition("_")
            state[f"{module}.{leaf}"] = value[step]
        shapes = {name.partition(".")[0]: v.shape for name, v in state.items() if v.ndim == 4}
        modules: dict[str, nn.Module] = {
            name: nn.Conv2d(shape[1], shape[0], shape[-1], bias=f"{name}.bias" in state)
            for name, shape in shapes.items()
        }
        modules["bn"] = nn.BatchNorm2d(state["bn.weight"].shape[0])
        return _loaded(modules, state)

    teacher = network("ema", 0)
    for step in range(1, hparams["num_steps"] + 1):
        ema_update(teacher, network("student", step), hparams["momentum"])
        expected = network("ema", step).state_dict()
        for name, value in teacher.state_dict().items():
            np.testing.assert_allclose(value.numpy(), expected[name].numpy(), rtol=0, atol=1e-6)


def test_daformer_ema_ramp(golden: Golden) -> None:
    """The decay ramp, and teachers that follow it from their first update on."""
    arrays, hparams = golden.arrays("proda", "d4_ema_and_lr"), golden.hparams("proda", "d4_ema_and_lr")
    cap = float(arrays["alpha_max"])
    assert cap == hparams["alpha_max"]
    ramp = [ramped_decay(int(step), cap) for step in arrays["ema_iters"]]
    np.testing.assert_allclose(ramp, arrays["ema_alpha"], rtol=1e-5)
    teacher = make_teacher(_Parameters(arrays["teacher_init"]))
    for index, values in enumerate(arrays["student_params"]):
        ema_update(teacher, _Parameters(values), ramped_decay(index + hparams["ema_first_iter"], cap), buffers="keep")
        np.testing.assert_allclose(teacher.values.numpy(), arrays["teacher_params"][index], rtol=1e-5, atol=1e-7)
