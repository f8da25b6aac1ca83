"""IntraDA's ranking: its range, its ties, and splits at both ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.selection.helpers import label_maps, probabilities, space
from udamlf.errors import UserError
from udamlf.selection.base import build
from udamlf.selection.entropy_ranking import entropy_score, normalised_scores, rare_classes_present, split


def test_the_score_is_0_for_certain_and_1_over_C_for_uniform_maps() -> None:
    certain = torch.zeros(4, 6, 6)
    certain[1] = 1
    assert entropy_score(certain) == 0
    assert entropy_score(torch.full((4, 6, 6), 0.25)) == pytest.approx(0.25, rel=1e-6)


def test_the_score_does_not_depend_on_how_the_frame_is_sliced() -> None:
    large = torch.full((2, 700, 500), 0.5)
    large[:, 350:] = torch.tensor([1.0, 0.0]).view(2, 1, 1)
    assert entropy_score(large) == pytest.approx(0.25, rel=1e-6)


def test_lambda_0_and_1_and_truncation() -> None:
    scores = np.array([0.3, 0.1, 0.2])
    assert [part.tolist() for part in split(scores, 0)] == [[], [1, 2, 0]]
    assert [part.tolist() for part in split(scores, 1)] == [[1, 2, 0], []]
    assert [part.tolist() for part in split(scores, 0.67)] == [[1, 2], [0]]
    assert [part.tolist() for part in split(np.array([0.5]), 0.67)] == [[], [0]]


def test_ties_are_broken_by_list_order() -> None:
    assert split(np.array([0.2, 0.1, 0.2, 0.1]), 0.75).easy.tolist() == [1, 3, 0]


def test_images_rich_in_rare_classes_look_easier() -> None:
    assert rare_classes_present(np.array([[0, 3], [3, 255]], np.uint8), [3, 4]) == 1
    np.testing.assert_allclose(normalised_scores(np.ones(3), np.array([0, 1, 2]), 2), [1.5, 1.0, 0.5])


def test_only_the_easy_split_is_labelled_and_every_pixel_of_it() -> None:
    scores = probabilities(0, images=6)
    selector = build("entropy_ranking", {"easy_share": 0.5}, space(), 1)
    maps = label_maps(selector, scores)
    extras = selector.extras()
    assert list(maps) == extras["easy"].tolist() and len(maps) == 3
    assert sorted([*extras["easy"], *extras["hard"]]) == list(range(6))
    for i, label in maps.items():
        np.testing.assert_array_equal(label, scores[i].argmax(0).numpy())
    assert extras["entropy_scores"][extras["easy"]].max() <= extras["entropy_scores"][extras["hard"]].min()


def test_normalising_needs_rare_classes() -> None:
    with pytest.raises(UserError, match="rare"):
        build("entropy_ranking", {"normalise": True}, space(rare=0), 1)
