"""CRST: which pixels its regularisers count, and soft labels made in the step from the frozen labeller."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.losses import cross_entropy, entropy, kl_to_uniform
from udamlf.methods.crst import CrstParams, Objective, lrent, mrent, mrkld, one_hot
from udamlf.selection.class_balanced import entropy_regularised
from udamlf.training.objective import Batch, check_published

LOGITS = torch.randn(2, 5, 3, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(5, (2, 3, 5), generator=torch.Generator().manual_seed(1))
LABELS[0, 0] = IGNORE
VALID = LABELS != IGNORE
THRESHOLDS = toy.published()["thresholds"]


def objective(thresholds: np.ndarray | None = THRESHOLDS, **params: Any) -> Objective:
    """``crst`` in a first round; the labeller is another network than the student."""
    budget = toy.training(augmentation=Augmentation(crop_hw=(toy.HEIGHT, toy.HEIGHT)), loss_stride=2)
    context = toy.objective("supervised", budget=budget).context
    divisors = None if thresholds is None else np.nan_to_num(thresholds, nan=np.inf).astype(np.float32)
    published = {} if thresholds is None else {"thresholds": thresholds, "divisors": divisors}
    return Objective(CrstParams(**params), dataclasses.replace(context, published=published))


def target_alone(objective: Objective) -> Batch:
    """The first batch without its source, so that the target has BatchNorm statistics of its own."""
    return dataclasses.replace(toy.batch(objective), source=None)


def soft_labels(batch: Batch, alpha: float, thresholds: np.ndarray = THRESHOLDS) -> Tensor:
    """The definition: the labeller's probabilities over the thresholds, to the power 1 / alpha, normalised."""
    assert batch.target is not None
    labeller = toy.network(seed=toy.SEED + 1, aux=True).eval()
    labels = batch.target.labels[:, 1::2, 1::2]
    with torch.no_grad():
        scores = labeller.upsample(labeller(batch.target.images).logits, tuple(labels.shape[1:])).softmax(1)
    weights = torch.from_numpy(np.where(np.isnan(thresholds), np.inf, thresholds)).float().view(1, -1, 1, 1)
    powers = (scores.double() / weights) ** (1 / alpha)
    return (powers / powers.sum(1, keepdim=True)).float() * (labels != IGNORE)[:, None]


def test_the_regularisers_are_means_over_the_labelled_pixels() -> None:
    torch.testing.assert_close(mrkld(LOGITS, LABELS), kl_to_uniform(LOGITS, VALID))
    torch.testing.assert_close(mrent(LOGITS, LABELS), -entropy(LOGITS, VALID))
    assert mrent(torch.zeros_like(LOGITS), LABELS).item() == pytest.approx(-math.log(5))
    alone = mrkld(LOGITS[1:], LABELS[1:])
    torch.testing.assert_close(mrkld(LOGITS, LABELS, torch.tensor([0.0, 0.1])), 0.1 * alone)


def test_nothing_to_regularise_is_zero_with_a_gradient() -> None:
    nothing = torch.full_like(LABELS, IGNORE)
    for term in (lambda z: mrkld(z, nothing), lambda z: mrent(z, nothing), lambda z: mrkld(z, LABELS, torch.zeros(2))):
        logits = LOGITS.clone().requires_grad_()
        value = term(logits)
        assert value.item() == 0
        value.backward()
        assert logits.grad is not None and bool(logits.grad.isfinite().all())


def test_lrent_of_hard_labels_is_the_weighted_cross_entropy() -> None:
    """One-hot soft labels, with and without class weights, and all pixels ignored."""
    hard = F.one_hot(LABELS.masked_fill(~VALID, 0), 5).permute(0, 3, 1, 2) * VALID.unsqueeze(1)
    assert torch.equal(one_hot(LABELS, 5), hard.float())
    nothing = torch.zeros_like(LOGITS)
    for weights in (None, torch.tensor([0.3, 1.0, 2.0, 4.0, 0.5])):
        torch.testing.assert_close(lrent(LOGITS, hard.float(), weights), cross_entropy(LOGITS, LABELS, weights))
        assert lrent(LOGITS, nothing, weights) == 0


def test_lrent_learns_from_the_labellers_soft_labels() -> None:
    """The target's loss is cross-entropy against y_c ~ (p_c / t_c)^(1/alpha), p of the frozen network in the crop."""
    method = objective(lrent=0.25)
    batch = target_alone(method)
    assert batch.target is not None
    method.model.train()
    logits, _ = method.at_loss_resolution(method.model(batch.target.images).logits, batch.target.labels)
    expected = lrent(logits, soft_labels(batch, 0.25))
    torch.testing.assert_close(toy.losses(method, batch)["model"]["target_ce"], expected, rtol=1e-4, atol=1e-5)


def test_a_class_without_a_threshold_has_no_share() -> None:
    """nan, as published, takes the class out of every soft label; without any threshold they are finite."""
    method = objective(lrent=0.25)
    target = toy.batch(method).target
    assert target is not None
    labels = method.maps_at_loss_resolution(target.labels)
    soft = method.soft_labels(target.images, labels)
    assert (soft[:, 3] == 0).all()
    torch.testing.assert_close(soft.sum(1), (labels != IGNORE).float())
    assert bool(entropy_regularised(torch.rand(5, 4, 4), torch.full((5,), torch.inf))[0].isfinite().all())


def test_the_labeller_stays_frozen_while_the_student_learns() -> None:
    """After a training its tensors are the previous network's, bit by bit, and no state holds them."""
    method = objective(lrent=0.25, lrent_jitter=0.4)
    before = {name: value.clone() for name, value in method.model.state_dict().items()}
    loop = toy.trainer(method)
    loop.run()
    fresh = toy.network(seed=toy.SEED + 1, aux=True).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in method.labeller.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in method.model.state_dict().items())
    assert set(loop.state.modules) == {"model"}


def test_the_students_jitter_leaves_the_labellers_view_clean() -> None:
    """With ``lrent_jitter`` the batch holds the clean crop and another view of the same pixels for the student."""
    plain, jittered = (toy.batch(objective(lrent=0.25, lrent_jitter=j)).target for j in (0.0, 0.8))
    assert plain is not None and jittered is not None
    assert torch.equal(plain.images, jittered.images) and torch.equal(plain.labels, jittered.labels)
    assert not torch.equal(jittered.views["student"], jittered.images)


@pytest.mark.parametrize("pool", ["pixels", "domains"])
def test_with_alpha_towards_zero_lrent_is_cbst(pool: str) -> None:
    """With thresholds of one value a soft label becomes the one-hot argmax of the labeller: plain cross-entropy."""
    same = np.full(toy.SPACE.num_classes, 0.3)
    soft, hard = objective(same, pool=pool, lrent=1e-3), objective(same, pool=pool)
    batch = toy.batch(soft)
    assert batch.target is not None
    labels = soft_labels(batch, 1.0, same).argmax(1)
    coarse = batch.target.labels[:, 1::2, 1::2]
    coarse.copy_(torch.where(coarse != IGNORE, labels, IGNORE))
    named = [toy.losses(method, batch)["model"] for method in (soft, hard)]
    assert named[0].keys() == named[1].keys()
    for name in named[0]:
        torch.testing.assert_close(named[0][name], named[1][name], rtol=1e-3, atol=1e-4)


def test_lrent_needs_labels_and_plain_probabilities() -> None:
    """Without pseudo-labels there is no threshold; thresholds below 1/C are of scores times a prior."""
    with pytest.raises(UserError, match="needs 'thresholds' of the labels"):
        check_published(Part(name="crst", lrent=0.25), ())
    with pytest.raises(UserError, match="prior"):
        objective(THRESHOLDS * 1e-5, lrent=0.25)
    objective(np.full(5, np.nan), lrent=0.25)


def test_the_regularisers_are_taken_on_the_labelled_target() -> None:
    """Ignored pixels and the source take no part."""
    method = objective(mrkld=0.01, mrent=0.02)
    batch = target_alone(method)
    assert batch.target is not None
    named = toy.losses(method, batch)["model"]
    logits, labels = method.at_loss_resolution(method.model(batch.target.images).logits, batch.target.labels)
    torch.testing.assert_close(named["target_mrkld"], mrkld(logits, labels))
    torch.testing.assert_close(named["target_mrent"], mrent(logits, labels))
    assert method.weights["target_mrkld"] == 0.01 and method.weights["target_mrent"] == 0.02
