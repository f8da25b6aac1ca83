"""What every selector promises, and how selectors are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from tests.selection.helpers import label_maps, make, probabilities
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.data.maps import top1
from udamlf.models.base import Output
from udamlf.selection.base import SELECTORS, keep_above

REQUIRED: Mapping[str, dict[str, Any]] = {
    name: {"portion": 0.3} for name in ("class_balanced", "global", "spatial_prior")
}
ALL = SELECTORS.names()


def labelled(name: str, scores: Tensor, seed: int = 0) -> tuple[Any, dict[int, np.ndarray]]:
    """A selector that has seen whatever it asks for, and its label maps."""
    selector = make(name, **REQUIRED.get(name, {}))
    if selector.reads_source:
        selector.prepare([rng(i, "source").integers(0, 5, (96, 128)).astype(np.uint8) for i in range(3)])
    if selector.observes_network:
        for index, image in enumerate(scores):
            selector.observe_network(Output(image[None].log(), features=torch.ones(1, 3, *image.shape[1:])), index)
    return selector, label_maps(selector, scores, seed)


def test_the_methods_selectors_are_found_by_name() -> None:
    expected = {
        "class_balanced",
        "entropy_ranking",
        "global",
        "instance_adaptive",
        "soft",
        "soft_source",
        "spatial_prior",
        "threshold",
    }
    assert set(ALL) == expected


def test_an_unknown_selector_or_parameter_names_the_nearest_valid_one() -> None:
    with pytest.raises(UserError, match="class_balanced"):
        make("class_balance", portion=0.2)
    with pytest.raises(UserError, match="'portion'"):
        make("global", portoin=0.2)


@pytest.mark.parametrize("portion", [-0.1, 1.1, [], [0.2, 2.0], "half", None])
def test_a_portion_out_of_range_is_refused(portion: Any) -> None:
    with pytest.raises(UserError, match="portion"):
        make("class_balanced", portion=portion)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("images", [1, 3])
def test_every_selector_gives_maps_of_classes_and_ignore(name: str, images: int) -> None:
    """Also for one image, for a class that is never predicted, and where the group does not divide the split."""
    scores = probabilities(1, images)
    scores[:, 2] = 0
    selector, maps = labelled(name, scores)
    assert set(maps) <= set(range(images))
    for label in maps.values():
        assert label.dtype == np.uint8 and label.shape == scores.shape[2:]
        assert set(np.unique(label)) <= {0, 1, 3, 4, IGNORE}
    assert selector.thresholds().shape == (5,) and selector.thresholds().dtype == np.float64
    publication = selector.publish()
    assert all(isinstance(array, np.ndarray) for array in publication.arrays.values())
    assert all(0 <= index < images for _, index in publication.examples)


@pytest.mark.parametrize("name", ALL)
def test_labels_are_a_function_of_scores_and_seed(name: str) -> None:
    scores = probabilities(2)
    first, second = (labelled(name, scores, seed=7)[1] for _ in range(2))
    assert list(first) == list(second)
    assert all(np.array_equal(first[i], second[i]) for i in first)


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
