"""Mixing: half of an image's classes, images of rare classes, pixels of hard classes; functions of the generator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.data.mixing import (
    Donors,
    RareClassSampler,
    choose_classes,
    class_distribution,
    draw_donor,
    largest_share,
    mix,
    mix_mask,
    online_labels,
    paste,
)

# --- class mixing -------------------------------------------------------------------------------------------------


def test_half_of_the_images_own_classes_are_pasted() -> None:
    """ceil(K/2) whole classes of the image, never ignored pixels; an image without labels gives nothing."""
    ids = rng(0, "labels").integers(0, 7, (8, 10)).astype(np.uint8)
    few, none = np.where(ids < 3, ids, np.uint8(IGNORE)), np.full_like(ids, IGNORE)
    for label, count in ((ids, 7), (few, 3), (none, 0)):
        mask = mix_mask(label, rng(0, "mix")).astype(bool)
        pasted = set(label[mask].tolist())
        assert len(pasted) == -(-count // 2) and IGNORE not in pasted
        assert not (set(label[~mask].tolist()) & pasted)


def test_choice_is_a_function_of_the_generator() -> None:
    present = np.arange(9)
    one, other = (choose_classes(present, rng(4, "x")) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert len(set(one.tolist())) == 5
    choices = {tuple(sorted(choose_classes(present, rng(s)).tolist())) for s in range(30)}
    assert len(choices) > 10


def test_online_labels_weigh_by_the_confident_share() -> None:
    """One scalar for the whole batch, 0 in the ignored rows, and no ignored pixel."""
    logits = torch.zeros(2, 3, 6, 4)
    logits[0, 1] = 20.0
    result = online_labels(logits, threshold=0.9, ignore_top=1, ignore_bottom=2)
    assert result.confident.float().mean().item() == 0.5
    assert (result.labels[0] == 1).all() and (result.labels < 3).all()
    assert (result.weights[:, 1:4] == 0.5).all()
    assert result.weights[:, 0].abs().sum() == 0 and result.weights[:, 4:].abs().sum() == 0
    assert (online_labels(logits, 0.9, 0, 0).weights == 0.5).all()
    assert not online_labels(logits, 0.9, 0, 8).weights.any(), "more rows than there are"


def test_mix_takes_source_where_the_mask_is_true() -> None:
    """Images, labels and weights alike."""
    mask = torch.tensor([[[True, False]]])
    image = mix(mask, torch.ones(1, 3, 1, 2), torch.zeros(1, 3, 1, 2))
    assert image[0, :, 0].tolist() == [[1.0, 0.0]] * 3
    assert mix(mask, torch.tensor([[[4, 4]]]), torch.tensor([[[IGNORE, 6]]])).tolist() == [[[4, 6]]]


# --- rare-class sampling --------------------------------------------------------------------------------------------

PIXELS = np.array([[9000, 500, 0, 0], [9000, 4000, 100, 0], [9000, 0, 50, 0]])


def test_rare_classes_come_up_more() -> None:
    """Probabilities fall with frequency, sum to 1, leave out classes never seen; a high temperature levels them."""
    classes, probabilities = class_distribution(PIXELS, 0.1)
    assert classes.tolist() == [2, 1, 0]
    assert (np.diff(probabilities) < 0).all() and probabilities.sum() == pytest.approx(1)
    np.testing.assert_allclose(class_distribution(PIXELS, 1e6)[1], 1 / 3, atol=1e-5)
    assert class_distribution(PIXELS, 1e-4)[1].tolist() == pytest.approx([1, 0, 0])


def test_the_drawn_image_shows_the_drawn_class() -> None:
    """Images over the minimum; where there is none the best one; a draw depends on the generator alone."""
    sampler = RareClassSampler(PIXELS, temperature=0.5, min_pixels=3000)
    assert {c: images.tolist() for c, images in sampler.images.items()} == {2: [1], 1: [1], 0: [0, 1, 2]}
    draws = Counter(sampler.draw(rng(seed)) for seed in range(300))
    assert all(image in sampler.images[rare] for rare, image in draws)
    assert sum(n for (rare, _), n in draws.items() if rare == 2) > 100
    assert sampler.draw(rng(5)) == sampler.draw(rng(5))


def test_largest_share_is_of_the_labelled_pixels() -> None:
    label = np.array([[0, 0, 1], [IGNORE, IGNORE, 2]], np.uint8)
    assert largest_share(label) == 0.5
    assert largest_share(np.full((2, 2), IGNORE, np.uint8)) == 1.0, "a crop without a label is drawn again"


def test_source_without_labels_is_an_error() -> None:
    with pytest.raises(UserError, match="without a labelled pixel"):
        class_distribution(np.zeros((2, 4), int), 0.1)


# --- copy-paste -----------------------------------------------------------------------------------------------------

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
    result = paste(base_image, base_label, *read(1), [1, 2, 3])
    assert (result.image[0] == 10).all()
    assert (result.image[1:] == 0).all()
    assert (result.label[0] == 1).all()
    assert (result.label[1:] == 0).all()
    assert (result.mask[0] == 1).all()
    assert (result.mask[1:] == IGNORE).all()
    assert (base_image == 0).all()
    assert (base_label == 0).all()


def test_a_donor_of_another_size_is_resized() -> None:
    donor_label = np.full((8, 3), 1, np.uint8)
    result = paste(IMAGES[0], LABELS[0], np.full((8, 3, 3), 77, np.uint8), donor_label, [1])
    assert (result.image == 77).all()
    assert (result.label == 1).all()


def test_classes_without_a_candidate_or_a_probability_are_never_drawn() -> None:
    donors = Donors([1, 2, 3], np.array([0.5, 0.2, 0.2, 0.0]), {1: [1], 2: [], 3: [3]})
    assert all(draw_donor(donors, rng(seed)) == 1 for seed in range(50))
    assert draw_donor(Donors([], np.ones(4), {}), rng(0)) is None
    assert draw_donor(Donors([1], np.ones(4), {}), rng(0)) is None


def test_classes_are_drawn_by_their_renormalised_probability_and_donors_uniformly() -> None:
    donors = Donors([1, 2], np.array([0.7, 0.1, 0.2, 0.0]), {1: [1], 2: [2, 3]})
    counts = Counter(draw_donor(donors, rng(seed)) for seed in range(3000))
    assert all(abs(counts[position] / 3000 - 1 / 3) < 0.04 for position in (1, 2, 3))
