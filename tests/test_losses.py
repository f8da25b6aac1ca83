"""Properties of the shared losses: reductions, empty masks, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.config.labels import IGNORE
from udamlf.losses import cross_entropy, entropy, kl_to_uniform, masked_mean, self_information, soft_cross_entropy

N, C, H, W = 2, 5, 6, 7


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.fixture
def labels() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(C, (N, H, W), generator=generator)
    return labels.masked_fill(torch.rand(N, H, W, generator=generator) < 0.4, IGNORE)


def test_cross_entropy_is_the_framework_s_mean_over_labelled_pixels(logits: Tensor, labels: Tensor) -> None:
    torch.testing.assert_close(cross_entropy(logits, labels), F.cross_entropy(logits, labels, ignore_index=IGNORE))


def test_class_weights_give_the_framework_s_weighted_mean(logits: Tensor, labels: Tensor) -> None:
    weights = torch.tensor([0.0, 0.5, 1.0, 2.0, 4.0])
    expected = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), expected)
    torch.testing.assert_close(cross_entropy(logits, labels, 10 * weights), expected)


def test_the_mean_is_over_the_batch_s_pixels_and_not_per_image(logits: Tensor) -> None:
    mask = torch.zeros(N, H, W, dtype=torch.bool)
    mask[0, 0, 0] = True
    mask[1] = True
    p = logits.softmax(1)
    expected = -(p * p.log()).sum(1)[mask].mean()
    torch.testing.assert_close(entropy(logits, mask), expected)


NOTHING = torch.zeros(N, H, W, dtype=torch.bool)
UNLABELLED = torch.full((N, H, W), IGNORE)


@pytest.mark.parametrize(
    "loss",
    [
        lambda z: cross_entropy(z, UNLABELLED),
        lambda z: cross_entropy(z, UNLABELLED, torch.ones(C)),
        lambda z: soft_cross_entropy(z, torch.full((N, C, H, W), 1 / C), NOTHING),
        lambda z: entropy(z, NOTHING),
        lambda z: kl_to_uniform(z, NOTHING),
    ],
)
def test_an_empty_mask_gives_zero_with_a_gradient_of_zero(logits: Tensor, loss: Callable[[Tensor], Tensor]) -> None:
    value = loss(logits)
    assert value.item() == 0
    value.backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


def test_an_absent_class_with_the_only_weight_gives_zero(logits: Tensor) -> None:
    labels = torch.zeros(N, H, W, dtype=torch.long)
    assert cross_entropy(logits, labels, torch.tensor([0.0, 1, 1, 1, 1])).item() == 0


def test_bounds_of_entropy_and_kl(logits: Tensor) -> None:
    everywhere = ~NOTHING
    uniform = torch.zeros(N, C, H, W)
    assert entropy(uniform, everywhere).item() == pytest.approx(math.log(C))
    assert kl_to_uniform(uniform, everywhere).item() == pytest.approx(math.log(C))
    assert 0 < entropy(logits, everywhere).item() < math.log(C)
    assert kl_to_uniform(logits, everywhere).item() > math.log(C)
    sharp = torch.zeros(N, C, H, W)
    sharp[:, 0] = 200  # the other probabilities underflow to 0
    assert entropy(sharp, everywhere).item() == 0


def test_per_class_mean_divides_once_more_by_the_number_of_classes(logits: Tensor) -> None:
    everywhere = ~NOTHING
    for loss in (entropy, kl_to_uniform):
        torch.testing.assert_close(C * loss(logits, everywhere, per_class_mean=True), loss(logits, everywhere))


def test_masked_mean_does_not_see_what_is_masked() -> None:
    values = torch.tensor([1.0, float("nan"), 3.0])
    assert masked_mean(values, torch.tensor([True, False, True])).item() == 2


def test_normalised_entropy_is_1_for_uniform_and_0_for_certain() -> None:
    """And its gradient is finite where a probability is 0."""
    uniform = torch.full((1, C, 2, 2), 1 / C)
    certain = F.one_hot(torch.zeros(1, 2, 2, dtype=torch.long), C).permute(0, 3, 1, 2).float().requires_grad_()
    assert self_information(uniform).sum(1) == pytest.approx(torch.ones(1, 2, 2), abs=1e-6)
    total = self_information(certain).sum()
    total.backward()
    assert total.item() == 0 and certain.grad is not None and bool(certain.grad.isfinite().all())
