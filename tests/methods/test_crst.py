"""CRST's regularisers in a training step: soft labels made from the frozen generator, tempered confidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import toy
from udamlf.config import Augmentation, Part
from udamlf.data.batches import Batches
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.losses.basic import cross_entropy, kl_to_uniform
from udamlf.losses.crst import lrent, one_hot
from udamlf.methods import base
from udamlf.methods.base import BaseObjective, Batch, Context
from udamlf.selection.crst import entropy_regularised
from udamlf.training.loop import Trainer, to_domain

THRESHOLDS = np.array([0.3, 0.25, 0.4, np.nan, 0.35])


def objective(params: dict[str, Any], thresholds: np.ndarray | None = THRESHOLDS) -> BaseObjective:
    """``self_training`` in a first round; the generator is another network than the student."""
    budget = toy.training(
        augmentation=Augmentation(crop_hw=(toy.HEIGHT, toy.HEIGHT)), loss_stride=2, batch={"source": 2, "target": 2}
    )
    context = Context(
        model=toy.network(),
        space=toy.SPACE,
        training=budget,
        round=1,
        seed=toy.SEED,
        device=torch.device("cpu"),
        label_extras={} if thresholds is None else {"thresholds": thresholds},
        teacher=lambda: toy.network(seed=toy.SEED + 1),
    )
    return base.build(Part(name="self_training", **params), context)


def batch(chosen: BaseObjective) -> Batch:
    """The first batch of the training."""
    prepared = Batches(Trainer(chosen, toy.streams(chosen), toy.SEED, "toy").streams, 0, 1, workers=0).at(0)
    moved = {name: to_domain(given, chosen.model, torch.device("cpu"), slice(None)) for name, given in prepared.items()}
    return Batch(0, 0, toy.SEED, moved["source"], moved["target"])


def soft_labels(given: Batch, alpha: float, thresholds: np.ndarray = THRESHOLDS) -> Tensor:
    """The definition: the generator's probabilities over the thresholds, to the power 1 / alpha, normalised."""
    assert given.target is not None
    generator = toy.network(seed=toy.SEED + 1).eval()
    labels = given.target.labels[:, 1::2, 1::2]
    with torch.no_grad():
        scores = generator.upsample(generator(given.target.images).logits, tuple(labels.shape[1:])).softmax(1)
    weights = torch.from_numpy(np.where(np.isnan(thresholds), np.inf, thresholds)).float().view(1, -1, 1, 1)
    powers = (scores.double() / weights) ** (1 / alpha)
    return (powers / powers.sum(1, keepdim=True)).float() * (labels != IGNORE)[:, None]


def test_lrent_learns_from_the_generators_soft_labels() -> None:
    """The target's loss is cross-entropy against y_c ~ (p_c / t_c)^(1/alpha), p of the frozen network in the crop."""
    chosen = objective({"lrent": 0.25, "joint_batch": False})
    given = batch(chosen)
    found = chosen.losses(given)["model"]["target_ce"]
    assert given.target is not None
    chosen.model.train()
    logits, _ = chosen.at_loss_resolution(chosen.model(given.target.images).logits, given.target.labels)
    expected = lrent(logits, soft_labels(given, 0.25))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_class_without_a_threshold_has_no_share() -> None:
    """nan, as published, takes the class out of every soft label."""
    chosen = objective({"lrent": 0.25})
    given = batch(chosen)
    assert given.target is not None
    labels = chosen.maps_at_loss_resolution(given.target.labels)
    soft = chosen.generator(given.target.images, labels)  # type: ignore[attr-defined]
    assert (soft[:, 3] == 0).all()
    kept = labels != IGNORE
    torch.testing.assert_close(soft.sum(1), kept.float())


def test_the_generator_stays_frozen_while_the_student_learns() -> None:
    """After a training the generator's tensors are the previous network's, bit by bit, and no optimiser holds them."""
    chosen = objective({"lrent": 0.25, "lrent_jitter": 0.4})
    before = {name: value.clone() for name, value in chosen.model.state_dict().items()}
    loop = Trainer(chosen, toy.streams(chosen), toy.SEED, "toy")
    loop.run()
    frozen = chosen.generator.network  # type: ignore[attr-defined]
    fresh = toy.network(seed=toy.SEED + 1).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in frozen.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in chosen.model.state_dict().items())
    assert "generator" not in loop.state.modules


def test_the_students_jitter_leaves_the_generators_view_clean() -> None:
    """With ``lrent_jitter`` the batch holds the clean crop and another view of the same pixels for the student."""
    plain, jittered = batch(objective({"lrent": 0.25})), batch(objective({"lrent": 0.25, "lrent_jitter": 0.8}))
    assert plain.target is not None and jittered.target is not None
    assert torch.equal(plain.target.images, jittered.target.images)
    assert torch.equal(plain.target.labels, jittered.target.labels)
    assert not torch.equal(jittered.target.views["student"], jittered.target.images)


@pytest.mark.parametrize("pool", ["pixels", "domains"])
def test_with_alpha_towards_zero_lrent_is_cbst(pool: str) -> None:
    """With thresholds of one value a soft label becomes the one-hot argmax of the generator: plain cross-entropy."""
    same = np.full(toy.SPACE.num_classes, 0.3)
    soft, hard = (objective({"pool": pool, **more}, same) for more in ({"lrent": 1e-3}, {}))
    given = batch(soft)
    assert given.target is not None
    predicted = soft_labels(given, 1.0, same).argmax(1)
    coarse = given.target.labels[:, 1::2, 1::2]
    coarse.copy_(torch.where(coarse != IGNORE, predicted, IGNORE))
    named = [chosen.losses(given)["model"] for chosen in (soft, hard)]
    assert named[0].keys() == named[1].keys()
    for name in named[0]:
        torch.testing.assert_close(named[0][name], named[1][name], rtol=1e-3, atol=1e-4)


def test_lrent_needs_labels_and_plain_probabilities() -> None:
    """Without pseudo-labels there is no threshold; thresholds below 1/C are of scores times a prior."""
    with pytest.raises(UserError, match="without pseudo-labels"):
        objective({"lrent": 0.25}, None)
    with pytest.raises(UserError, match="prior"):
        objective({"lrent": 0.25}, THRESHOLDS * 1e-5)
    objective({"lrent": 0.25}, np.full(5, np.nan))


def test_mrkld_and_mrent_are_taken_on_the_labelled_target() -> None:
    """MRKLD is IAST's KL per pixel; MRENT the mean negative entropy; both leave ignored pixels and the source out."""
    chosen = objective({"mrkld": 0.01, "mrent": 0.02, "joint_batch": False})
    given = batch(chosen)
    assert given.target is not None
    named = chosen.losses(given)["model"]
    logits, labels = chosen.at_loss_resolution(chosen.model(given.target.images).logits, given.target.labels)
    torch.testing.assert_close(named["target_mrkld"], kl_to_uniform(logits, labels != IGNORE))
    p = logits.softmax(1)
    expected = (p * p.log()).sum(1)[labels != IGNORE].mean()
    torch.testing.assert_close(named["target_mrent"], expected)
    assert chosen.weights["target_mrkld"] == 0.01 and chosen.weights["target_mrent"] == 0.02


def test_lrent_of_hard_labels_is_the_weighted_cross_entropy() -> None:
    """One-hot soft labels, with and without class weights, and all pixels ignored."""
    logits = torch.randn(2, 5, 6, 7, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(0, 5, (2, 6, 7), generator=torch.Generator().manual_seed(2))
    labels[0, :3] = IGNORE
    weights = torch.tensor([0.3, 1.0, 2.0, 4.0, 0.5])
    for given in (None, weights):
        torch.testing.assert_close(lrent(logits, one_hot(labels, 5), given), cross_entropy(logits, labels, given))
    nothing = one_hot(torch.full_like(labels, IGNORE), 5)
    assert lrent(logits, nothing) == 0 and lrent(logits, nothing, weights) == 0


def test_soft_labels_without_any_threshold_are_finite() -> None:
    """No class has a threshold: nothing is kept, nothing is nan."""
    found = entropy_regularised(torch.rand(5, 4, 4), torch.full((5,), torch.inf))
    assert bool(found.soft.isfinite().all()) and not bool(found.kept.any())
