"""Integer confusion matrices and the scores made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from udamlf.data.labels import IGNORE
from udamlf.errors import UserError


def joint_counts(prediction: np.ndarray, label: np.ndarray, num_classes: int) -> np.ndarray:
    """Number of pixels of every (label, prediction) pair, ``IGNORE`` included.

    Args:
        prediction, label: uint8 of one shape, train ids or ``IGNORE``.

    Returns:
        int64 [C+1, C+1], rows = label, columns = prediction; the last row and column count ``IGNORE``.

    Raises:
        UserError: the shapes differ, or an id is neither a class nor ``IGNORE``.
    """
    if prediction.shape != label.shape:
        raise UserError(f"a prediction of shape {prediction.shape}", f"the shape of its label, {label.shape}")
    # 256 x 256 cells (0.5 MB) take every uint8 pair, so that counting and checking are one pass over the pixels.
    codes = np.left_shift(label, 8, dtype=np.uint16) | prediction
    pairs = np.bincount(codes.ravel(), minlength=1 << 16).reshape(256, 256)
    known = [*range(num_classes), IGNORE]
    counts = pairs[np.ix_(known, known)].astype(np.int64)
    if counts.sum() != codes.size:
        used = np.flatnonzero(pairs.sum(0) + pairs.sum(1))
        raise UserError(f"train ids {sorted(set(used.tolist()) - set(known))}", f"0..{num_classes - 1} or {IGNORE}")
    return counts


def confusion_matrix(prediction: np.ndarray, label: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 [C, C], rows = label, columns = prediction, over the pixels where neither is ``IGNORE``.

    Matrices of images add up: a score is computed from the sum over the whole set, never per image.
    """
    return joint_counts(prediction, label, num_classes)[:-1, :-1]


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class.

    Returns:
        float64 [C] in 0..1; nan for a class absent from labels and predictions, 0 for one that is only predicted.
    """
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


class MeanIoU(NamedTuple):
    """``value`` in 0..1 (nan if every class is absent) and how many classes were absent from it."""

    value: float
    absent: int


def miou(per_class: np.ndarray, indices: Sequence[int] | None = None) -> MeanIoU:
    """Mean of ``iou`` over the classes ``indices`` (default all), absent ones left out and counted (cbst.md 7)."""
    chosen = per_class if indices is None else per_class[list(indices)]
    present = chosen[~np.isnan(chosen)]
    return MeanIoU(float(present.mean()) if present.size else float("nan"), int(chosen.size - present.size))


def absent_as_zero(per_class: np.ndarray) -> np.ndarray:
    """``iou`` in the convention of CBST, CRST, IAST and HIAST: a class absent from both counts as 0 in a mean."""
    return np.nan_to_num(per_class, nan=0.0)


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Share of the labelled pixels that are right; nan if there is none."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")
