"""Copy-paste where the released code fails: classes without candidates, sizes that differ, several donors."""

from __future__ import annotations

from collections import Counter

import numpy as np

from udamlf.data.augment.copy_paste import Donors, copy_paste, draw_donor, paste
from udamlf.data.labels import IGNORE
from udamlf.seeding import rng

IMAGES = {i: np.full((4, 6, 3), 10 * i, np.uint8) for i in range(4)}
LABELS = {i: np.full((4, 6), IGNORE, np.uint8) for i in range(4)}
LABELS[1][0] = 1  # donor 1 holds class 1 (hard) and 0 (easy)
LABELS[1][1] = 0
LABELS[2][2] = 2
LABELS[3][3] = 3


def read(position: int) -> tuple[np.ndarray, np.ndarray]:
    return IMAGES[position], LABELS[position]


def test_only_hard_pixels_are_pasted_and_the_arguments_stay() -> None:
    base_image, base_label = IMAGES[0].copy(), np.zeros((4, 6), np.uint8)
    found = paste(base_image, base_label, *read(1), [1, 2, 3])
    assert (found.image[0] == 10).all()
    assert (found.image[1:] == 0).all()
    assert (found.label[0] == 1).all()
    assert (found.label[1:] == 0).all()
    assert (found.mask[0] == 1).all()
    assert (found.mask[1:] == IGNORE).all()
    assert (base_image == 0).all()
    assert (base_label == 0).all()


def test_a_donor_of_another_size_is_resized() -> None:
    donor_label = np.full((8, 3), 1, np.uint8)
    found = paste(IMAGES[0], LABELS[0], np.full((8, 3, 3), 77, np.uint8), donor_label, [1])
    assert (found.image == 77).all()
    assert (found.label == 1).all()


def test_classes_without_a_candidate_or_a_probability_are_never_drawn() -> None:
    donors = Donors([1, 2, 3], np.array([0.5, 0.2, 0.2, 0.0]), {1: [1], 2: [], 3: [3]})
    assert {draw_donor(rng(seed), donors) for seed in range(50)} == {(1, 1)}
    assert draw_donor(rng(0), donors, covered=[1]) is None
    assert draw_donor(rng(0), Donors([], np.ones(4), {})) is None


def test_nothing_to_paste_leaves_the_sample_as_it_is() -> None:
    donors = Donors([1], np.ones(4), {})
    found = copy_paste(IMAGES[1], LABELS[1], donors, read, rng(0))
    np.testing.assert_array_equal(found.image, IMAGES[1])
    np.testing.assert_array_equal(found.label, LABELS[1])
    assert (found.mask == IGNORE).all()


def test_classes_are_drawn_by_their_renormalised_probability_and_donors_uniformly() -> None:
    donors = Donors([1, 2], np.array([0.7, 0.1, 0.2, 0.0]), {1: [1], 2: [2, 3]})
    drawn = Counter(draw_donor(rng(seed), donors) for seed in range(3000))
    assert abs(drawn[(1, 1)] / 3000 - 1 / 3) < 0.04
    assert abs(drawn[(2, 2)] / 3000 - 1 / 3) < 0.04
    assert abs(drawn[(2, 3)] / 3000 - 1 / 3) < 0.04


def test_one_donor_by_default_and_several_until_half_of_the_hard_classes_are_covered() -> None:
    donors = Donors([1, 2, 3], np.array([0.0, 1, 1, 1]), {1: [1], 2: [2], 3: [3]})
    for seed in range(20):
        one = copy_paste(IMAGES[0], LABELS[0], donors, read, rng(seed))
        assert len(set(np.unique(one.mask)) - {IGNORE}) == 1
        # Each donor covers one of three classes: two donors reach the half, a third is never read.
        several = copy_paste(IMAGES[0], LABELS[0], donors, read, rng(seed), max_donors=3)
        classes = set(np.unique(several.mask)) - {IGNORE}
        assert len(classes) == 2
        for c in classes:
            pasted = several.mask == c
            assert (several.label[pasted] == c).all()
            assert (several.image[pasted] == 10 * c).all()


def test_a_sample_is_a_function_of_the_generator() -> None:
    donors = Donors([1, 2, 3], np.array([0.0, 1, 1, 1]), {1: [1], 2: [2], 3: [3]})
    for seed in range(5):
        first, again = (copy_paste(IMAGES[0], LABELS[0], donors, read, rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(first.image, again.image)
