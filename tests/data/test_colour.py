"""Photometric jitter and HIAST's strong view: pure, bounded, and distributed as specified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from udamlf.common.seeding import rng
from udamlf.data import colour
from udamlf.data.colour import (
    STRONG,
    brightness_contrast,
    colours_of,
    jitter,
    random_brightness_contrast,
    strong_colours,
)

IMAGE = rng(0, "image").integers(0, 256, (128, 256, 3), np.uint8)


def test_jitter_is_a_function_of_image_and_generator() -> None:
    before = IMAGE.copy()
    first, again = jitter(IMAGE, rng(3), 0.8), jitter(IMAGE, rng(3), 0.8)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(IMAGE, before)
    assert first.dtype == np.uint8
    assert first.shape == IMAGE.shape
    assert (jitter(IMAGE, rng(4), 0.8) != first).any()


def test_jitter_of_strength_zero_is_the_identity_and_draws_as_many_numbers() -> None:
    none, some = rng(1), rng(1)
    np.testing.assert_array_equal(jitter(IMAGE, none, 0.0), IMAGE)
    jitter(IMAGE, some, 1.0)
    assert none.random() == some.random()


def test_jitter_grows_with_its_strength() -> None:
    def change(strength: float) -> float:
        pairs = [jitter(IMAGE, rng(seed), strength).astype(float) - IMAGE for seed in range(30)]
        return float(np.mean(np.abs(pairs)))

    changes = [change(strength) for strength in (0.1, 0.4, 0.8, 1.2)]
    assert changes == sorted(changes)
    assert changes[0] < 10
    assert changes[2] > 15


def test_jitter_keeps_grey_grey() -> None:
    """Hue and saturation turn about the grey axis."""
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    for seed in range(20):
        result = jitter(grey, rng(seed), 1.0).astype(int)
        assert np.ptp(result, axis=2).max() <= 8  # rounding before the gamma table's steepest part


def test_brightness_contrast_truncates_and_clips() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, -1, 1).repeat(3, 2)
    result = brightness_contrast(levels, 1.1, 0.05)[0, :, 0]
    np.testing.assert_array_equal(result, np.minimum(np.arange(256) * 1.1 + 12.75, 255).astype(np.uint8))
    np.testing.assert_array_equal(brightness_contrast(levels, 1.0, -0.5)[0, :127, 0], 0)


def test_iast_s_colour_step_has_its_probability() -> None:
    small = IMAGE[:4, :4]
    changed = [(random_brightness_contrast(rng(seed), 0.3)(small) != small).any() for seed in range(500)]
    assert 0.22 < np.mean(changed) < 0.38


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the strong operations, in the order in which they are applied; the operations themselves do nothing."""
    names: list[str] = []

    def recorder(name: str) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
        def record(image: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            names.append(name)
            return image

        return record

    for name in STRONG:
        monkeypatch.setitem(STRONG, name, recorder(name))
    return names


def test_the_strong_view_draws_three_of_eight_each_with_one_half(applied: list[str]) -> None:
    sizes: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    for seed in range(2000):
        applied.clear()
        strong_colours(IMAGE[:1, :1], rng(seed))
        assert len(set(applied)) == len(applied)
        sizes[len(applied)] += 1
        counts.update(applied)
    assert set(sizes) == {0, 1, 2, 3}
    assert sizes[0] / 2000 == pytest.approx(1 / 8, abs=0.03)
    assert sum(size * count for size, count in sizes.items()) / 2000 == pytest.approx(1.5, abs=0.07)
    assert set(counts) == set(STRONG)
    for count in counts.values():
        assert count / 2000 == pytest.approx(3 / 16, abs=0.04)


def test_blur_sizes_are_odd_and_weighted_as_specified(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels: Counter[int] = Counter()
    monkeypatch.setattr(colour, "blur", lambda image, kernel: kernels.update([kernel]))
    for seed in range(4000):
        STRONG["blur"](IMAGE, rng(seed))
    assert set(kernels) == set(range(3, 42, 2))
    assert kernels[3] / 4000 == pytest.approx(1 / 39, abs=0.01)
    assert kernels[41] / 4000 == pytest.approx(2 / 39, abs=0.015)


def test_the_strong_view_keeps_shape_and_leaves_the_weak_view_alone() -> None:
    before = IMAGE.copy()
    for seed in range(40):
        view = strong_colours(IMAGE, rng(seed))
        assert view.shape == IMAGE.shape
        assert view.dtype == np.uint8
        assert not np.shares_memory(view, IMAGE)
        np.testing.assert_array_equal(view, strong_colours(IMAGE, rng(seed)))
    np.testing.assert_array_equal(IMAGE, before)


def test_identity_arguments_change_nothing() -> None:
    for same in (
        brightness_contrast(IMAGE),
        colour.posterise(IMAGE, 8),
        colour.solarise(IMAGE, 256),
        colour.scale_contrast(IMAGE, 1.0),
        colour.scale_saturation(IMAGE, 1.0),
    ):
        np.testing.assert_array_equal(same, IMAGE)


def test_colours_of_another_image_are_its_means_and_spreads() -> None:
    """In CIELAB, to within the rounding of 8 bits; of itself they are its own; the sizes may differ."""
    draw = np.random.default_rng(0)
    image, other = (
        draw.integers(low, high, hw, np.uint8) for low, high, hw in ((60, 160, (40, 60, 3)), (30, 90, (9, 5, 3)))
    )
    mean, spread = (
        [f(cv2.cvtColor(each, cv2.COLOR_RGB2LAB).astype(float), (0, 1)) for each in (colours_of(image, other), other)]
        for f in (np.mean, np.std)
    )
    assert np.abs(mean[0] - mean[1]).max() < 1.5 and np.abs(spread[0] - spread[1]).max() < 1.5
    assert np.abs(colours_of(image, image).astype(int) - image).max() <= 4
