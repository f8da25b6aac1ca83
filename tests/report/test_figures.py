"""Figures: PNG files with the right colours, for every shape an evaluation can have."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from udamlf.config.labels import CITYSCAPES_16, CITYSCAPES_19, IGNORE, LABEL_SPACES
from udamlf.report.figures import colour, confusion_figure, examples_figure, predictions_figure


@pytest.mark.parametrize("space", LABEL_SPACES.values(), ids=LABEL_SPACES)
def test_colours_are_the_palette_and_ignored_pixels_black(space) -> None:
    labels = np.array([[*range(space.num_classes), IGNORE]], np.uint8)
    assert colour(labels, space).tolist() == [[*map(list, space.palette), [0, 0, 0]]]


def picture(path: Path) -> np.ndarray:
    image = cv2.imread(str(path))
    assert image is not None
    return image


def test_predictions_are_in_their_classes_colours_at_any_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (8, 16, 3)).astype(np.uint8)
    truth = random.integers(0, 19, (16, 32)).astype(np.uint8)
    examples = [("frame", image, truth, np.full((16, 32), 13, np.uint8))] * 2
    predictions_figure(examples, CITYSCAPES_19, "miniature", tmp_path / "figures" / "predictions.png")
    figure = picture(tmp_path / "figures" / "predictions.png")
    car = np.array(CITYSCAPES_19.palette[13])[::-1]
    assert (np.abs(figure.astype(int) - car).max(-1) <= 2).sum() > 1000, "the predicted car is in its colour"


def test_no_predictions_are_a_figure_too(tmp_path: Path) -> None:
    predictions_figure([], CITYSCAPES_19, "real", tmp_path / "empty.png")
    assert picture(tmp_path / "empty.png").size


def test_a_confusion_with_an_absent_class_is_a_figure(tmp_path: Path) -> None:
    confusion = np.eye(CITYSCAPES_16.num_classes, dtype=np.int64) * 100
    confusion[3] = 0
    confusion_figure(confusion, CITYSCAPES_16, "miniature", tmp_path / "confusion.png")
    assert len(np.unique(picture(tmp_path / "confusion.png").reshape(-1, 3), axis=0)) > 10


def test_examples_show_the_entropy_in_0_to_1(tmp_path: Path) -> None:
    """Uniform probabilities are as bright, and certain ones as dark, as the colour map gets."""
    uniform = np.full((16, 8, 16), 1 / 16, np.float32)
    certain = np.zeros_like(uniform)
    certain[2] = 1
    rows = [("sure", np.zeros((8, 16, 3), np.uint8), certain), ("unsure", np.zeros((8, 16, 3), np.uint8), uniform)]
    examples_figure(rows, CITYSCAPES_16, "miniature", tmp_path / "examples.png")
    right = picture(tmp_path / "examples.png")[:, 850:].astype(int).reshape(-1, 3)
    for end in ((4, 0, 0), (191, 253, 252)):  # magma, blue-green-red
        assert (np.abs(right - end).max(-1) <= 2).sum() > 1000
