"""Small-class mining in the training stream: crops move onto what was predicted least, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import toy
from udamlf.config import Augmentation
from udamlf.data.augment.geometry import Geometry
from udamlf.data.batches import Stream
from udamlf.data.labels import IGNORE
from udamlf.data.view import SampleHooks, View
from udamlf.errors import UserError
from udamlf.methods.self_training import Objective
from udamlf.seeding import rng
from udamlf.selection.base import build
from udamlf.selection.mining import Miner, MiningParams

HEIGHT, WIDTH, RARE = 40, 64, 3
SIZES = np.array([9000, 5000, 700, 2, 300])
SQUARE = {"crop_hw": (12, 12), "scale_range": (1.0, 1.0)}
SCALED = {"crop_hw": (12, 20), "scale_range": (0.7, 1.3)}


def frame(top: int = 20, left: int = 30) -> View:
    """Class 0 everywhere but for a rare patch of 2x2 pixels; the image shows the label in red."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[top : top + 2, left : left + 2] = RARE
    image = np.stack([label * 60, label, label], -1)
    return View(image, label)


def hooks(**mining: Any) -> SampleHooks:
    """The hooks of ``self_training`` with these mining parameters and published class sizes."""
    chosen = toy.objective("self_training", {"mining": mining} if mining else None)
    assert isinstance(chosen, Objective)
    chosen.miner = Miner(MiningParams(**mining), SIZES) if mining else None
    return chosen


def stream(part: SampleHooks, domain: str = "target", view: View | None = None, **geometry: Any) -> Stream:
    given_view = view or frame()
    return Stream(domain, lambda index: given_view, 1, Augmentation(**(geometry or SQUARE)), 0.0, toy.SEED, part)


def box(chosen: Stream, number: int) -> Geometry:
    cut = chosen.sample(number)[0].cut
    assert cut is not None and isinstance(cut.geometry, Geometry)
    return cut.geometry


def rare_crops(chosen: Stream, count: int = 60) -> float:
    return float(np.mean([(chosen.sample(number)[0].label == RARE).any() for number in range(count)]))


@pytest.mark.parametrize("rule", ["interior", "anywhere"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_every_mined_crop_shows_the_rare_class(rule: str, flip: float) -> None:
    """With probability 1 each crop holds the class, mirrored or not; without mining few do."""
    mined = stream(hooks(probability=1.0, rule=rule), **SQUARE, flip=flip)
    assert rare_crops(mined) == 1.0
    assert rare_crops(stream(hooks(), **SQUARE, flip=flip)) < 0.5


def test_mined_crops_of_changing_scale_show_it_too() -> None:
    """The box keeps the size that was drawn for it, and with it the scale jitter."""
    mined, plain = stream(hooks(probability=1.0, rule="anywhere"), **SCALED), stream(hooks(), **SCALED)
    assert rare_crops(mined) == 1.0
    for number in range(20):
        moved, drawn = box(mined, number), box(plain, number)
        assert (moved.height, moved.width, moved.flip) == (drawn.height, drawn.width, drawn.flip)


def test_probability_is_how_often_a_crop_is_moved() -> None:
    """Between none and all of them; 0 gives the very samples of a stream without mining."""
    share = rare_crops(stream(hooks(probability=0.5), **SQUARE), 200)
    assert 0.4 < share < 0.75
    never, plain = stream(hooks(probability=0.0), **SQUARE), stream(hooks(), **SQUARE)
    for number in range(10):
        assert np.array_equal(never.sample(number)[0].label, plain.sample(number)[0].label)


def test_only_the_named_domains_are_mined() -> None:
    """CRST mines the target alone."""
    part = hooks(probability=1.0, domains=("target",))
    assert rare_crops(stream(part, "target", **SQUARE)) == 1.0
    assert rare_crops(stream(part, "source", **SQUARE)) < 0.5


def test_ignored_pixels_are_not_mined() -> None:
    """A pseudo-label's unselected pixels are no class, so that a frame without the class gets its random crop."""
    empty = frame()
    empty.label[empty.label == RARE] = IGNORE
    mined, plain = (stream(part, view=empty, **SQUARE) for part in (hooks(probability=1.0), hooks()))
    for number in range(10):
        assert box(mined, number) == box(plain, number)


def test_priority_classes_come_before_the_rarest() -> None:
    """Classes under ``below`` of the predicted pixels win; without one, the rarest do (CBST) or nothing (CRST)."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[18:20, 20:22], label[18:20, 40:42] = RARE, 4
    drawn = Geometry(0, 0, 12, 12, (12, 12))
    miner = Miner(MiningParams(probability=1.0), SIZES)
    assert miner.priority == [RARE] and miner.rarest == [RARE, 4, 2]
    for seed in range(10):
        placed = miner.place(label, drawn, rng(seed))
        assert (label[placed.top : placed.top + 12, placed.left : placed.left + 12] == RARE).any()
    label[label == RARE] = 0
    placed = miner.place(label, drawn, rng(0))
    assert (label[placed.top : placed.top + 12, placed.left : placed.left + 12] == 4).any()
    crst = Miner(MiningParams(probability=1.0, rule="anywhere"), SIZES)
    assert crst.place(label, drawn, rng(0)) == drawn


def test_a_whole_frame_is_left_as_it_is() -> None:
    """It shows every class already; the miniature trains on whole frames."""
    mined, plain = stream(hooks(probability=1.0), flip=0.5), stream(hooks(), flip=0.5)
    for number in range(6):
        assert np.array_equal(mined.sample(number)[0].image, plain.sample(number)[0].image)


def test_the_interior_rule_asks_for_square_crops() -> None:
    """Its published form has one side; a rectangle is an error that names the other rule."""
    with pytest.raises(UserError, match="anywhere"):
        rare_crops(stream(hooks(probability=1.0, rule="interior"), **SCALED), 5)


def test_without_class_sizes_there_is_no_mining() -> None:
    """IAST's selector publishes none: the option is then without effect."""
    chosen = toy.objective("self_training", {"mining": {"probability": 1.0}})
    assert isinstance(chosen, Objective) and chosen.miner is None


def test_a_global_threshold_publishes_the_sizes_of_classes() -> None:
    """The released code gives ST equal sizes and so mines road, sidewalk and building; ours are the predicted ones."""
    selector = build("global", {"portion": 0.5}, toy.SPACE, 1)
    scores = torch.full((5, 4, 6), 0.1)
    scores[1, :3], scores[4, 3] = 0.6, 0.6
    selector.observe(scores, 0)
    selector.end_pass()
    assert selector.extras()["class_sizes"].tolist() == [0, 18, 0, 0, 6]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 60),
    width=st.integers(1, 90),
    flip=st.booleans(),
    rule=st.sampled_from(["interior", "anywhere"]),
)
def test_a_placed_box_keeps_its_size_and_meets_the_frame(
    seed: int, height: int, width: int, flip: bool, rule: str
) -> None:
    """Whatever the label: the same size and mirror; a box that fits stays inside the frame."""
    label = rng(seed, "label").choice(np.array([0, 1, RARE, 4, IGNORE], np.uint8), (HEIGHT, WIDTH))
    if rule == "interior":
        width = height
    drawn = Geometry(0, 0, height, width, (8, 8), flip)
    placed = Miner(MiningParams(probability=1.0, rule=rule), SIZES).place(label, drawn, rng(seed))
    assert (placed.height, placed.width, placed.flip) == (height, width, flip)
    if height <= HEIGHT:
        assert 0 <= placed.top <= HEIGHT - height
    if width <= WIDTH:
        assert 0 <= placed.left <= WIDTH - width
