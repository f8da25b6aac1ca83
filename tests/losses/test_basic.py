"""Properties of the shared losses: reductions, empty masks, gradients."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE
from udamlf.losses.basic import (
    consistency,
    cross_entropy,
    entropy,
    kl_to_uniform,
    masked_mean,
    region_terms,
    soft_cross_entropy,
)

N, C, H, W = 2, 5, 6, 7


@pytest.fixture
def logits() -> Tensor:
    return torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.fixture
def labels() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    drawn = torch.randint(C, (N, H, W), generator=generator)
    return drawn.masked_fill(torch.rand(N, H, W, generator=generator) < 0.4, IGNORE)


def probabilities(seed: int) -> Tensor:
    return torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(seed)).softmax(1)


def test_cross_entropy_is_the_framework_s_mean_over_labelled_pixels(logits: Tensor, labels: Tensor) -> None:
    torch.testing.assert_close(cross_entropy(logits, labels), F.cross_entropy(logits, labels, ignore_index=IGNORE))


def test_class_weights_give_the_framework_s_weighted_mean(logits: Tensor, labels: Tensor) -> None:
    weights = torch.tensor([0.0, 0.5, 1.0, 2.0, 4.0])
    expected = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), expected)
    torch.testing.assert_close(cross_entropy(logits, labels, 10 * weights), expected)


def test_pixel_weights_lower_the_loss_and_not_its_divisor(logits: Tensor, labels: Tensor) -> None:
    plain = cross_entropy(logits, labels)
    torch.testing.assert_close(cross_entropy(logits, labels, pixel_weights=torch.full((N, H, W), 0.25)), 0.25 * plain)
    first_only = torch.zeros(N, H, W)
    first_only[0] = 1
    valid = labels != IGNORE
    expected = cross_entropy(logits[:1], labels[:1]) * valid[0].sum() / valid.sum()
    torch.testing.assert_close(cross_entropy(logits, labels, pixel_weights=first_only), expected)


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
        lambda z: cross_entropy(z, UNLABELLED, pixel_weights=torch.ones(N, H, W)),
        lambda z: soft_cross_entropy(z, probabilities(3), NOTHING),
        lambda z: entropy(z, NOTHING),
        lambda z: kl_to_uniform(z, NOTHING),
        lambda z: consistency(z, probabilities(3), NOTHING),
        lambda z: region_terms(z, UNLABELLED).cross_entropy,
        lambda z: region_terms(z, UNLABELLED).kl_to_uniform,
        lambda z: region_terms(z, torch.zeros(N, H, W, dtype=torch.long)).entropy,
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


def test_region_terms_are_the_single_losses(logits: Tensor, labels: Tensor) -> None:
    targets, valid = probabilities(3), labels != IGNORE
    for per_class_mean in (True, False):
        terms = region_terms(logits, labels, targets, per_class_mean=per_class_mean)
        assert terms.consistency is not None
        torch.testing.assert_close(terms.cross_entropy, cross_entropy(logits, labels))
        torch.testing.assert_close(terms.kl_to_uniform, kl_to_uniform(logits, valid, per_class_mean))
        torch.testing.assert_close(terms.entropy, entropy(logits, ~valid, per_class_mean))
        torch.testing.assert_close(terms.consistency, consistency(logits, targets, ~valid))
    assert region_terms(logits, labels).consistency is None


def test_per_class_mean_divides_once_more_by_the_number_of_classes(logits: Tensor) -> None:
    everywhere = ~NOTHING
    for loss in (entropy, kl_to_uniform):
        torch.testing.assert_close(C * loss(logits, everywhere, per_class_mean=True), loss(logits, everywhere))


def test_consistency_counts_only_the_pairs_that_are_not_zero(logits: Tensor) -> None:
    everywhere = ~NOTHING
    one_hot = F.one_hot(torch.zeros(N, H, W, dtype=torch.long), C).permute(0, 3, 1, 2).float()
    # One non-zero pair a pixel: no factor 1/C is left.
    expected = soft_cross_entropy(logits, one_hot, everywhere)
    torch.testing.assert_close(consistency(logits, one_hot, everywhere), expected)
    soft = probabilities(4)
    expected = soft_cross_entropy(logits, soft, everywhere) / C
    torch.testing.assert_close(consistency(logits, soft, everywhere), expected)


def test_no_gradient_flows_to_the_teacher(logits: Tensor, labels: Tensor) -> None:
    targets = probabilities(3).requires_grad_()
    terms = region_terms(logits, labels, targets)
    assert terms.consistency is not None
    (terms.consistency + consistency(logits, targets, labels == IGNORE)).backward()
    assert targets.grad is None
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0


def test_masked_mean_does_not_see_what_is_masked() -> None:
    values = torch.tensor([1.0, float("nan"), 3.0])
    assert masked_mean(values, torch.tensor([True, False, True])).item() == 2
