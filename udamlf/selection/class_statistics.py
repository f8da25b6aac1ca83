"""HIAST's hard-class sampling, made of the class statistics that ``instance_adaptive`` publishes (hiast.md, 3)."""

from collections.abc import Sequence

import numpy as np


def candidate_lists(class_pixels: np.ndarray, images: np.ndarray, drop_fraction: float = 0.1) -> list[np.ndarray]:
    """For every class the images that may donate it, int64: those that show it, fewest pixels first (of equal counts
    the first row first), less ``drop_fraction`` of them, rounded half to even (5 -> 0, 15 -> 2), at the small end. From
    labelled pixels int64 [n, C] and each row's image, int64 [n]."""
    lists = []
    for pixels in class_pixels.T:
        ascending = np.argsort(pixels, kind="stable")[np.count_nonzero(pixels == 0) :]
        lists.append(np.asarray(images, np.int64)[ascending[round(drop_fraction * len(ascending)) :]])
    return lists


def hard_classes(mean: np.ndarray, number: int, excluded: Sequence[int] = ()) -> np.ndarray:
    """The ``number`` classes with the smallest mean confidence float64 [C], ascending, the lower id first on a tie.
    ``excluded`` are never hard: absent from the source, or without a candidate (the released code fails on both)."""
    ascending = np.argsort(mean, kind="stable")
    return ascending[~np.isin(ascending, excluded)][:number]


def sampling_probabilities(mean: np.ndarray, classes: Sequence[int], power: float = 2.0) -> np.ndarray:
    """Chance to draw each class, float64 [C]: (1 - mean)**power, normalised over ``classes``, 0 for the others (the
    released code redraws until it meets one, which is the same). All 0 when there is none, or all have mean 1."""
    weights = np.where(np.isin(np.arange(len(mean)), classes), (1 - mean) ** power, 0)
    return weights / max(weights.sum(), np.finfo(np.float64).tiny)
