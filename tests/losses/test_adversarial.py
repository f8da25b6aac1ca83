"""Adversarial terms pull where they should; the entropy maps are bounded and finite."""

from __future__ import annotations

import pytest
import torch

from udamlf.losses.adversarial import (
    DISTANCES,
    SOURCE,
    TARGET,
    Distance,
    discriminator_loss,
    generator_loss,
    min_entropy,
    self_information,
)


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_the_network_and_the_discriminator_pull_the_target_apart(distance: Distance) -> None:
    middle = {"least_squares": (SOURCE + TARGET) / 2, "bce_with_logits": 0.0}[distance]
    scores = torch.full((1, 1, 2, 3), middle, requires_grad=True)
    (for_network,) = torch.autograd.grad(generator_loss(scores, distance), scores)
    (for_discriminator,) = torch.autograd.grad(discriminator_loss(scores.detach(), scores, distance), scores)
    assert (for_network > 0).all()  # descending makes the score more source-like (0)
    assert (for_discriminator < 0).all()  # descending makes it more target-like (1)


def test_a_perfect_discriminator_has_no_loss() -> None:
    source, target = torch.full((2, 1, 3, 3), SOURCE), torch.full((1, 1, 4, 5), TARGET)
    assert discriminator_loss(source, target).item() == 0
    assert discriminator_loss(source, source).item() == 0.5


def test_normalised_entropy_is_1_for_uniform_and_0_for_certain() -> None:
    classes = 7
    uniform = torch.full((1, classes, 2, 2), 1 / classes)
    certain = torch.zeros(1, classes, 2, 2)
    certain[:, 3] = 1
    assert self_information(uniform).sum(1) == pytest.approx(torch.ones(1, 2, 2), abs=1e-6)
    assert min_entropy(certain).item() == 0
    certain.requires_grad_()
    min_entropy(certain).backward()
    assert certain.grad is not None
    assert torch.isfinite(certain.grad).all()


def test_min_entropy_over_a_mask() -> None:
    p = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0)).softmax(1)
    mask = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert min_entropy(p, mask).item() == 0
    mask[1, 2, 0] = True
    assert min_entropy(p, mask).item() == pytest.approx(self_information(p)[1, :, 2, 0].sum().item())
    assert min_entropy(p, ~torch.zeros_like(mask)).item() == pytest.approx(min_entropy(p).item())
