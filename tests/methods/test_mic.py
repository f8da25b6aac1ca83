"""Masked image consistency on every objective that learns labels of the target (arrays: tests/parity/test_mic.py)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import BatchSize
from udamlf.config.compose import resolve
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.methods.mic import block_mask, mask_grid
from udamlf.runs.plan import modules
from udamlf.training.objective import OBJECTIVES, BaseObjective, Batch

MASK = {"mask_block": 8, "mask_ratio": 0.5}
HOSTS: dict[str, dict[str, Any]] = {
    "self_training": toy.PARAMS["self_training"],
    "crst": toy.PARAMS["crst"],
    "hiast": {"source_weight": 1.0},
    "distillation": {},
    "proda": {},
    "ema_mix": toy.PARAMS["ema_mix"] | {"joint_batch": False},
}
SEEN = {"self_training": "", "crst": "student", "hiast": "strong", "distillation": ""}  # view that the student sees


def built(host: str, **mask: Any) -> BaseObjective:
    """The host, or the host with a masked term, in a budget of one step whose losses are on every second pixel."""
    name, params = (f"{host}+mic", HOSTS[host] | MASK | mask) if mask else (host, HOSTS[host])
    return toy.objective(name, params, toy.training(steps=1, loss_stride=2))


def named_losses(objective: BaseObjective, batch: Batch) -> dict[str, Tensor]:
    objective.model.train()
    return toy.losses(objective, batch)["model"]


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_stays_what_it_is(host: str) -> None:
    """Its losses are bit by bit its own, its teacher is asked as often, with weight 0 a step moves the network as it
    does; with weight 1 it moves elsewhere."""
    losses, passes, moved = [], [], []
    for objective in (built(host), built(host, mask_weight=0), built(host, mask_weight=1)):
        asked: list[int] = []
        teacher = getattr(objective, "teacher", None) or getattr(objective, "labeller", None)
        if teacher is not None:
            teacher.register_forward_hook(lambda *_, asked=asked: asked.append(1))
        losses.append(named_losses(objective, toy.batch(objective)))
        passes.append(len(asked))
        toy.trainer(objective).run()
        moved.append([parameter.detach().clone() for parameter in objective.model.parameters()])
    for with_mic, weight in zip(losses[1:], (0, 1), strict=True):
        assert (with_mic.pop("masked_ce").item() > 0) == bool(weight)
        assert with_mic.keys() == losses[0].keys()
        assert all(torch.equal(value, losses[0][name]) for name, value in with_mic.items())
    assert len(set(passes)) == 1
    assert all(torch.equal(a, b) for a, b in zip(moved[0], moved[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(moved[0], moved[2], strict=True))


@pytest.mark.parametrize("host", SEEN)
def test_stored_labels_are_learnt_from_what_is_visible(host: str) -> None:
    """The cross-entropy over the labelled pixels of what the student sees of the target, half of its squares hidden."""
    objective = built(host, mask_weight=1)
    batch = toy.batch(objective)
    target = batch.target
    assert target is not None
    value = named_losses(objective, batch)["masked_ce"]
    visible = target.maps["visible"]
    squares = visible[:, ::8, ::8]
    assert torch.equal(visible, squares.repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert 0 < float(squares.float().mean()) < 1
    images = (target.views[SEEN[host]] if SEEN[host] else target.images) * visible[:, None]
    labels = target.labels[:, 1::2, 1::2]
    assert (labels == IGNORE).any()
    logits = F.interpolate(objective.model(images).logits, labels.shape[1:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(value, F.cross_entropy(logits, labels, ignore_index=IGNORE))


def test_proda_gives_the_labels_that_it_has_rectified() -> None:
    """On a grid of every fourth pixel; the prototypes move on what one pass of the teacher gives."""
    objective: Any = built("proda", mask_weight=1)
    batch = toy.batch(objective)
    target = batch.target
    assert target is not None
    value = named_losses(objective, batch)["masked_ce"]
    assert len(objective.means) == 1
    labels = objective.teach(target).labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    images = target.images * target.maps["visible"][:, None]
    logits = F.interpolate(objective.model(images).logits, labels.shape[1:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(value, F.cross_entropy(logits, labels, ignore_index=IGNORE))


def test_one_name_puts_it_on_the_rounds_of_a_method() -> None:
    """The host's parameters stay where they are, and the key of a round has the code of both."""
    overrides = ("method.round.objective.name=hiast+mic", "method.round.objective.mask_block=16")
    config = resolve("gta2city", "hiast", overrides=overrides)
    params = OBJECTIVES.params(config.method.round_at(2).objective)
    assert (params.decay, params.mask_block, params.mask_ratio) == (0.98, 16, 0.7)
    assert {"udamlf.methods.hiast", "udamlf.methods.mic"} <= set(modules(config, "self_train", 2))


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("hiast+mic", {"deacy": 0.9}, "decay"),
        ("hiast+mic", {"mask_blok": 8}, "mask_block"),
        ("hist+mic", {}, "hiast"),
        ("hiast+mik", {}, "mic"),
        ("mic+hiast", {}, "`on`"),
        ("hiast+mic+mic", {}, "learns labels of the target"),
        ("supervised+mic", {}, "learns labels of the target"),
        ("dense_contrast+mic", {}, "learns labels of the target"),
    ],
)
def test_what_it_cannot_be_put_on_is_refused(name: str, params: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        OBJECTIVES.params(Part(name=name, **params))


def test_stacked_with_the_source_the_target_is_plain() -> None:
    """Alone it is seen as the host's student sees it."""
    for masked, view in (("target", lambda target: target.views["strong"]), ("both", lambda target: target.images[:1])):
        objective = built("hiast", masked=masked)
        batch = toy.batch(objective)
        assert batch.target is not None
        ((images, _),) = objective.further_terms(batch, batch.target.labels)  # type: ignore[attr-defined]
        expected = view(batch.target)
        expected = expected * batch.target.maps["visible"][: len(expected)].unsqueeze(1)
        torch.testing.assert_close(images[-len(expected) :], expected)


@pytest.mark.parametrize("side", [82, 94, 110, 122, 123, 256, 511, 1024])
@pytest.mark.parametrize("block", [16, 24, 32, 48, 64])
def test_a_mask_is_enlarged_as_torch_does(side: int, block: int) -> None:
    """At some of these sizes integers give another row."""
    grid = mask_grid((side, 40), block)
    draws = np.arange(np.prod(grid)).reshape(grid) % 2 + 0.25
    expected = F.interpolate(torch.from_numpy(draws > 1)[None, None].float(), (side, 40), mode="nearest")
    assert np.array_equal(block_mask(draws, (side, 40), 1.0), expected[0, 0].numpy())


@pytest.mark.parametrize("batch", [{"source": 0, "target": 2}, {"source": 1, "target": 1, "mixed": True}])
def test_masked_source_images_need_some_in_each_batch(batch: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="masked=both"):
        toy.objective("self_training+mic", {"masked": "both"}, toy.training(batch=BatchSize(**batch)))
