"""IAST's selector: identical to its definition, sequential, and defined for every edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.helpers import label_maps, probabilities
from tests.selection.helpers import make as make_any
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.methods.hiast import candidate_lists, hard_classes, sampling_probabilities
from udamlf.selection.base import keep_above
from udamlf.selection.instance_adaptive import Selector, step


def make(round: int = 1, **params: Any) -> Selector:
    selector = make_any("instance_adaptive", round, **params)
    assert isinstance(selector, Selector)
    return selector


def defined(
    theta: np.ndarray, frames: list[tuple[np.ndarray, np.ndarray]], alpha: float, gamma: float
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Steps a-f as the specification words them, with a sort."""
    moved = theta.copy()
    for c in range(len(theta)):
        members = [theta[c]]
        for q, y in frames:
            members.extend(q[y == c].astype(np.float16).astype(np.float64))
        psi = np.float32(np.quantile(members, 1 - alpha * theta[c] ** gamma))
        moved[c] = 0.9 * theta[c] + float(np.float32(1 - 0.9) * psi)
        moved[c] = 0.999 if moved[c] >= 1 else moved[c]
    return moved, [np.where(q >= moved[y], y, IGNORE).astype(np.uint8) for q, y in frames]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(1, 6),
    images=st.integers(1, 3),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    alpha=st.floats(0, 1),
    gamma=st.floats(0, 10),
    spread=st.floats(0, 12),
)
def test_thresholds_and_labels_are_identical_to_the_sort(
    seed: int, classes: int, images: int, size: tuple[int, int], alpha: float, gamma: float, spread: float
) -> None:
    """Bit for bit over several steps, with saturated confidences and with classes that have no pixel."""
    generator = rng(seed, "iast")
    theta = expected = np.full(classes, 0.9)
    for _ in range(3):
        frames = []
        for _ in range(images):
            q = 1 / (1 + np.exp(-generator.normal(3, spread, size)))
            frames.append((q.astype(np.float32), generator.integers(0, classes, size).astype(np.uint8)))
        expected, labels = defined(expected, frames, alpha, gamma)
        theta, _ = step(theta, frames, alpha, gamma)
        np.testing.assert_array_equal(theta, expected)
        for (q, y), label in zip(frames, labels, strict=True):
            np.testing.assert_array_equal(keep_above(q, y, theta), label)


def test_a_saturated_class_reaches_one_and_is_reset() -> None:
    """Needs the float32 product (iast.md 2.1): 150 steps from 0.9 to the first reset, then one in 106 steps."""
    theta, resets = np.array([0.9]), []
    for t in range(1, 363):
        theta, _ = step(theta, [(np.ones((2, 2), np.float32), np.zeros((2, 2), np.uint8))], 0.2, 8.0)
        if theta[0] == 0.999:
            resets.append(t)
    assert resets == [150, 256, 362]


def test_a_class_without_a_pixel_keeps_its_threshold() -> None:
    theta = np.array([0.9, 0.7])
    moved, _ = step(theta, [(np.full((3, 3), 0.5, np.float32), np.zeros((3, 3), np.uint8))], 0.2, 8.0)
    assert moved[0] != 0.9 and abs(moved[1] - 0.7) < 1e-8


def test_the_order_is_a_permutation_of_seed_and_round() -> None:
    orders = [make(round).order(20, seed) for seed in (0, 1) for round in (1, 2)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert make(1).order(20, 0) == orders[0]


@pytest.mark.parametrize("pooled", [1, 2, 3])
def test_images_are_pooled_two_by_two_or_as_asked_and_the_last_ones_alone(pooled: int) -> None:
    scores = probabilities(1, images=5)
    selector = make(alpha=0.5, **({} if pooled == 2 else {"pooled_images": pooled}))
    maps = label_maps(selector, scores, seed=3)
    theta = np.full(5, 0.9)
    order = selector.order(5, 3)
    for start in range(0, 5, pooled):
        best = [scores[i].max(0) for i in order[start : start + pooled]]
        frames = [(b.values.numpy(), b.indices.numpy().astype(np.uint8)) for b in best]
        theta, labels = defined(theta, frames, 0.5, 8.0)
        for i, label in zip(order[start : start + pooled], labels, strict=True):
            np.testing.assert_array_equal(maps[i], label)
    np.testing.assert_array_equal(selector.thresholds(), theta)


def test_alpha_may_change_by_round_and_must_be_a_share() -> None:
    assert [make(r, alpha=[0.2, 0.3]).alpha for r in (1, 2, 3)] == [0.2, 0.3, 0.3]
    with pytest.raises(UserError, match="alpha"):
        make(alpha=1.5)


def test_confidences_a_rounding_above_one_are_counted_for_their_own_class() -> None:
    one, label = np.ones((2, 2), np.float32), np.ones((2, 2), np.uint8)
    above = np.nextafter(one, np.float32(2))
    np.testing.assert_array_equal(*(step(np.full(3, 0.9), [(q, label)], 0.2, 8.0)[0] for q in (one, above)))


# --- HIAST's statistics -----------------------------------------------------------------------------------------------


def test_statistics_count_the_published_labels() -> None:
    scores = probabilities(4, images=5)
    selector = make(statistics=True, alpha=0.5)
    maps = label_maps(selector, scores, seed=1)
    arrays = selector.publish().arrays
    assert arrays["labelled_images"].tolist() == list(maps) == selector.order(5, 1)
    for row, index in enumerate(arrays["labelled_images"]):
        label = maps[int(index)]
        expected = np.bincount(label[label != IGNORE], minlength=5)
        np.testing.assert_array_equal(arrays["class_pixels"][row], expected)
    seen = arrays["class_pixels"].sum(0) > 0
    assert (arrays["class_mean_confidence"][seen] > 0).all() and (arrays["class_mean_confidence"][~seen] == 0).all()
    assert "class_pixels" not in make(alpha=0.5).publish().arrays


def test_a_class_without_kept_pixels_or_without_source_is_never_drawn() -> None:
    """The released code raises on both (hiast.md 3, failure cases i and ii)."""
    mean = np.array([0.9, 0.5, 0.0, 0.7, 0.95])
    pixels = np.array([[9, 3, 0, 1, 5], [4, 0, 0, 2, 6]])
    lists = candidate_lists(pixels, np.array([7, 3]))
    assert [entry.tolist() for entry in lists] == [[3, 7], [7], [], [7, 3], [7, 3]]
    excluded = [c for c, entry in enumerate(lists) if not len(entry)]
    hard = hard_classes(mean, 3, excluded)
    assert hard.tolist() == [1, 3, 0]
    chance = sampling_probabilities(mean, hard)
    np.testing.assert_allclose(chance, np.array([0.01, 0.25, 0, 0.09, 0]) / 0.35)


def test_nothing_to_draw_gives_zeros() -> None:
    assert sampling_probabilities(np.ones(4), range(4)).tolist() == [0, 0, 0, 0]
    assert sampling_probabilities(np.zeros(4), []).tolist() == [0, 0, 0, 0]
    assert hard_classes(np.zeros(3), 5, excluded=[1]).tolist() == [0, 2]


def test_an_image_of_ignored_pixels_only_is_recorded_without_a_count() -> None:
    selector = make(statistics=True)
    flat = torch.full((5, 4, 4), 0.2)
    (label,) = selector.assign([flat], [0])
    assert (label == IGNORE).all()
    assert selector.publish().arrays["class_pixels"].tolist() == [[0, 0, 0, 0, 0]]
