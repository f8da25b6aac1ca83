"""Mined crops contain the rare class and lie where they must."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.data.mining import cbst_patch, class_shares, crst_patch, priority_classes, rarest_classes

uniform = st.floats(0, 1, exclude_max=True)


def scene(seed: int, height: int, width: int) -> np.ndarray:
    """Mostly class 0, a few pixels of classes 1-4, some ignored."""
    generator = rng(seed, "mining")
    label = np.zeros((height, width), np.uint8)
    for value in (1, 2, 3, 4, IGNORE):
        label[generator.random(label.shape) < 0.01] = value
    return label


@given(st.integers(0, 1000), st.integers(20, 60), st.integers(20, 60), st.integers(1, 20), uniform, uniform)
def test_a_cbst_patch_is_centred_on_a_mined_pixel_and_inside(
    seed: int, height: int, width: int, crop: int, u: float, v: float
) -> None:
    label = scene(seed, height, width)
    patch = cbst_patch(label, crop, [4, 3], [2], (u, v))
    if patch is None:
        half = crop // 2
        assert not np.isin(label[half : height - half - 1, half : width - half - 1], [2, 3, 4]).any()
        return
    assert label[patch.centre] == patch.label_class and patch.label_class in (2, 3, 4)
    top, left = patch.origin
    assert 0 <= top <= height - crop and 0 <= left <= width - crop
    assert patch.centre == (top + crop // 2, left + crop // 2)


def test_priority_classes_come_first_and_the_rarest_ones_stand_in() -> None:
    label = np.zeros((30, 30), np.uint8)
    label[10, 10], label[20, 20] = 1, 2
    first, stand_in = cbst_patch(label, 8, [1], [2], (0.9, 0.0)), cbst_patch(label, 8, [1], [3], (0.9, 0.0))
    assert first is not None and first.centre == (20, 20)
    assert stand_in is not None and stand_in.centre == (10, 10)
    assert cbst_patch(label, 8, [4], [3], (0.0, 0.0)) is None


def test_a_crop_larger_than_the_label_map_has_no_interior() -> None:
    assert cbst_patch(np.ones((10, 10), np.uint8), 12, [1], [1], (0.5, 0.5)) is None


@given(st.integers(0, 1000), st.integers(20, 60), st.integers(20, 60), uniform, uniform)
def test_a_crst_patch_contains_its_pixel_and_is_inside(seed: int, height: int, width: int, u: float, v: float) -> None:
    label = scene(seed, height, width)
    patch = crst_patch(label, (16, 20), [3, 4], (u, v))
    if patch is None:
        assert not np.isin(label, [3, 4]).any()
        return
    (row, column), (top, left) = patch.centre, patch.origin
    assert label[row, column] == patch.label_class
    assert 0 <= top <= height - 16 and 0 <= left <= width - 20
    assert top <= row < top + 16 and left <= column < left + 20


def test_shares_and_mined_classes_of_predicted_sizes() -> None:
    shares = class_shares(np.array([1000, 0, 5, 5, 8990]))
    np.testing.assert_allclose(shares, [0.1, 0, 0.0005, 0.0005, 0.899])
    assert rarest_classes(shares, 3).tolist() == [1, 2, 3]
    assert priority_classes(shares, 1e-3).tolist() == [1, 2, 3]
    assert class_shares(np.zeros(3)).tolist() == [0, 0, 0]
