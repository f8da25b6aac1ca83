"""The audit's precision is the share of kept pixels whose label is right, and it is asked of known pixels only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from udamlf.config.labels import CAMVID_11, IGNORE
from udamlf.data.dataset import SHIPPED, Frame
from udamlf.data.pseudo_labels import PseudoLabels, publish
from udamlf.evaluation.calibration import expected_calibration_error
from udamlf.evaluation.score import audit

SKY, ROAD, CAR = (CAMVID_11.classes.index(name) for name in ("sky", "road", "car"))
DATA_SET = SHIPPED["camvid"]


def world(folder: Path, truths: dict[str, np.ndarray]) -> list[Frame]:
    """CamVid frames with the given train ids."""
    for name, truth in truths.items():
        image = np.zeros((*truth.shape, 3), np.uint8)
        DATA_SET.write(folder, "target_train", name, image, truth, CAMVID_11)
    DATA_SET.write_list(folder, "target_train", list(truths))
    return DATA_SET.samples(folder, "target_train")


def published(folder: Path, labels: dict[str, np.ndarray]) -> PseudoLabels:
    publish(folder, labels.items(), lambda: ({"label_space": CAMVID_11.name}, {}))
    return PseudoLabels(folder, CAMVID_11)


def array(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_precision_by_hand(tmp_path: Path) -> None:
    """Of five kept pixels with a known truth three are right; the ignored truth and the pixel without label count
    nowhere; a class that was never kept has no precision."""
    truth = array([SKY, SKY, ROAD, ROAD], [ROAD, IGNORE, CAR, CAR])
    label = array([SKY, ROAD, ROAD, IGNORE], [ROAD, ROAD, IGNORE, SKY])
    samples = world(tmp_path / "data", {"a": truth})
    metrics, _ = audit(published(tmp_path / "labels", {"a": label}), DATA_SET, samples, CAMVID_11)
    assert metrics == {
        "pl/precision": pytest.approx(60.0),
        "pl/precision/sky": pytest.approx(50.0),
        "pl/precision/road": pytest.approx(200 / 3),
    }


def test_images_are_pooled_by_pixel(tmp_path: Path) -> None:
    """One confusion matrix over all images, not a mean of images."""
    truths = {"a": array([SKY] * 9), "b": array([ROAD])}
    labels = {"a": array([SKY] * 9), "b": array([SKY])}
    samples = world(tmp_path / "data", truths)
    metrics, _ = audit(published(tmp_path / "labels", labels), DATA_SET, samples, CAMVID_11)
    assert metrics["pl/precision"] == pytest.approx(90.0)
    assert metrics["pl/precision/sky"] == pytest.approx(90.0)


def test_labels_of_another_size_take_the_nearest_pixel(tmp_path: Path) -> None:
    """Labels made at half the resolution are compared at the truth's."""
    truth = np.full((4, 8), ROAD, np.uint8)
    truth[:, 4:] = SKY
    samples = world(tmp_path / "data", {"a": truth})
    half = published(tmp_path / "labels", {"a": array([ROAD, ROAD, SKY, CAR], [ROAD, ROAD, SKY, SKY])})
    metrics, _ = audit(half, DATA_SET, samples, CAMVID_11)
    assert metrics["pl/precision/road"] == metrics["pl/precision/sky"] == 100.0
    assert metrics["pl/precision"] == pytest.approx(100 * 28 / 32)


def test_images_without_truth_or_without_labels_are_left_out(tmp_path: Path) -> None:
    """An unlabelled target has no precision at all; images outside of the published ones do not count."""
    samples = world(tmp_path / "data", {"a": array([SKY, ROAD]), "b": array([ROAD, ROAD])})
    labels = published(tmp_path / "labels", {"a": array([SKY, SKY])})
    assert audit(labels, DATA_SET, samples, CAMVID_11)[0]["pl/precision"] == pytest.approx(50.0)
    blind = [replace(sample, label=None) for sample in samples]
    assert audit(labels, DATA_SET, blind, CAMVID_11)[0] == {}


def test_nothing_kept_has_no_precision(tmp_path: Path) -> None:
    samples = world(tmp_path / "data", {"a": array([SKY, ROAD])})
    labels = published(tmp_path / "labels", {"a": array([IGNORE, IGNORE])})
    assert audit(labels, DATA_SET, samples, CAMVID_11)[0] == {}


def test_reliability_by_hand(tmp_path: Path) -> None:
    """Four kept pixels with a known truth: two with 0.9, both right; two with 0.5, one right; the error is that of the
    first, 0.1, for half of the pixels. Frames without a stored confidence are left out."""
    truths = {"a": array([SKY, ROAD, ROAD], [CAR, IGNORE, CAR]), "b": array([SKY])}
    label = array([SKY, ROAD, ROAD], [SKY, ROAD, IGNORE])
    labels = published(tmp_path / "labels", {"a": label, "b": array([CAR])})
    stored = {"a": np.array([[180, 180, 100], [100, 180, 0]], np.uint8)}
    _, table = audit(labels, DATA_SET, world(tmp_path / "data", truths), CAMVID_11, stored)
    assert table.sum(1).tolist() == pytest.approx([4, 3, 2.8])
    assert expected_calibration_error(table) == pytest.approx(5.0)
