"""IntraDA's ranking: its range, its ties, and splits at both ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.selection.helpers import label_maps, make, probabilities, space
from udamlf.common.errors import UserError
from udamlf.selection.entropy_ranking import entropy_score, normalised_score, rare_classes_present, split


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
    scores = [0.3, 0.1, 0.2]
    assert [part.tolist() for part in split(scores, 0).values()] == [[], [1, 2, 0]]
    assert [part.tolist() for part in split(scores, 1).values()] == [[1, 2, 0], []]
    assert [part.tolist() for part in split(scores, 0.67).values()] == [[1, 2], [0]]
    assert [part.tolist() for part in split([0.5], 0.67).values()] == [[], [0]]


def test_ties_are_broken_by_the_order_of_the_split() -> None:
    assert split([0.2, 0.1, 0.2, 0.1], 0.75)["easy"].tolist() == [1, 3, 0]


def test_images_rich_in_rare_classes_look_easier() -> None:
    assert rare_classes_present(np.array([[0, 3], [3, 255]], np.uint8), [3, 4]) == 1
    assert [normalised_score(1.0, present, 2) for present in (0, 1, 2)] == [1.5, 1.0, 0.5]


def test_only_the_easy_split_is_labelled_and_every_pixel_of_it() -> None:
    scores = probabilities(0, images=6)
    selector = make("entropy_ranking", easy_share=0.5)
    maps = label_maps(selector, scores)
    arrays = selector.publish().arrays
    assert list(maps) == arrays["easy"].tolist() and len(maps) == 3
    assert sorted([*arrays["easy"], *arrays["hard"]]) == list(range(6))
    for i, label in maps.items():
        np.testing.assert_array_equal(label, scores[i].argmax(0).numpy())


@pytest.mark.parametrize("images", [3, 6, 10])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_ranking_names_every_image_and_both_ends_are_examples(images: int, normalise: bool) -> None:
    """The easiest first, by the score that decides; at most four images of each end, none twice."""
    scores = probabilities(0, images)
    selector = make("entropy_ranking", easy_share=0.5, normalise=normalise)
    maps = label_maps(selector, scores)
    publication = selector.publish()
    table = publication.table
    assert table is not None and table.name == "ranking"
    counts = {"images": images, "easy": images // 2, "hard": images - images // 2}
    assert table.summary == {"easy_share": 0.5, "normalised": normalise, **counts}
    order = [row["image"] for row in table.rows]
    assert order == [*publication.arrays["easy"], *publication.arrays["hard"]] and set(maps) == set(order[: len(maps)])
    for rank, row in enumerate(table.rows, 1):
        image = scores[row["image"]]
        present = rare_classes_present(image.argmax(0).numpy(), [3, 4])
        entropy = entropy_score(image)
        score = entropy * ((2 - present) / 2 + 0.5) if normalise else entropy
        part = "easy" if rank <= len(maps) else "hard"
        assert tuple(row.values()) == (rank, row["image"], part, pytest.approx(score), entropy, present)
    assert [row["score"] for row in table.rows] == sorted(row["score"] for row in table.rows)
    ends = sorted({*range(min(4, images)), *range(max(0, images - 4), images)})
    assert [index for _, index in publication.examples] == [order[position] for position in ends]
    assert publication.examples[0][0] == f"1 of {images}, easy, score {table.rows[0]['score']:.4f}"


def test_normalising_needs_rare_classes() -> None:
    with pytest.raises(UserError, match="rare"):
        make("entropy_ranking", labels=space(rare=0), normalise=True)
