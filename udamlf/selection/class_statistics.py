"""What HIAST gathers while labelling, and the hard-class sampling made of it (hiast.md, sections 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from udamlf.data.labels import IGNORE


class ClassStatistics:
    """Class mean confidence and kept pixels per image, accumulated step by step.

    Attributes:
        mean: float64 [C], moving mean confidence mu of kept pixels; 0 = never seen.
    """

    def __init__(self, num_classes: int, momentum: float = 0.99) -> None:
        self.momentum = momentum
        self.mean = np.zeros(num_classes)
        self._images: list[int] = []
        self._pixels: list[np.ndarray] = []

    def add(self, indices: Sequence[int], confidences: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> None:
        """Take in one step: confidences float32 [H, W] and final labels uint8 [H, W] of the images ``indices``."""
        classes = len(self.mean)
        sums = np.zeros(classes)
        for index, confidence, label in zip(indices, confidences, labels, strict=True):
            flat = label.ravel()
            sums += np.bincount(flat, weights=confidence.ravel(), minlength=IGNORE + 1)[:classes]
            self._images.append(int(index))
            self._pixels.append(np.bincount(flat, minlength=IGNORE + 1)[:classes])
        pixels = np.sum(self._pixels[len(self._pixels) - len(indices) :], axis=0)
        seen = pixels > 0
        step_mean = sums[seen] / pixels[seen]
        moved = self.momentum * self.mean[seen] + (1 - self.momentum) * step_mean
        self.mean[seen] = np.where(self.mean[seen] == 0, step_mean, moved)

    def class_pixels(self) -> np.ndarray:
        """Kept pixels of each class in each image, int64 [images, C], in the order of labelling."""
        return np.array(self._pixels, np.int64).reshape(-1, len(self.mean))

    def state(self) -> dict[str, np.ndarray]:
        """Everything gathered: ``class_mean_confidence`` [C], ``labelled_images`` [n], ``class_pixels`` [n, C]."""
        return {
            "class_mean_confidence": self.mean.copy(),
            "labelled_images": np.array(self._images, np.int64),
            "class_pixels": self.class_pixels(),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the arrays of ``state``."""
        self.mean = np.array(state["class_mean_confidence"])
        self._images = [int(i) for i in state["labelled_images"]]
        self._pixels = list(np.asarray(state["class_pixels"]))


def candidate_images(pixels: np.ndarray, drop_fraction: float = 0.1) -> np.ndarray:
    """Positions of the images that may donate a class: fewest pixels first, without the smallest ones.

    Args:
        pixels: int [n], kept pixels of the class in each image; images without any are no candidates.
        drop_fraction: share of the candidates removed from the small end, rounded half to even (5 -> 0, 15 -> 2).

    Returns:
        int64 positions into ``pixels``; equal counts stay in the given order.
    """
    present = np.flatnonzero(pixels)
    ascending = present[np.argsort(pixels[present], kind="stable")]
    return ascending[round(drop_fraction * len(ascending)) :]


def candidate_lists(class_pixels: np.ndarray, images: np.ndarray, drop_fraction: float = 0.1) -> list[np.ndarray]:
    """``candidate_images`` of every class, as image indices: one int64 array per class, possibly empty.

    Args:
        class_pixels: int64 [n, C] of ``ClassStatistics``.
        images: int64 [n], the index of each row.
    """
    return [np.asarray(images, np.int64)[candidate_images(column, drop_fraction)] for column in class_pixels.T]


def hard_classes(mean: np.ndarray, number: int, excluded: Sequence[int] = ()) -> np.ndarray:
    """The classes with the smallest mean confidence, ascending; the lower id first on a tie.

    Args:
        mean: float64 [C].
        number: how many; fewer are returned when fewer are not excluded.
        excluded: classes that are never hard: absent from the label space's source, or without a candidate image (the
            released code fails on both).
    """
    ascending = np.argsort(mean, kind="stable")
    return ascending[~np.isin(ascending, excluded)][:number]


def sampling_probabilities(
    mean: np.ndarray, excluded: Sequence[int] = (), hard: Sequence[int] | None = None, power: float = 2.0
) -> np.ndarray:
    """Chance to draw each class, float64 [C]: (1 - mean)**power, normalised over the classes that can be drawn.

    Args:
        mean: float64 [C].
        excluded: classes of probability 0.
        hard: restrict to these classes; the released code redraws until it meets one, which is the same.

    Returns:
        Zeros when no class can be drawn or all of them have mean 1.
    """
    weights = (1 - np.asarray(mean, np.float64)) ** power
    weights[list(excluded)] = 0
    if hard is not None:
        weights[~np.isin(np.arange(len(weights)), hard)] = 0
    total = weights.sum()
    return weights / total if total > 0 else np.zeros_like(weights)
