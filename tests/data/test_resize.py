"""Resize rules: the two nearest-neighbour definitions, exactly, for every pair of sizes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from udamlf.data.resize import IMAGE_RULES, resize_image, resize_label
from udamlf.errors import UserError

sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(size=sizes, target=sizes, rule=st.sampled_from(["opencv", "pillow"]))
def test_nearest_follows_its_definition(size: tuple[int, int], target: tuple[int, int], rule: str) -> None:
    """floor(i * n / N) or floor((i + 0.5) * n / N), in integers."""
    label = np.arange(size[0] * size[1]).reshape(size)
    resized = resize_label(label, target, rule)
    for axis in (0, 1):
        n, big = size[axis], target[axis]
        index = [i * n // big if rule == "opencv" else (2 * i + 1) * n // (2 * big) for i in range(big)]
        picked = resized[:, 0] // size[1] if axis == 0 else resized[0] % size[1]
        np.testing.assert_array_equal(picked, index)


@given(size=sizes, target=sizes)
def test_nearest_is_what_the_libraries_do_when_enlarging(size: tuple[int, int], target: tuple[int, int]) -> None:
    """Pillow and OpenCV themselves, on enlargements by whole factors (elsewhere their floats may round)."""
    target = (size[0] * (1 + target[0] % 4), size[1] * (1 + target[1] % 4))
    label = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    by_opencv = cv2.resize(label, target[::-1], interpolation=cv2.INTER_NEAREST)
    by_pillow = np.asarray(Image.fromarray(label).resize(target[::-1], Image.Resampling.NEAREST))
    np.testing.assert_array_equal(resize_label(label, target, "opencv"), by_opencv.reshape(target))
    np.testing.assert_array_equal(resize_label(label, target, "pillow"), by_pillow)


@pytest.mark.parametrize("rule", IMAGE_RULES)
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


def test_unknown_rules() -> None:
    with pytest.raises(UserError, match="cubic"):
        resize_image(np.zeros((2, 2, 3), np.uint8), (3, 3), "cubic")
    with pytest.raises(UserError, match="nearest"):
        resize_label(np.zeros((2, 2), np.uint8), (3, 3), "nearest")
