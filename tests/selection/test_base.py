"""What every selector promises, and how selectors are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.selection.helpers import label_maps, probabilities, space
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.selection.base import build, keep_above, names, top1

REQUIRED: Mapping[str, dict[str, Any]] = {"class_balanced": {"portion": 0.3}, "global": {"portion": 0.3}}
ALL = names()


def params(name: str) -> dict[str, Any]:
    return dict(REQUIRED.get(name, {}))


def test_the_methods_selectors_are_found_by_name() -> None:
    expected = {"argmax", "class_balanced", "constant", "entropy_ranking", "global", "hard_above", "instance_adaptive"}
    assert expected <= set(ALL)


def test_an_unknown_selector_or_parameter_names_the_nearest_valid_one() -> None:
    with pytest.raises(UserError, match="class_balanced"):
        build("class_balance", {"portion": 0.2}, space(), 1)
    with pytest.raises(UserError, match="'portion'"):
        build("global", {"portoin": 0.2}, space(), 1)
    with pytest.raises(UserError, match=r"inital"):
        build("global", {"portion": {"inital": 0.1, "step": 0.1, "max": 0.5}}, space(), 1)


@pytest.mark.parametrize("portion", [-0.1, 1.1, [], [0.2, 2.0], "half", None])
def test_a_portion_out_of_range_is_refused(portion: Any) -> None:
    with pytest.raises(UserError, match="portion"):
        build("class_balanced", {"portion": portion}, space(), 1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("images", [1, 3])
def test_every_selector_gives_maps_of_classes_and_ignore(name: str, images: int) -> None:
    """Also for one image, for a class that is never predicted, and where the group does not divide the list."""
    scores = probabilities(1, images)
    scores[:, 2] = 0
    selector = build(name, params(name), space(), round=1)
    maps = label_maps(selector, scores)
    assert set(maps) <= set(range(images))
    for label in maps.values():
        assert label.dtype == np.uint8 and label.shape == scores.shape[2:]
        assert set(np.unique(label)) <= {0, 1, 3, 4, IGNORE}
    assert selector.thresholds().shape == (5,) and selector.thresholds().dtype == np.float64
    assert all(isinstance(array, np.ndarray) for array in selector.extras().values())


@pytest.mark.parametrize("name", ALL)
def test_labels_are_a_function_of_scores_and_seed(name: str) -> None:
    scores = probabilities(2)
    first, second = (label_maps(build(name, params(name), space(), 1), scores, seed=7) for _ in range(2))
    assert list(first) == list(second)
    assert all(np.array_equal(first[i], second[i]) for i in first)


@pytest.mark.parametrize("name", ALL)
def test_a_restored_selector_continues_with_the_same_labels(name: str) -> None:
    """State saved in the middle of the labelling, and taken over by a new selector, changes nothing."""
    scores = probabilities(3)
    undisturbed = build(name, params(name), space(), 1)
    for _ in range(undisturbed.passes):
        for i, s in enumerate(scores):
            undisturbed.observe(s, i)
        undisturbed.end_pass()
    order = undisturbed.order(len(scores), 0)
    head, tail = order[: undisturbed.group], order[undisturbed.group : 2 * undisturbed.group]
    undisturbed.assign([scores[i] for i in head], head)
    restored = build(name, params(name), space(), 1)
    restored.restore({key: value.copy() for key, value in undisturbed.state().items()})
    assert restored.order(len(scores), 0) == order
    expected = undisturbed.assign([scores[i] for i in tail], tail)
    for found, wanted in zip(restored.assign([scores[i] for i in tail], tail), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for key, value in undisturbed.extras().items():
        np.testing.assert_array_equal(restored.extras()[key], value)


@pytest.mark.parametrize("name", [n for n in ALL if build(n, params(n), space(), 1).mergeable])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 100), owners=st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_merged_shards_equal_one_pass(name: str, seed: int, owners: list[int]) -> None:
    """Whichever shard observes an image, an empty shard included, labels and extras are exactly those of one pass."""
    scores = probabilities(seed)
    single = build(name, params(name), space(), 1)
    expected = label_maps(single, scores)
    shards = [build(name, params(name), space(), 1) for _ in range(3)]
    for _ in range(single.passes):
        for i, owner in enumerate(owners):
            shards[owner].observe(scores[i], i)
    shards[0].merge(shards[1])
    shards[0].merge(shards[2])
    shards[0].end_pass()
    assert shards[0].order(len(scores), 0) == list(expected)
    for i, label in expected.items():
        np.testing.assert_array_equal(shards[0].assign([scores[i]], [i])[0], label)
    for key, value in single.extras().items():
        np.testing.assert_array_equal(shards[0].extras()[key], value)


def test_a_sequential_selector_refuses_to_be_merged() -> None:
    first, second = (build("instance_adaptive", {}, space(), 1) for _ in range(2))
    assert not first.mergeable
    with pytest.raises(UserError, match="sequential"):
        first.merge(second)


def test_top1_gives_the_lowest_class_on_a_tie() -> None:
    scores = torch.tensor([0.2, 0.4, 0.4]).view(3, 1, 1).expand(3, 400, 500).contiguous()
    confidence, label = top1(scores)
    assert confidence.shape == label.shape == (400, 500) and label.dtype == torch.uint8
    assert (label == 1).all() and (confidence == torch.tensor(0.4)).all()


@given(
    confidence=arrays.arrays(np.float32, (3, 5), elements=st.floats(0, 1, width=32)),
    thresholds=arrays.arrays(np.float64, 3, elements=st.floats(0, 1) | st.just(float("nan"))),
    on_the_edge=st.booleans(),
)
def test_keep_above_compares_as_float64_does(confidence: np.ndarray, thresholds: np.ndarray, on_the_edge: bool) -> None:
    """Also where the threshold is no float32 number, and within one unit of the last place of it."""
    label = (np.arange(15) % 3).astype(np.uint8).reshape(3, 5)
    if on_the_edge:
        nearest = np.nan_to_num(thresholds)[label].astype(np.float32)
        steps = np.arange(15).reshape(3, 5) % 3 - 1
        confidence = np.where(steps < 0, np.nextafter(nearest, np.float32(0)), nearest)
        confidence = np.where(steps > 0, np.nextafter(nearest, np.float32(2)), confidence)
    expected = np.where(confidence.astype(np.float64) >= thresholds[label], label, IGNORE)
    np.testing.assert_array_equal(keep_above(confidence, label, thresholds), expected)
