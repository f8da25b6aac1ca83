"""AdvEnt, MinEnt and IntraDA's training: terms that pull where they should, two heads, a target that may be missing."""

from __future__ import annotations

import pytest
import torch

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import BatchSize
from udamlf.config.parts import Part
from udamlf.data.sample import Domain
from udamlf.methods.adversarial import (
    SOURCE,
    TARGET,
    Distance,
    discriminator_loss,
    generator_loss,
)
from udamlf.training.objective import Batch, check_batch


def batch(target: bool = True) -> Batch:
    generator = torch.Generator().manual_seed(1)

    def domain() -> Domain:
        images = torch.randn(2, 3, toy.HEIGHT, toy.HEIGHT, generator=generator)
        labels = torch.randint(0, toy.SPACE.num_classes, (2, toy.HEIGHT, toy.HEIGHT), generator=generator)
        return Domain(images, labels, {}, {}, [0, 1])

    return Batch(0, 0, toy.SEED, domain(), domain() if target else None)


@pytest.mark.parametrize("distance", ["least_squares", "bce_with_logits"])
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


ADVENT = {
    "sees": "self_information", "distance": "bce_with_logits", "discriminator": "advent", "weight": 0.001,
    "aux_weight": 0.0002, "aux_ce": 0.1, "width": 4,
}  # fmt: skip


def test_two_heads_have_discriminators_of_different_weights() -> None:
    """And the same ones in every run of a seed."""
    first, again = (toy.objective("adversarial", ADVENT).modules["discriminators"] for _ in range(2))
    main, aux = first["main"].state_dict(), first["aux"].state_dict()  # type: ignore[index, union-attr]
    assert all(not torch.equal(main[name], aux[name]) for name in main)
    assert all(torch.equal(v, again.state_dict()[n]) for n, v in first.state_dict().items())


def test_without_a_target_what_is_left_is_supervised() -> None:
    """Both heads' cross-entropy, as with a target."""
    with_target, without = (
        toy.objective("adversarial", {**ADVENT, "weight": 0.0, "aux_weight": 0.0}) for _ in range(2)
    )
    first, second = toy.losses(with_target, batch()), toy.losses(without, batch(target=False))
    assert set(second) == {"model"} and set(second["model"]) == {"source_ce", "aux_source_ce"}
    for name, value in second["model"].items():
        torch.testing.assert_close(value, first["model"][name])


def test_terms_without_the_head_or_the_images_they_need_are_refused() -> None:
    """An auxiliary term on a network without that head, and adversarial training without target images."""
    method = toy.objective("adversarial", ADVENT, model=toy.network())
    with pytest.raises(UserError, match="auxiliary head"):
        toy.losses(method, batch())
    with pytest.raises(UserError, match=r"adversarial with batch\.target = 0"):
        check_batch(Part(name="adversarial"), toy.training(batch=BatchSize(source=2)))


def test_the_discriminator_has_the_rate_of_its_round() -> None:
    rates = {"name": "adam", "lr": [3e-5, 1e-5]}
    for number, rate in ((0, 3e-5), (1, 3e-5), (2, 1e-5), (3, 1e-5)):
        method = toy.objective("adversarial", {"discriminator_optimiser": rates}, round=number)
        assert method.optimisers["discriminator"][1].lr == rate


def test_minent_lowers_the_entropy_of_the_target() -> None:
    """Its only term on the target is the mean normalised entropy of each head; no discriminator is trained."""
    method = toy.objective("adversarial", {"weight": 0.0, "entropy": 0.5, "aux_entropy": 0.1, "aux_ce": 0.1})
    assert method.modules == {} and method.optimisers == {}
    named = toy.losses(method, batch())["model"]
    assert set(named) == {"source_ce", "target_entropy", "aux_source_ce", "aux_target_entropy"}
    assert 0 < named["target_entropy"].item() < 1 and method.weights["target_entropy"] == 0.5
