"""CBST-SP: the prior is a smoothed density per class of the source labels, and what it changes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.selection.helpers import label_maps, make, probabilities
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.selection.spatial_prior import FittedPrior, class_counts, class_shares, density


def labels(count: int) -> list[np.ndarray]:
    """Label maps of several sizes: class 0 below, class 1 above, some pixels ignored; class 2 does not occur."""
    maps = []
    for i in range(count):
        height, width = 40 + 8 * i, 64 + 16 * i
        label = np.where(np.arange(height)[:, None] > height // 2, 0, 1).astype(np.uint8).repeat(width, 1)
        label[rng(i, "prior").random(label.shape) < 0.1] = IGNORE
        maps.append(label)
    return maps


def random_prior(seed: int, classes: int, height: int, width: int) -> np.ndarray:
    """Float32, every plane summing to 1; plane 1 is 0."""
    prior = rng(seed, "prior").random((classes, height, width))
    prior[1] = 0
    return (prior / np.maximum(prior.sum((1, 2), keepdims=True), 1)).astype(np.float32)


def fitted(prior: np.ndarray, height: int, width: int, band: int = 100) -> np.ndarray:
    """The whole resized prior, made in bands."""
    resized = FittedPrior(prior, (height, width))
    return np.concatenate([resized.rows(slice(y, min(y + band, height))).numpy() for y in range(0, height, band)], 1)


def test_the_prior_is_counted_from_the_source_labels_by_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """On 1/8 of the first label's size; every labelled pixel once; planes sum to 1, an absent class's is 0."""
    maps, priors = labels(4), []
    counts = np.sum([class_counts(label, 5, (5, 8)) for label in maps], 0)
    shares = np.sum([class_shares(label, 5, (5, 8)) for label in maps], 0)
    assert counts.sum() == sum((label != IGNORE).sum() for label in maps)
    for threads in (1, 3, 7):
        monkeypatch.setattr("os.sched_getaffinity", lambda pid, threads=threads: range(threads))
        selector = make("spatial_prior", portion=0.3)
        assert selector.reads_source
        selector.prepare(maps)
        priors.append(selector.prior)
    prior = priors[0]
    assert all(np.array_equal(prior, other) for other in priors) and np.array_equal(prior, density(shares))
    assert prior.shape == (5, 5, 8) and prior.dtype == np.float32
    np.testing.assert_allclose(prior.sum((1, 2)), [1, 1, 0, 0, 0], rtol=1e-6)
    assert prior[0, -1].mean() > 10 * prior[0, 0].mean() and prior[1, 0].mean() > 10 * prior[1, -1].mean()


def test_a_class_that_is_everywhere_has_a_flat_prior() -> None:
    """GTA5's frames are no multiple of eight: some cells have nine rows or columns (the corner had an eighth more)."""
    label = np.zeros((1052 // 4, 1914 // 4), np.uint8)
    prior = density(class_shares(label, 2, (263 // 8, 478 // 8)))
    np.testing.assert_allclose(prior[0], 1 / prior[0].size, rtol=1e-5)


def test_smoothing_keeps_a_constant_and_spreads_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("udamlf.selection.spatial_prior.SIGMA_OF_WIDTH", 2 / 64)
    counts = np.zeros((2, 32, 64), np.int64)
    counts[0], counts[1, 16, 32] = 7, 1000
    prior = density(counts)
    np.testing.assert_allclose(prior[0], 1 / (32 * 64), rtol=1e-5)
    assert prior[1].argmax() == 16 * 64 + 32
    rows, columns = np.indices((32, 64))
    for distance in (rows - 16, columns - 32):  # the standard deviation asked for, less the cut at 3 sigma
        np.testing.assert_allclose(np.sqrt((prior[1] * distance**2).sum()), 2, rtol=0.03)


def test_resizing_keeps_a_density() -> None:
    waves = np.sin(np.arange(8)[:, None] / 3) + np.cos(np.arange(16) / 4)
    planes = np.stack([waves + 3, 4 - waves])
    prior = (planes / planes.sum((1, 2), keepdims=True)).astype(np.float32)
    larger = fitted(prior, 32, 64)
    np.testing.assert_allclose(larger.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(larger.reshape(2, 8, 4, 16, 4).sum((2, 4)), prior, rtol=0.05)
    np.testing.assert_array_equal(fitted(prior, 8, 16), prior)


@pytest.mark.parametrize("size_hw", [(32, 64), (37, 50), (5, 9), (8, 64), (30, 16)])
def test_bands_of_a_resized_prior_are_opencv_s_bilinear_resize(size_hw: tuple[int, int]) -> None:
    """Any band, larger and smaller sizes, one side unchanged; a class never seen stays 0."""
    prior = random_prior(2, 3, 8, 16)
    whole = np.stack([cv2.resize(p, size_hw[::-1], interpolation=cv2.INTER_LINEAR) for p in prior])
    expected = whole / np.where(whole.any((1, 2)), whole.sum((1, 2)), 1)[:, None, None]
    bands = fitted(prior, *size_hw, band=3)
    np.testing.assert_allclose(bands, expected, rtol=1e-4, atol=1e-7)
    assert not bands[1].any()


# --- the selector -----------------------------------------------------------------------------------------------------


def with_prior(prior: np.ndarray, portion: float = 0.3, **params: Any) -> Any:
    selector = make("spatial_prior", portion=portion, **params)
    selector.prior = prior
    return selector


def test_a_flat_prior_changes_nothing_and_its_scale_and_size_do_not_matter() -> None:
    scores = probabilities(8)
    plain = label_maps(make("class_balanced", portion=0.3, exact=True), scores)
    for prior in (np.ones((5, 12, 16)), np.full((5, 12, 16), 2.0**-18), np.full((5, 3, 4), 1 / 12)):
        flat = label_maps(with_prior(prior.astype(np.float32), exact=True), scores)
        assert all(np.array_equal(plain[i], flat[i]) for i in plain)


def test_a_class_with_an_all_zero_prior_is_never_selected() -> None:
    prior = np.full((5, 12, 16), 1 / 192, np.float32)
    prior[1] = 0
    for portion in (0.0, 0.3, 1.0):
        for label in label_maps(with_prior(prior, portion), probabilities(9)).values():
            assert not (label == 1).any()


def test_where_the_source_shows_nothing_no_class_is_predicted_and_none_grows() -> None:
    """Pixels without any prior are not counted as the first class, whose threshold would then win everything."""
    prior = np.full((5, 12, 16), 1 / 192, np.float32)
    prior[:, :6] = 0
    scores = probabilities(12)
    selector = with_prior(prior, portion=1.0)
    maps = label_maps(selector, scores)
    below = label_maps(make("class_balanced", portion=1.0), scores[:, :, 6:])
    assert int(selector.class_sizes.sum()) == len(scores) * 6 * 16
    for index, label in maps.items():
        assert (label[:6] == IGNORE).all()
        np.testing.assert_array_equal(label[6:], below[index])
    for released in (None, "cbst"):
        for label in label_maps(with_prior(0 * prior, portion=1.0, released=released), scores).values():
            assert (label == IGNORE).all()


def test_as_released_pixels_without_any_prior_are_counted_as_the_first_class() -> None:
    prior = np.full((5, 12, 16), 1 / 192, np.float32)
    prior[:, :6] = 0
    selector = with_prior(prior, portion=0.5, released="cbst")
    scores = probabilities(12)
    label_maps(selector, scores)
    lower = [np.bincount(np.append(np.zeros(6 * 16, int), s[:, 6:].argmax(0).ravel()), minlength=5) for s in scores]
    assert selector.class_sizes.tolist() == sum(-(-sizes // 4) for sizes in lower).tolist()


def test_bands_of_a_weighted_map_give_the_labels_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a band has."""
    prior, scores = rng(0, "prior").random((5, 3, 4)).astype(np.float32), probabilities(13)
    whole = label_maps(with_prior(prior), scores)
    monkeypatch.setattr("udamlf.data.maps.BAND_PIXELS", 1)
    banded = label_maps(with_prior(prior), scores)
    assert all(np.array_equal(whole[i], banded[i]) for i in whole)


@pytest.mark.parametrize("seed", range(8))
def test_one_pass_thresholds_of_weighted_scores_are_as_accurate_as_stated(seed: int) -> None:
    """At most 2**-14 below the exact value."""
    prior, scores = random_prior(seed, 5, 12, 16), torch.as_tensor(probabilities(14 + seed))
    one_pass, exact = (with_prior(prior, exact=exact) for exact in (False, True))
    for selector in (one_pass, exact):
        label_maps(selector, scores)
    low, true = (selector.thresholds()[~np.isnan(exact.thresholds())] for selector in (one_pass, exact))
    assert len(true) >= 4
    assert (low <= true).all() and (low > true * (1 - 2.0**-14)).all()
    assert np.array_equal(one_pass.class_sizes, exact.class_sizes)  # the second look at a pixel does not count
