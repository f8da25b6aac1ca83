"""Geometry: the same for an image and its maps, padded by IGNORE, within its rules for every draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udamlf.data.augment.geometry import (
    MEAN_COLOUR,
    Geometry,
    apply_geometry,
    cbst_scale_crop,
    crop,
    random_sized_crop,
    scale_crop,
    whole_image,
)
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.seeding import rng

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose channels are row, column and 7."""
    rows, columns = np.indices((height, width), dtype=np.uint8)
    return np.dstack([rows, columns, np.full_like(rows, 7)])


@given(SIZES, st.integers(-20, 39), st.integers(-20, 39), SIZES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_crop_is_the_mirrored_image_seen_through_a_window(
    image_hw: tuple[int, int], top: int, left: int, box: tuple[int, int], flip: bool
) -> None:
    image = coordinates(*image_hw)
    geometry = Geometry(top, left, *box, box, flip)
    meets = top < image_hw[0] and left < image_hw[1] and top + box[0] > 0 and left + box[1] > 0
    if not meets:
        with pytest.raises(UserError, match="outside"):
            crop(image, geometry, MEAN_COLOUR)
        return
    found, label = apply_geometry(geometry, image, image[..., 1])
    mirrored = image[:, ::-1] if flip else image
    for y in range(box[0]):
        for x in range(box[1]):
            row, column = top + y, left + x
            inside = 0 <= row < image_hw[0] and 0 <= column < image_hw[1]
            assert tuple(found[y, x]) == (tuple(mirrored[row, column]) if inside else MEAN_COLOUR)
            assert label[y, x] == (mirrored[row, column, 1] if inside else IGNORE)


@given(st.integers(0, 10**6), SIZES, SIZES)
@settings(max_examples=100, deadline=None)
def test_every_map_gets_the_same_geometry_and_no_new_label(
    seed: int, image_hw: tuple[int, int], output_hw: tuple[int, int]
) -> None:
    label = np.kron(np.arange(1, 1 + np.prod(image_hw)).reshape(image_hw) % 200, np.ones((8, 8))).astype(np.uint8)
    image = np.repeat(label[..., None], 3, 2)
    for geometry in (
        scale_crop(rng(seed), label.shape, (0.5, 2.0), output_hw),
        random_sized_crop(rng(seed), label.shape, (1, label.shape[0]), output_hw),
    ):
        found, first, second = apply_geometry(geometry, image, label, label)
        assert found.shape == (*output_hw, 3)
        assert found.dtype == first.dtype == np.uint8
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(first, second)
        assert set(np.unique(first)) <= {*np.unique(label), IGNORE}


def test_bilinear_image_and_nearest_label_stay_within_a_pixel() -> None:
    """Colour = position: the label's position under each output pixel is near the image's interpolated one."""
    image = coordinates(120, 200)
    for seed in range(20):
        geometry = random_sized_crop(rng(seed), (120, 200), (30, 120), (60, 100))
        found, rows, columns = apply_geometry(geometry, image, image[..., 0], image[..., 1])
        pixels = geometry.height / 60
        for channel, nearest in ((0, rows), (1, columns)):
            # A crop wider than the image is padded: there are no positions to compare.
            inside = (nearest != IGNORE) & (found[..., 2] == 7)
            distance = np.abs(found[..., channel].astype(float) - nearest)[inside]
            assert distance.max() <= pixels + 1.0  # a pixel of the input, and rounding


@given(st.integers(0, 10**6))
@settings(max_examples=100, deadline=None)
def test_random_sized_crop_stays_inside_and_keeps_the_aspect(seed: int) -> None:
    geometry = random_sized_crop(rng(seed), (104, 200), (34, 95), (51, 102), flip_probability=0.0)
    assert 34 <= geometry.height <= 95
    assert geometry.width == 2 * geometry.height
    assert 0 <= geometry.top <= 104 - geometry.height
    assert 0 <= geometry.left <= 200 - geometry.width
    assert not geometry.flip


def test_both_ends_of_the_height_range_and_the_flip_occur() -> None:
    drawn = [random_sized_crop(rng(seed), (50, 100), (10, 12), (10, 20)) for seed in range(200)]
    assert {g.height for g in drawn} == {10, 11, 12}
    assert 60 < sum(g.flip for g in drawn) < 140


def test_an_image_smaller_than_the_crop_is_padded_at_the_bottom_right() -> None:
    image, label = coordinates(10, 20), np.zeros((10, 20), np.uint8)
    geometry = scale_crop(rng(0), (10, 20), (1.0, 1.0), (16, 32), flip_probability=0.0)
    found, found_label = apply_geometry(geometry, image, label)
    np.testing.assert_array_equal(found[:10, :20], image)
    assert (found[10:] == MEAN_COLOUR).all()
    assert (found_label[:10, :20] == 0).all()
    assert (found_label[10:] == IGNORE).all()
    assert (found_label[:, 20:] == IGNORE).all()


def test_scale_crop_reaches_every_origin_and_both_zooms() -> None:
    drawn = [scale_crop(rng(seed), (20, 20), (1.0, 1.0), (18, 18)) for seed in range(200)]
    assert {(g.top, g.left) for g in drawn} == {(y, x) for y in range(3) for x in range(3)}
    heights = [scale_crop(rng(seed), (100, 100), (0.5, 2.0), (30, 30)).height for seed in range(200)]
    assert min(heights) < 17
    assert max(heights) > 50


@given(st.integers(0, 10**6), st.sampled_from([(1052, 1914), (1024, 2048), (300, 400)]))
@settings(max_examples=100, deadline=None)
def test_cbst_crop_follows_its_integer_rules(seed: int, image_hw: tuple[int, int]) -> None:
    geometry = cbst_scale_crop(rng(seed), image_hw, nominal_length=2048)
    assert geometry.height == geometry.width
    assert int(504 / 1.3) <= geometry.height <= int(504 * 2048 / int(0.7 * 2048))
    assert geometry.image_rule == ("lanczos" if geometry.height > 504 else "bicubic")
    offset = max(1, int(8 * geometry.height / 504 / 2))
    for origin, length in ((geometry.top, image_hw[0]), (geometry.left, image_hw[1])):
        assert -offset - 1 <= origin <= max(length - geometry.height, 8 * geometry.height / 504)
    label = np.zeros(image_hw, np.uint8)
    assert apply_geometry(geometry, np.zeros((*image_hw, 3), np.uint8), label)[1].shape == (504, 504)


def test_the_result_never_shares_memory_with_the_frame() -> None:
    """Cached frames are shared by all samples: an augmentation in place must not reach them."""
    image, label = coordinates(8, 8), np.zeros((8, 8), np.uint8)
    for found in apply_geometry(whole_image((8, 8), (8, 8)), image, label):
        assert not np.shares_memory(found, image)
        assert not np.shares_memory(found, label)
