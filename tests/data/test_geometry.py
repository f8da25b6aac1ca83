"""Geometry: the same for an image and its maps, padded by IGNORE, within its rules for every draw; and resizing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.data.geometry import (
    MEAN_COLOUR,
    Geometry,
    cbst_scale_crop,
    cut_image,
    cut_label,
    draw_geometry,
    random_sized_crop,
    resize_image,
    resize_label,
    scale_crop,
    weak_view,
)

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))
FULL = (128, 256)


def coordinates(height: int, width: int) -> np.ndarray:
    """An image whose channels are row, column and 7."""
    rows, columns = np.indices((height, width), dtype=np.uint8)
    return np.dstack([rows, columns, np.full_like(rows, 7)])


@given(SIZES, st.integers(-20, 39), st.integers(-20, 39), SIZES, st.booleans())
@settings(max_examples=200)
def test_a_crop_is_the_image_seen_through_a_window_and_mirrored(
    image_hw: tuple[int, int], top: int, left: int, box: tuple[int, int], flip: bool
) -> None:
    image = coordinates(*image_hw)
    geometry = Geometry(top, left, *box, box, flip)
    meets = top < image_hw[0] and left < image_hw[1] and top + box[0] > 0 and left + box[1] > 0
    if not meets:
        with pytest.raises(UserError, match="outside"):
            cut_image(image, geometry)
        return
    crop, label = cut_image(image, geometry), cut_label(image[..., 1], geometry)
    step = -1 if flip else 1
    for y in range(box[0]):
        for x in range(box[1]):
            row, column = top + y, left + x
            inside = 0 <= row < image_hw[0] and 0 <= column < image_hw[1]
            assert tuple(crop[:, ::step][y, x]) == (tuple(image[row, column]) if inside else MEAN_COLOUR)
            assert label[:, ::step][y, x] == (image[row, column, 1] if inside else IGNORE)


@given(st.integers(0, 10**6), SIZES, SIZES)
@settings(max_examples=100)
def test_a_crop_has_its_size_and_no_new_label(seed: int, image_hw: tuple[int, int], output_hw: tuple[int, int]) -> None:
    label = np.kron(np.arange(1, 1 + np.prod(image_hw)).reshape(image_hw) % 200, np.ones((8, 8))).astype(np.uint8)
    image = np.repeat(label[..., None], 3, 2)
    for geometry in (
        scale_crop(rng(seed), label.shape, (0.5, 2.0), output_hw),
        random_sized_crop(rng(seed), label.shape, (1, label.shape[0]), output_hw),
    ):
        crop, ids = cut_image(image, geometry), cut_label(label, geometry)
        assert crop.shape == (*output_hw, 3)
        assert crop.dtype == ids.dtype == np.uint8
        assert crop.flags.c_contiguous
        assert set(np.unique(ids)) <= {*np.unique(label), IGNORE}


def test_bilinear_image_and_nearest_label_stay_within_a_pixel() -> None:
    """Colour = position: the label's position under each output pixel is near the image's interpolated one."""
    image = coordinates(120, 200)
    for seed in range(20):
        geometry = random_sized_crop(rng(seed), (120, 200), (30, 120), (60, 100))
        crop, rows, columns = cut_image(image, geometry), *(cut_label(image[..., i], geometry) for i in (0, 1))
        pixels = geometry.height / 60
        for channel, nearest in ((0, rows), (1, columns)):
            # A crop wider than the image is padded: there are no positions to compare.
            inside = (nearest != IGNORE) & (crop[..., 2] == 7)
            distance = np.abs(crop[..., channel].astype(float) - nearest)[inside]
            assert distance.max() <= pixels + 1.0  # a pixel of the input, and rounding


@given(st.integers(0, 10**6))
@settings(max_examples=100)
def test_random_sized_crop_stays_inside_and_keeps_the_aspect(seed: int) -> None:
    geometry = random_sized_crop(rng(seed), (104, 200), (34, 95), (51, 102))
    assert 34 <= geometry.height <= 95
    assert geometry.width == 2 * geometry.height
    assert 0 <= geometry.top <= 104 - geometry.height
    assert 0 <= geometry.left <= 200 - geometry.width


def test_both_ends_of_the_height_range_and_the_mirror_occur() -> None:
    augmentation = Augmentation(crop_hw=(10, 20), crop_height_range=(10, 12))
    geometries = [draw_geometry(rng(seed), (50, 100), augmentation) for seed in range(200)]
    assert {g.height for g in geometries} == {10, 11, 12}
    assert 60 < sum(g.flip for g in geometries) < 140


def test_an_image_smaller_than_the_crop_is_padded_at_the_bottom_right() -> None:
    image, label = coordinates(10, 20), np.zeros((10, 20), np.uint8)
    geometry = scale_crop(rng(0), (10, 20), (1.0, 1.0), (16, 32))
    crop, ids = cut_image(image, geometry), cut_label(label, geometry)
    np.testing.assert_array_equal(crop[:10, :20], image)
    assert (crop[10:] == MEAN_COLOUR).all()
    assert (ids[:10, :20] == 0).all()
    assert (ids[10:] == IGNORE).all()
    assert (ids[:, 20:] == IGNORE).all()


def test_scale_crop_reaches_every_origin_and_both_zooms() -> None:
    geometries = [scale_crop(rng(seed), (20, 20), (1.0, 1.0), (18, 18)) for seed in range(200)]
    assert {(g.top, g.left) for g in geometries} == {(y, x) for y in range(3) for x in range(3)}
    heights = [scale_crop(rng(seed), (100, 100), (0.5, 2.0), (30, 30)).height for seed in range(200)]
    assert min(heights) < 17
    assert max(heights) > 50


@given(st.integers(0, 10**6), st.sampled_from([(1052, 1914), (1024, 2048), (300, 400)]))
@settings(max_examples=100)
def test_cbst_crop_follows_its_integer_rules(seed: int, image_hw: tuple[int, int]) -> None:
    geometry = cbst_scale_crop(rng(seed), image_hw, 2048, (0.7, 1.3), 504)
    assert geometry.height == geometry.width
    assert int(504 / 1.3) <= geometry.height <= int(504 * 2048 / int(0.7 * 2048))
    assert geometry.image_rule == ("lanczos" if geometry.height > 504 else "bicubic")
    offset = max(1, int(8 * geometry.height / 504 / 2))
    for origin, length in ((geometry.top, image_hw[0]), (geometry.left, image_hw[1])):
        assert -offset - 1 <= origin <= max(length - geometry.height, 8 * geometry.height / 504)
    assert cut_label(np.zeros(image_hw, np.uint8), geometry).shape == (504, 504)


def test_the_result_never_shares_memory_with_the_frame() -> None:
    """Cached frames are shared by all samples: an augmentation in place must not reach them."""
    image, label, whole = coordinates(8, 8), np.zeros((8, 8), np.uint8), Geometry(0, 0, 8, 8, (8, 8))
    assert not np.shares_memory(cut_image(image, whole), image)
    assert not np.shares_memory(cut_label(label, whole), label)


@settings(max_examples=50)
@given(st.integers(0, 1000), st.integers(20, 300), st.integers(20, 300), st.integers(20, 400))
def test_weak_views_lie_inside(seed: int, height: int, width: int, nominal: int) -> None:
    """Any image and nominal width, smaller than the crop too: the crop fits into the resized image."""
    view = weak_view(rng(seed), (height, width), (48, 80), nominal, (0.5, 1.5))
    assert view.resized_hw is not None
    assert 0 <= view.top <= view.resized_hw[0] - 48 and 0 <= view.left <= view.resized_hw[1] - 80
    assert cut_label(np.zeros((height, width), np.uint8), view).shape == (48, 80)
    assert cut_image(np.zeros((height, width, 3), np.uint8), view).shape == (48, 80, 3)


@pytest.mark.parametrize(("flip", "mirrored"), [(0.0, 0), (1.0, 20)])
def test_weak_views_are_mirrored_as_often_as_is_asked(flip: float, mirrored: int) -> None:
    rule = Augmentation(crop_hw=(48, 80), nominal_width=160, flip=flip)
    assert sum(draw_geometry(rng(n), (100, 200), rule).flip for n in range(20)) == mirrored


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize(("resized", "top", "left"), [((70, 140), 4, 25), ((94, 188), 11, 74)])
def test_only_the_crop_of_a_weak_view_is_resized_and_equals_the_whole(
    resized: tuple[int, int], top: int, left: int, flip: bool
) -> None:
    """Resizing the crop's box gives the pixels of resizing the whole image with Pillow, within one grey level."""
    image = rng(0).integers(0, 256, (*FULL, 3)).astype(np.uint8)
    label = rng(1).integers(0, 19, FULL).astype(np.uint8)
    box, step = np.s_[top : top + 64, left : left + 112], -1 if flip else 1
    whole = np.asarray(Image.fromarray(image).resize(resized[::-1], Image.Resampling.BILINEAR))[box]
    labels = np.asarray(Image.fromarray(label).resize(resized[::-1], Image.Resampling.NEAREST))[box]
    view = Geometry(top, left, 64, 112, (64, 112), flip, resized_hw=resized)
    assert np.abs(cut_image(image, view).astype(int) - whole[:, ::step]).max() <= 1
    np.testing.assert_array_equal(cut_label(label, view), labels[:, ::step])


# --- resizing -------------------------------------------------------------------------------------------------------


@given(size=SIZES, target=SIZES, dtype=st.sampled_from([np.uint8, np.int64]))
def test_nearest_follows_its_definition(size: tuple[int, int], target: tuple[int, int], dtype: type) -> None:
    """ "opencv" is OpenCV itself: floor(i * n / N), or one lower where the exact value is an integer. "pillow" is
    floor((i + 0.5) * n / N) in integers."""
    for axis, (n, big) in enumerate(zip(size, target, strict=True)):
        line = np.arange(n, dtype=dtype).reshape((-1, 1) if axis == 0 else (1, -1))
        wanted = (big, 1) if axis == 0 else (1, big)
        by_opencv = resize_label(line, wanted, "opencv").ravel()
        itself = cv2.resize(line.astype(np.uint8), wanted[::-1], interpolation=cv2.INTER_NEAREST)
        np.testing.assert_array_equal(by_opencv, itself.ravel())
        for i, picked in enumerate(by_opencv):
            assert picked == i * n // big or (picked == i * n // big - 1 and i * n % big == 0)
        centres = [(2 * i + 1) * n // (2 * big) for i in range(big)]
        np.testing.assert_array_equal(resize_label(line, wanted, "pillow").ravel(), centres)


@given(size=SIZES, target=SIZES, dtype=st.sampled_from([np.uint8, np.int64]))
def test_the_axes_of_a_label_are_resized_apart(size: tuple[int, int], target: tuple[int, int], dtype: type) -> None:
    """OpenCV's rule on any sizes, Pillow's on enlargements by whole factors (elsewhere its floats may round)."""
    label = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    by_opencv = cv2.resize(label, target[::-1], interpolation=cv2.INTER_NEAREST).reshape(target)
    np.testing.assert_array_equal(resize_label(label.astype(dtype), target, "opencv"), by_opencv)
    larger = (size[0] * (1 + target[0] % 4), size[1] * (1 + target[1] % 4))
    by_pillow = np.asarray(Image.fromarray(label).resize(larger[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(resize_label(label.astype(dtype), larger, "pillow"), by_pillow)


@pytest.mark.parametrize("rule", ["area", "bilinear", "bicubic", "lanczos"])
def test_images(rule: str) -> None:
    """Shape and dtype; a constant image stays constant; the same size is the same image."""
    image = np.full((20, 30, 3), 77, np.uint8)
    resized = resize_image(image, (13, 17), rule)
    assert resized.dtype == np.uint8
    assert resized.shape == (13, 17, 3)
    assert (resized == 77).all()
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_image(noise, (9, 7), rule), noise)


def test_area_averages_and_bilinear_does_not() -> None:
    """Halving twice: the mean of 4x4 pixels, or of the 2x2 in their middle (no antialias)."""
    image = np.zeros((4, 4, 3), np.uint8)
    image[1:3, 1:3] = 160
    assert resize_image(image, (1, 1), "area")[0, 0, 0] == 40
    assert resize_image(image, (1, 1), "bilinear")[0, 0, 0] == 160
