"""Half precision: the loss is scaled, a step that overflows is skipped, and a card without bfloat16 says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests import toy
from tests.training.test_loop import assert_same, run_until
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.methods import supervised
from udamlf.models.numerics import numerics, settings
from udamlf.training.loop import Trainer, autocast_dtype
from udamlf.training.objective import Batch, Losses


class OverflowsAt(supervised.Objective):
    """Supervised; the loss of step 2 (or of every one) is infinite."""

    always = False

    def losses(self, batch: Batch) -> Losses:
        value = super().losses(batch)["model"]["source_ce"]
        return {"model": {"source_ce": value * float("inf") if self.always or batch.step == 2 else value}}


class AlwaysOverflows(OverflowsAt):
    """In every step."""

    always = True


def test_attention_is_deterministic_where_that_is_asked_for() -> None:
    """Its other kernels only warn, and add up by atomics going backward."""
    attention = torch.backends.cuda
    for deterministic in (True, False):
        with numerics("float32", deterministic):
            fast = [attention.flash_sdp_enabled(), attention.mem_efficient_sdp_enabled(), attention.cudnn_sdp_enabled()]
            assert attention.math_sdp_enabled() and fast == [not deterministic] * 3


def half(kind: type[supervised.Objective] = supervised.Objective, path: Path | None = None) -> Trainer:
    healthy = toy.objective("supervised")
    objective = kind(healthy.params, healthy.context)
    return Trainer(objective, toy.domains(), "toy", path, "float16", workers=0)


def test_half_precision_trains_and_resumes_bit_identically(tmp_path: Path) -> None:
    """Loss and weights stay finite and near those of full precision; the scale of the loss is part of the state."""
    whole, full = half(), toy.trainer(toy.objective("supervised"))
    whole.run()
    full.run()
    weights = [torch.cat([p.detach().flatten() for p in t.model.parameters()]) for t in (whole, full)]
    assert torch.allclose(*weights, atol=0.05) and not torch.equal(*weights)
    run_until(half(path=tmp_path / "state.pt"), 3)
    resumed = half(path=tmp_path / "state.pt")
    resumed.run()
    assert_same(toy.tensors(whole), toy.tensors(resumed))
    assert resumed.scaler.state_dict() == whole.scaler.state_dict() != {}


def test_a_step_that_overflows_is_skipped_and_the_scale_halved() -> None:
    trainer = half(OverflowsAt)
    seen: list[tuple[float, torch.Tensor]] = []
    weight = next(trainer.model.parameters())
    trainer.run(on_step=lambda _: seen.append((trainer.scaler.get_scale(), weight.detach().clone())))
    scales, weights = zip(*seen, strict=True)
    assert scales[2] == scales[1] / 2 and scales[3] == scales[2]
    assert torch.equal(weights[2], weights[1]) and not torch.equal(weights[3], weights[2])


def test_a_forward_pass_that_overflows_leaves_no_trace_in_batchnorm() -> None:
    """The published network is evaluated with its running statistics, which nothing would mend."""

    class PoisonsStatistics(OverflowsAt):
        def losses(self, batch: Batch) -> Losses:
            if batch.step == 2:
                for buffer in self.model.buffers():
                    if buffer.is_floating_point():
                        buffer.fill_(float("nan"))
            return super().losses(batch)

    trainer = half(PoisonsStatistics)
    trainer.run()
    assert all(bool(torch.isfinite(buffer).all()) for buffer in trainer.model.buffers())


def test_gradients_that_always_overflow_end_the_training() -> None:
    with pytest.raises(UserError, match="not finite at step 0, whatever its scale"):
        trainer = half(AlwaysOverflows)
        trainer.scaler.load_state_dict({**trainer.scaler.state_dict(), "scale": 1.0})
        trainer.run()


def test_bfloat16_is_never_emulated_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    """A T4 has none: torch would emulate it, several times slower than float32."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    with pytest.raises(UserError, match=r"Tesla T4.*has no bfloat16"):
        autocast_dtype("bfloat16", torch.device("cuda"))
    assert autocast_dtype("float16", torch.device("cuda")) is torch.float16
    assert autocast_dtype("bfloat16", torch.device("cpu")) is torch.bfloat16


def test_published_budgets_have_the_precision_of_their_release() -> None:
    """apex O1 for IAST and HIAST (adversarial-warmup.md 4), float32 for the others."""
    precisions = {m: resolve("gta2city", m, "paper").profile.precision for m in ("iast", "hiast", "st", "proda")}
    assert precisions == {"iast": "float16", "hiast": "float16", "st": "float32", "proda": "float32"}


def test_numerics_are_set_said_and_put_back() -> None:
    """float32 without TF32, tf32 with it; a deterministic run chooses no kernel by trial and says what it promises."""
    before = settings()
    with numerics("tf32", deterministic=False):
        inside = settings()
        assert inside["tf32"] and inside["cudnn_benchmark"] and not inside["deterministic_algorithms"]
        assert torch.backends.cuda.matmul.allow_tf32
    with numerics("float32", deterministic=True):
        inside = settings()
        assert not inside["tf32"] and not inside["cudnn_benchmark"] and inside["deterministic_algorithms"]
        assert inside["cublas_workspace"] and str(inside["resumed_training"]).startswith("bit-identical")
    assert {**settings(), "cublas_workspace": ""} == {**before, "cublas_workspace": ""}
