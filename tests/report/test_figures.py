"""Figures: PNG files with the right colours, for every shape an evaluation can have."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from udamlf.data.dataset import Sample
from udamlf.data.labels import CITYSCAPES_16, CITYSCAPES_19, IGNORE, LABEL_SPACES
from udamlf.report.figures import Gallery, class_bars, colour, confusion_figure


@pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=LABEL_SPACES)
def test_colours_are_the_palette_and_ignored_pixels_black(space) -> None:
    labels = np.array([[*range(space.num_classes), IGNORE]], np.uint8)
    assert colour(labels, space).tolist() == [[*map(list, space.palette), [0, 0, 0]]]


def picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_a_gallery_keeps_the_first_images_and_shows_masks_of_another_size(tmp_path: Path) -> None:
    gallery = Gallery(CITYSCAPES_19, "miniature", shown=2)
    random = np.random.default_rng(0)
    for index in range(3):
        image = random.integers(0, 256, (8, 16, 3)).astype(np.uint8)
        truth = random.integers(0, 19, (16, 32)).astype(np.uint8)
        gallery.add(Sample(f"frame{index}", tmp_path, None), image, truth, np.full((16, 32), 13, np.uint8))
    assert [row[0] for row in gallery.rows] == ["frame0", "frame1"]
    gallery.save(tmp_path / "figures" / "predictions.png")
    shown = picture(tmp_path / "figures" / "predictions.png")
    car = np.array(CITYSCAPES_19.palette[13])[::-1]
    assert (np.abs(shown.astype(int) - car).max(-1) <= 2).sum() > 1000, "the predicted car is in its colour"


def test_a_gallery_without_images_is_a_figure_too(tmp_path: Path) -> None:
    Gallery(CITYSCAPES_19, "real", shown=2).save(tmp_path / "empty.png")
    assert picture(tmp_path / "empty.png").size


def test_a_confusion_with_an_absent_class_is_a_figure(tmp_path: Path) -> None:
    confusion = np.eye(CITYSCAPES_16.num_classes, dtype=np.int64) * 100
    confusion[3] = 0
    confusion_figure(confusion, CITYSCAPES_16, "miniature", tmp_path / "confusion.png")
    assert len(np.unique(picture(tmp_path / "confusion.png").reshape(-1, 3), axis=0)) > 10


def test_bars_take_missing_classes_and_several_methods(tmp_path: Path) -> None:
    values: dict[str, float | None] = {name: 50.0 for name in CITYSCAPES_16.classes}
    scores = {"source_only": {**values, "wall": None}, "st": values}
    class_bars(scores, CITYSCAPES_16, "miniature", tmp_path / "bars.png")
    assert picture(tmp_path / "bars.png").shape[0] > 100
