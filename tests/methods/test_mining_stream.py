"""Small-class mining in the training stream: crops move onto what was predicted least, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import toy
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.data.batches import Stream
from udamlf.data.geometry import Geometry
from udamlf.data.mining import Miner, Rule
from udamlf.data.sample import Sample
from udamlf.methods.self_training import Objective
from udamlf.selection.base import build

HEIGHT, WIDTH, RARE = 40, 64, 3
SIZES = np.array([9000, 5000, 700, 2, 300])
SQUARE = {"crop_hw": (12, 12), "scale_range": (1.0, 1.0)}
SCALED = {"crop_hw": (12, 20), "scale_range": (0.7, 1.3)}


def frame(top: int = 20, left: int = 30) -> Sample:
    """Class 0 everywhere but for a rare patch of 2x2 pixels; the image shows the label in red."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[top : top + 2, left : left + 2] = RARE
    image = np.stack([label * 60, label, label], -1)
    return Sample(image, label)


def stream(
    rule: Rule | None, probability: float = 1.0, domain: str = "target", view: Sample | None = None, **geometry: Any
) -> Stream:
    """Samples of ``self_training`` with this rule and published class sizes."""
    method = toy.objective("self_training")
    assert isinstance(method, Objective)
    method.miner = Miner(rule, SIZES, probability) if rule else None
    sample = view or frame()
    return Stream(domain, lambda index: sample, 1, Augmentation(**(geometry or SQUARE)), toy.SEED, method.prepare)


def box(method: Stream, number: int) -> Geometry:
    cut = method.sample(number)[0].cut
    assert cut is not None and isinstance(cut.geometry, Geometry)
    return cut.geometry


def rare_crops(method: Stream, count: int = 60) -> float:
    return float(np.mean([(method.sample(number)[0].label == RARE).any() for number in range(count)]))


@pytest.mark.parametrize("rule", ["cbst", "crst"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_every_mined_crop_shows_the_rare_class(rule: Rule, flip: float) -> None:
    """With probability 1 each crop holds the class, mirrored or not; without mining few do."""
    assert rare_crops(stream(rule, **SQUARE, flip=flip)) == 1.0
    assert rare_crops(stream(None, **SQUARE, flip=flip)) < 0.5


def test_mined_crops_of_changing_scale_show_it_too() -> None:
    """The box keeps the size that was drawn for it, and with it the scale jitter."""
    mined, plain = stream("crst", **SCALED), stream(None, **SCALED)
    assert rare_crops(mined) == 1.0
    for number in range(20):
        moved, still = box(mined, number), box(plain, number)
        assert (moved.height, moved.width, moved.flip) == (still.height, still.width, still.flip)


def test_probability_is_how_often_a_crop_is_moved() -> None:
    """Between none and all of them; 0 gives the very samples of a stream without mining."""
    assert 0.4 < rare_crops(stream("cbst", 0.5), 200) < 0.75
    never, plain = stream("cbst", 0.0), stream(None)
    for number in range(10):
        assert np.array_equal(never.sample(number)[0].label, plain.sample(number)[0].label)


def test_crst_mines_the_target_alone() -> None:
    assert rare_crops(stream("crst")) == 1.0
    assert rare_crops(stream("crst", domain="source")) < 0.5
    assert rare_crops(stream("cbst", domain="source")) == 1.0


def test_ignored_pixels_are_not_mined() -> None:
    """A pseudo-label's unselected pixels are no class, so that a frame without the class gets its random crop."""
    empty = frame()
    empty.label[empty.label == RARE] = IGNORE
    mined, plain = stream("cbst", view=empty), stream(None)
    for number in range(10):
        assert box(mined, number) == box(plain, number)


def test_priority_classes_come_before_the_rarest() -> None:
    """Classes under 0.001 of the predicted pixels win; without one, the rarest do (CBST) or nothing (CRST)."""
    label = np.zeros((HEIGHT, WIDTH), np.uint8)
    label[18:20, 20:22], label[18:20, 40:42] = RARE, 4
    geometry = Geometry(0, 0, 12, 12, (12, 12))
    miner = Miner("cbst", SIZES, 1.0)
    assert miner.priority == [RARE] and miner.rarest == [RARE, 4, 2]
    for seed in range(10):
        placed = miner.place(label, geometry, rng(seed))
        assert (label[placed.top : placed.top + 12, placed.left : placed.left + 12] == RARE).any()
    label[label == RARE] = 0
    placed = miner.place(label, geometry, rng(0))
    assert (label[placed.top : placed.top + 12, placed.left : placed.left + 12] == 4).any()
    assert Miner("crst", SIZES, 1.0).place(label, geometry, rng(0)) == geometry


def test_a_whole_frame_is_left_as_it_is() -> None:
    """It shows every class already; the miniature trains on whole frames."""
    mined, plain = stream("cbst", flip=0.5), stream(None, flip=0.5)
    for number in range(6):
        assert np.array_equal(mined.sample(number)[0].image, plain.sample(number)[0].image)


def test_cbst_asks_for_square_crops() -> None:
    """Its published form has one side; a rectangle is an error that names the other rule."""
    with pytest.raises(UserError, match="crst"):
        rare_crops(stream("cbst", **SCALED), 5)


def test_mining_without_class_sizes_is_refused() -> None:
    """IAST's selector publishes none: the option would be without effect."""
    with pytest.raises(UserError, match="needs 'class_sizes' of the labels"):
        toy.objective("self_training", {"mining": "cbst"})


def test_a_global_threshold_publishes_the_sizes_of_classes() -> None:
    """The released code gives ST equal sizes and so mines road, sidewalk and building; ours are the predicted ones."""
    selector = build(Part(name="global", portion=0.5), toy.SPACE, 1)
    scores = torch.full((5, 4, 6), 0.1)
    scores[1, :3], scores[4, 3] = 0.6, 0.6
    selector.observe(scores, 0)
    selector.finish()
    assert selector.publish().arrays["class_sizes"].tolist() == [0, 18, 0, 0, 6]


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 60),
    width=st.integers(1, 90),
    flip=st.booleans(),
    rule=st.sampled_from(["cbst", "crst"]),
)
def test_a_placed_box_keeps_its_size_and_meets_the_frame(
    seed: int, height: int, width: int, flip: bool, rule: Rule
) -> None:
    """Whatever the label: the same size and mirror; a box that fits stays inside the frame."""
    label = rng(seed, "label").choice(np.array([0, 1, RARE, 4, IGNORE], np.uint8), (HEIGHT, WIDTH))
    if rule == "cbst":
        width = height
    geometry = Geometry(0, 0, height, width, (8, 8), flip)
    placed = Miner(rule, SIZES, 1.0).place(label, geometry, rng(seed))
    assert (placed.height, placed.width, placed.flip) == (height, width, flip)
    if height <= HEIGHT:
        assert 0 <= placed.top <= HEIGHT - height
    if width <= WIDTH:
        assert 0 <= placed.left <= WIDTH - width
