"""Confusion matrices add up, count every pixel once, and equal a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.evaluation.score import confusion_matrix, iou, miou


def maps(seed: int, num_classes: int, shape: tuple[int, ...] = (13, 17)) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([*range(num_classes), IGNORE], np.uint8)
    prediction, label = rng(seed).integers(0, num_classes + 1, (2, *shape))
    return ids[prediction], ids[label]


@given(st.integers(0, 10**6), st.integers(1, 30))
@settings(max_examples=30)
def test_it_equals_a_loop_over_pixels(seed: int, num_classes: int) -> None:
    prediction, label = maps(seed, num_classes)
    expected = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for p, t in zip(prediction.ravel().tolist(), label.ravel().tolist(), strict=True):
        expected[min(t, num_classes), min(p, num_classes)] += 1
    np.testing.assert_array_equal(confusion_matrix(prediction, label, num_classes), expected[:-1, :-1])


def test_the_sum_over_images_is_the_matrix_of_the_stack() -> None:
    prediction, label = maps(1, 5, (4, 9, 8))
    parts = [confusion_matrix(p, t, 5) for p, t in zip(prediction, label, strict=True)]
    np.testing.assert_array_equal(sum(parts), confusion_matrix(prediction, label, 5))


def test_iou_of_set_arithmetic() -> None:
    prediction, label = maps(2, 4)
    valid = (label != IGNORE) & (prediction != IGNORE)
    expected = [
        ((prediction == c) & (label == c) & valid).sum() / (((prediction == c) | (label == c)) & valid).sum()
        for c in range(4)
    ]
    np.testing.assert_allclose(iou(confusion_matrix(prediction, label, 4)), expected)


def test_absent_classes_are_nan_and_left_out() -> None:
    label = np.array([[0, 0, 1, 1]], np.uint8)
    prediction = np.array([[0, 0, 1, 2]], np.uint8)
    per_class = iou(confusion_matrix(prediction, label, 5))
    np.testing.assert_array_equal(per_class, [1, 0.5, 0, np.nan, np.nan])
    assert miou(per_class) == 0.5
    assert miou(per_class[:2]) == 0.75
    assert np.isnan(miou(per_class[3:]))


def test_an_image_without_a_label_scores_nothing() -> None:
    label = np.full((3, 3), IGNORE, np.uint8)
    confusion = confusion_matrix(np.zeros((3, 3), np.uint8), label, 3)
    assert confusion.sum() == 0
    assert np.isnan(miou(iou(confusion)))


def test_unknown_ids_and_shapes_are_refused() -> None:
    label = np.array([[0, 1]], np.uint8)
    with pytest.raises(UserError, match=r"\[7\]"):
        confusion_matrix(np.array([[0, 7]], np.uint8), label, 3)
    with pytest.raises(UserError, match=r"\[1\]"):
        confusion_matrix(np.zeros_like(label), label, 1)
    with pytest.raises(UserError, match="shape"):
        confusion_matrix(np.zeros((2, 2), np.uint8), label, 3)


def test_counts_stay_exact_beyond_float32() -> None:
    label = np.zeros(1 << 12, np.uint8)
    one = confusion_matrix(label, label, 2)
    total = one * (1 << 13) + confusion_matrix(label[:1], label[:1], 2)
    assert total[0, 0] == (1 << 25) + 1  # 2^24 is where float32 counts stop
