"""What is done to BatchNorm: freezing its affine part, and re-estimating its statistics (AdaBN)."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from udamlf.models.base import build, freeze_batchnorm, reestimate_batchnorm


def _network() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(3, momentum=0.25), nn.Dropout(0.5), nn.Conv2d(3, 2, 1))


def _batches(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4, 3, 6, 6, generator=generator) * (index + 1) + index for index in range(count)]


def test_reestimated_statistics_are_the_average_over_batches() -> None:
    """Nothing of the old statistics is left, every batch weighs the same."""
    model, batches = _network(), _batches(3)
    model(batches[0] * 100)
    reestimate_batchnorm(model, iter(batches))
    means = torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0)
    variances = torch.stack([b.var((0, 2, 3)) for b in batches]).mean(0)
    torch.testing.assert_close(model[0].running_mean, means)
    torch.testing.assert_close(model[0].running_var, variances)


@pytest.mark.parametrize("training", [True, False])
def test_reestimation_restores_mode_and_momentum(training: bool) -> None:
    model = _network().train(training)
    reestimate_batchnorm(model, _batches(2))
    assert {m.training for m in model.modules()} == {training}
    assert model[0].momentum == 0.25


def test_reestimation_runs_without_dropout_and_without_gradients() -> None:
    """The result is a function of the images: no random masks, no graph, and weights stay as they are."""
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(3))
    batches = _batches(2)
    weight = model[1].weight.clone()
    reestimate_batchnorm(model, batches)
    torch.testing.assert_close(model[1].running_mean, torch.stack([b.mean((0, 2, 3)) for b in batches]).mean(0))
    assert torch.equal(model[1].weight, weight) and model[1].weight.grad is None


def test_reestimation_works_on_stored_statistics() -> None:
    """AdaBN is possible for networks whose statistics stay put in training; afterwards they stay put again."""
    model = build("resnet38", 5, width=4).train()
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    reestimate_batchnorm(model, [images])
    assert model.norm.running_mean.abs().sum() > 0
    assert not model.norm.training


def test_frozen_statistics_stay_through_training() -> None:
    """In training mode too; the affine part is trained unless it is frozen as well."""
    for affine in (False, True):
        model = build("compact", 5)
        freeze_batchnorm(model, affine, statistics=True)
        before = model.aspp_norm.running_mean.clone()
        model.train()(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))).logits.sum().backward()
        assert torch.equal(model.aspp_norm.running_mean, before)
        assert (model.aspp_norm.weight.grad is None) == affine


def test_frozen_affine_keeps_live_statistics() -> None:
    """Weight and bias of BatchNorm get no gradient; running statistics still follow the batches."""
    model = build("compact", 5)
    freeze_batchnorm(model, affine=True, statistics=False)
    before = model.aspp_norm.running_mean.clone()
    model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))).logits.sum().backward()
    assert model.aspp_norm.weight.grad is None and model.classifier.weight.grad is not None
    assert not torch.equal(model.aspp_norm.running_mean, before)
