"""Rare-class sampling: rare classes come up more, and the drawn image shows the drawn class."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from udamlf.data.augment.rare_class import RareClassSampler, class_distribution, shows_class
from udamlf.errors import UserError
from udamlf.seeding import rng

PIXELS = np.array([[9000, 500, 0, 0], [9000, 4000, 100, 0], [9000, 0, 50, 0]])


def test_rare_classes_come_up_more() -> None:
    """Probabilities fall with frequency, sum to 1, leave out classes never seen; a high temperature levels them."""
    found = class_distribution(PIXELS, 0.1)
    assert found.classes.tolist() == [2, 1, 0]
    assert (np.diff(found.probabilities) < 0).all() and found.probabilities.sum() == pytest.approx(1)
    np.testing.assert_allclose(class_distribution(PIXELS, 1e6).probabilities, 1 / 3, atol=1e-5)
    assert class_distribution(PIXELS, 1e-4).probabilities.tolist() == pytest.approx([1, 0, 0])


def test_the_drawn_image_shows_the_drawn_class() -> None:
    """Images over the minimum; where there is none the best one; a draw depends on the generator alone."""
    sampler = RareClassSampler(PIXELS, temperature=0.5, min_pixels=3000)
    assert {c: images.tolist() for c, images in sampler.images.items()} == {2: [1], 1: [1], 0: [0, 1, 2]}
    draws = Counter(sampler.draw(rng(seed)) for seed in range(300))
    assert all(image in sampler.images[drawn] for drawn, image in draws)
    assert sum(n for (drawn, _), n in draws.items() if drawn == 2) > 100
    assert sampler.draw(rng(5)) == sampler.draw(rng(5))


def test_crop_must_show_enough_of_the_class() -> None:
    label = np.zeros((4, 5), np.uint8)
    assert shows_class(label, 0, 19) and not shows_class(label, 0, 20) and not shows_class(label, 1, 0)


def test_source_without_labels_is_an_error() -> None:
    with pytest.raises(UserError, match="without a labelled pixel"):
        class_distribution(np.zeros((2, 4), int))
