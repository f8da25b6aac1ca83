"""The dry step: its estimate is what a real step allocates, and the shipped budgets fit on the cards they name."""

from __future__ import annotations

import pytest
import torch

from udamlf.errors import UserError
from udamlf.methods import self_training
from udamlf.methods.base import Batch, Losses
from udamlf.resolve import available, resolve
from udamlf.training.dry_step import LiveBytes, dry_step

SMALL = ("profile.frames_hw=[64,128]",)


@pytest.mark.parametrize("round", [1, 2])
def test_the_estimate_is_what_a_real_step_allocates(round: int) -> None:
    """Tensors without content and tensors with it have the same peak within 5 % (what a kernel allocates inside), in
    ProDA's stages."""
    config = resolve("gta2city", "proda", overrides=SMALL)
    estimated, measured = dry_step(config, round), dry_step(config, round, measure=True)
    assert estimated.peak_bytes == pytest.approx(measured.peak_bytes, rel=0.05)
    assert estimated.weight_bytes == measured.weight_bytes
    assert estimated.seconds is None and measured.seconds is not None and measured.seconds > 0


def test_living_tensors_are_counted_while_they_live() -> None:
    """Views and in-place results are no new bytes; what is dropped is subtracted; the peak stays."""
    with LiveBytes() as live:
        kept = torch.zeros(1000)
        dropped = torch.ones(3000)
        assert live.live == 16000
        kept.view(10, 100).add_(1)
        assert live.live == 16000
        del dropped
        assert (live.live, live.peak) == (4000, 16000)
    assert float(kept.sum()) == 1000


def test_micro_batches_need_less() -> None:
    """Twice as many micro-batches lower the peak; a joint batch of source, weak and strong view raises it."""

    def peak(*overrides: str) -> int:
        config = resolve("gta2city", "proda", overrides=(*SMALL, *overrides))
        return dry_step(config, 1).peak_bytes

    whole = peak("method.round.1.objective.joint_batch=false")
    assert peak("method.round.1.objective.joint_batch=false", "profile.micro_batch=2") < 0.8 * whole
    assert peak("method.round.1.objective.joint_batch=true") > 1.3 * whole


def test_the_pretraining_has_a_step_too() -> None:
    config = resolve("gta2city", "proda", overrides=SMALL)
    assert dry_step(config, 2, pretraining=True).peak_bytes > 0
    with pytest.raises(UserError, match="no pre-training"):
        dry_step(config, 1, pretraining=True)


def test_a_step_that_depends_on_its_images_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No estimate then, but a measurement."""
    losses = self_training.Objective.losses

    def looking(self: self_training.Objective, batch: Batch) -> Losses:
        assert batch.target is not None and float(batch.target.images.mean()) < 100
        return losses(self, batch)

    monkeypatch.setattr(self_training.Objective, "losses", looking)
    config = resolve("gta2city", "st", overrides=SMALL)
    with pytest.raises(UserError, match="measure"):
        dry_step(config, 1)
    assert dry_step(config, 1, measure=True).peak_bytes > 0


@pytest.mark.parametrize("method", available("methods"))
def test_every_shipped_method_has_an_estimate(method: str) -> None:
    """Of each training: none looks at the content of its images."""
    config = resolve("gta2city", method, overrides=SMALL)
    for number in range(config.method.rounds + 1):
        found = dry_step(config, number)
        assert found.peak_bytes > found.weight_bytes > 0


@pytest.mark.slow
@pytest.mark.parametrize("card", [name for name in available("profiles") if name.endswith("gb")])
@pytest.mark.parametrize("method", ["proda", "iast", "hiast"])
def test_presets_fit_their_cards(card: str, method: str) -> None:
    """Every training of the method needs at most 75 % of the card: the rest is for CUDA's context, cuDNN's workspaces
    and fragmentation. The batch of an optimiser step is the unrestricted profile's."""
    config, whole = (resolve("gta2city", method, profile) for profile in (card, "paper"))
    gib = int(card.removesuffix("gb").rpartition("_")[2])
    for number in range(min(config.method.rounds, 3) + 1):
        assert config.training(number).batch == whole.training(number).batch
        assert dry_step(config, number).peak_bytes < 0.75 * gib * 1e9, number


@pytest.mark.slow
def test_the_published_step_of_stage_1() -> None:
    """DeepLabV2-ResNet-101 at 896x512, batch 4 + 4, float32: 14.5 GiB, 249 MiB of weights (proda.md: 65,063,568
    parameters)."""
    config = resolve("gta2city", "proda", "paper", overrides=["profile.precision=float32"])
    found = dry_step(config, 1)
    assert found.peak_bytes / 2**30 == pytest.approx(14.5, abs=0.3)
    assert found.weight_bytes > 4 * 65_063_568
