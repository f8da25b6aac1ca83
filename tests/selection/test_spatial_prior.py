"""The spatial prior is a smoothed density per class of the source labels."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.seeding import rng
from udamlf.selection.spatial_prior import FittedPrior, PriorCounts, load_prior, normalised, save_prior


def labels(count: int) -> list[np.ndarray]:
    """Label maps of several sizes: class 0 below, class 1 above, some pixels ignored; class 2 does not occur."""
    maps = []
    for i in range(count):
        height, width = 40 + 8 * i, 64 + 16 * i
        label = np.where(np.arange(height)[:, None] > height // 2, 0, 1).astype(np.uint8).repeat(width, 1)
        label[rng(i, "prior").random(label.shape) < 0.1] = IGNORE
        maps.append(label)
    return maps


def test_every_plane_sums_to_one_and_an_absent_class_is_zero() -> None:
    counts = PriorCounts(3, (8, 16))
    for label in labels(3):
        counts.add(label)
    prior = counts.prior()
    assert prior.shape == (3, 8, 16) and prior.dtype == np.float32
    np.testing.assert_allclose(prior.sum((1, 2)), [1, 1, 0], rtol=1e-6)
    assert prior[0, -1].mean() > 10 * prior[0, 0].mean() and prior[1, 0].mean() > 10 * prior[1, -1].mean()


def test_every_labelled_pixel_is_counted_once_and_shards_add_up() -> None:
    whole, first, second = (PriorCounts(3, (8, 16)) for _ in range(3))
    maps = labels(4)
    for i, label in enumerate(maps):
        whole.add(label)
        (first if i % 2 else second).add(label)
    first.merge(second)
    np.testing.assert_array_equal(first.counts, whole.counts)
    assert whole.counts.sum() == sum((label != IGNORE).sum() for label in maps)


def test_smoothing_keeps_a_constant_and_spreads_a_point() -> None:
    counts = PriorCounts(2, (32, 64))
    counts.counts[0] = 7
    counts.counts[1, 16, 32] = 1000
    prior = counts.prior(sigma_of_width=2 / 64)
    np.testing.assert_allclose(prior[0], 1 / (32 * 64), rtol=1e-5)
    assert prior[1].argmax() == 16 * 64 + 32
    rows, columns = np.indices((32, 64))
    for distance in (rows - 16, columns - 32):  # the standard deviation asked for, less the cut at 3 sigma
        np.testing.assert_allclose(np.sqrt((prior[1] * distance**2).sum()), 2, rtol=0.03)


def test_resizing_keeps_a_density() -> None:
    waves = np.sin(np.arange(8)[:, None] / 3) + np.cos(np.arange(16) / 4)
    prior = normalised(np.stack([waves + 3, 4 - waves]))
    larger = FittedPrior(prior, (32, 64)).rows(0, 32).numpy()
    np.testing.assert_allclose(larger.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(larger.reshape(2, 8, 4, 16, 4).sum((2, 4)), prior, rtol=0.05)
    np.testing.assert_array_equal(FittedPrior(prior, (8, 16)).rows(0, 8).numpy(), prior)


@pytest.mark.parametrize("size_hw", [(32, 64), (37, 50), (5, 9), (8, 64), (30, 16)])
def test_bands_of_a_resized_prior_are_opencv_s_bilinear_resize(size_hw: tuple[int, int]) -> None:
    """Any band, larger and smaller sizes, one side unchanged; a class never seen stays 0."""
    prior = normalised(rng(2, "prior").random((3, 8, 16)))
    prior[1] = 0
    whole = np.stack([cv2.resize(p, size_hw[::-1], interpolation=cv2.INTER_LINEAR) for p in prior])
    expected = normalised(whole)
    fitted = FittedPrior(prior, size_hw)
    bands = np.concatenate([fitted.rows(y, min(y + 3, size_hw[0])).numpy() for y in range(0, size_hw[0], 3)], 1)
    np.testing.assert_allclose(bands, expected, rtol=1e-4, atol=1e-7)
    assert not bands[1].any()


def test_npy_and_mat_files_round_trip(tmp_path: Path) -> None:
    prior = normalised(rng(1, "prior").random((3, 8, 16)))
    save_prior(tmp_path / "prior.npy", prior)
    np.testing.assert_array_equal(load_prior(tmp_path / "prior.npy", 3), prior)
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy, an optional dependency, is not installed")
    scipy_io.savemat(tmp_path / "prior.mat", {"prior_array": prior})
    np.testing.assert_array_equal(load_prior(tmp_path / "prior.mat", 3), prior)
    scipy_io.savemat(tmp_path / "other.mat", {"something": prior})
    with pytest.raises(UserError, match="something"):
        load_prior(tmp_path / "other.mat", 3)


def test_without_scipy_a_mat_file_gives_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prior.mat").write_bytes(b"x")
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(UserError, match="SciPy"):
        load_prior(tmp_path / "prior.mat", 3)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    good = np.ones((3, 4, 4), np.float32)
    for name, array in (("negative", -good), ("planes", good[:2]), ("flat", good[0]), ("nan", good * np.nan)):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(UserError, match=name):
            load_prior(tmp_path / f"{name}.npy", 3)
    whole = (tmp_path / "negative.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="cut"):
        load_prior(tmp_path / "cut.npy", 3)
    with pytest.raises(UserError, match="no spatial prior"):
        load_prior(tmp_path / "absent.npy", 3)
