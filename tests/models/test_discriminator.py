"""Discriminators: score map sizes, seeds, sign conventions of the activations."""

from __future__ import annotations

import pytest
import torch

from udamlf.models.discriminator import discriminator


@pytest.mark.parametrize(
    ("variant", "size", "expected"),
    [("iast", (512, 1024), (16, 32)), ("advent", (720, 1280), (22, 40)), ("proda", (512, 896), (32, 56))],
)
def test_score_map_sizes(variant: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """One score per cell, at the sizes the published code gives; 2.8 M parameters where kernels are 4x4."""
    with torch.device("meta"):
        critic = discriminator(19, variant)
        assert critic(torch.empty(2, 19, *size)).shape == (2, 1, *expected)
        if variant == "advent":
            assert sum(p.numel() for p in critic.parameters()) == 2_781_121


def test_only_the_last_activation_of_proda_leaks() -> None:
    """With all-negative first convolutions ProDA's plain ReLU blocks every gradient, the leaky ones do not."""
    for variant, blocked in (("proda", True), ("advent", False)):
        critic = discriminator(3, variant, width=4)
        with torch.no_grad():
            critic.conv1.weight.fill_(-1.0)
            critic.conv1.bias.fill_(-1.0)
        maps = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0), requires_grad=True)
        critic(maps).sum().backward()
        assert (maps.grad.abs().sum() == 0) == blocked


def test_weights_depend_on_the_seed_alone() -> None:
    """Two discriminators of one method get different seeds, the same run the same weights."""
    first, same, other = (discriminator(5, width=4, seed=seed).conv1.weight for seed in (0, 0, 1))
    assert torch.equal(first, same) and not torch.equal(first, other)
