"""What is done to BatchNorm: freezing its affine part, and re-estimating its statistics (AdaBN)."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from udamlf.models.base import (
    Output,
    SegmentationModel,
    build,
    freeze_batchnorm,
    reestimate_batchnorm,
)


class Toy(SegmentationModel):
    """BatchNorm of the images themselves, then dropout."""

    def __init__(self) -> None:
        super().__init__(2)
        self.dropout, self.norm = nn.Dropout(0.5), nn.BatchNorm2d(3, momentum=0.25)
        self.head = nn.Conv2d(3, 2, 1)

    def forward(self, images: torch.Tensor) -> Output:
        return Output(self.head(self.norm(self.dropout(images))))


def _images(count: int) -> np.ndarray:
    """uint8 [count, 6, 6, 3], each as bright as its number."""
    noise = np.random.default_rng(0).integers(0, 60, (count, 6, 6, 3))
    return (noise + 190 * np.arange(count)[:, None, None, None] // count).astype(np.uint8)


@pytest.mark.parametrize(("count", "batches"), [(16, 2), (23, 2), (24, 3), (5, 1)])
def test_reestimated_statistics_are_the_average_over_batches(count: int, batches: int) -> None:
    """Nothing of the old statistics is left; batches of 8 in order weigh the same, a shorter last one is left out
    unless it is the only one; no dropout, no graph, and weights stay as they are."""
    model, images = Toy(), _images(count)
    weight = model.norm.weight.clone()
    reestimate_batchnorm(model, lambda index: images[index] // 100, count)
    reestimate_batchnorm(model, images.__getitem__, count)
    normalised = [model.normalise(torch.from_numpy(images[8 * n : 8 * n + 8])) for n in range(batches)]
    torch.testing.assert_close(model.norm.running_mean, torch.stack([b.mean((0, 2, 3)) for b in normalised]).mean(0))
    torch.testing.assert_close(model.norm.running_var, torch.stack([b.var((0, 2, 3)) for b in normalised]).mean(0))
    assert torch.equal(model.norm.weight, weight) and model.norm.weight.grad is None


@pytest.mark.parametrize("training", [True, False])
def test_reestimation_restores_mode_and_momentum(training: bool) -> None:
    model, images = Toy().train(training), _images(8)
    reestimate_batchnorm(model, images.__getitem__, 8)
    assert {m.training for m in model.modules()} == {training}
    assert model.norm.momentum == 0.25


def test_reestimation_works_on_stored_statistics() -> None:
    """AdaBN is possible for networks whose statistics stay put in training; afterwards they stay put again."""
    model = build("resnet38", 5, width=4).train()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    reestimate_batchnorm(model, images.__getitem__, 2)
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


def test_balanced_statistics_are_those_of_a_target_with_the_sources_classes() -> None:
    """Left halves of class 0, right halves of class 1, in other proportions than the source's: a network that knows the
    classes gets the statistics of a mixture in the source's proportions; with equal ones, those of plain AdaBN."""

    class Sure(SegmentationModel):
        """One norm, and logits that know bright pixels from dark ones."""

        def __init__(self) -> None:
            super().__init__(2)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, images: Tensor) -> Output:
            self.norm(images)
            bright = 100.0 * images.mean(1, keepdim=True)
            return Output(torch.cat([-bright, bright], 1))

    generator = np.random.default_rng(0)
    dark, bright = generator.integers(0, 60, (16, 8, 8, 3)), generator.integers(200, 256, (16, 8, 24, 3))
    images = np.concatenate([dark, bright], 2).astype(np.uint8)  # a quarter of the pixels is of class 0
    plain, balanced, same = Sure(), Sure(), Sure()
    reestimate_batchnorm(plain, images.__getitem__, 16)
    reestimate_batchnorm(balanced, images.__getitem__, 16, source_share=torch.tensor([0.5, 0.5]))
    reestimate_batchnorm(same, images.__getitem__, 16, source_share=torch.tensor([0.25, 0.75]))
    pixels = [plain.normalise(torch.from_numpy(part.astype(np.uint8))) for part in (dark, bright)]
    means = [part.mean((0, 2, 3)) for part in pixels]
    torch.testing.assert_close(balanced.norm.running_mean, (means[0] + means[1]) / 2, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(same.norm.running_mean, plain.norm.running_mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(same.norm.running_var, plain.norm.running_var, rtol=1e-2, atol=1e-3)
    assert not balanced.norm._forward_pre_hooks


def test_re_estimated_batches_are_no_larger_than_a_pass() -> None:
    """``most`` images at once, where a card holds no more."""
    model, seen = build("compact", 3), list[int]()
    model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    images = np.zeros((5, 16, 16, 3), np.uint8)
    reestimate_batchnorm(model, images.__getitem__, 5, most=2)
    assert seen == [2, 2]
