"""CBST-SP: CBST on scores weighted by where in the frame each class occurs in the source labels (cbst.md, 4.4),
counted on a coarse grid (1/8 of the frame) and smoothed there. Only the shape of a class's plane matters: thresholds
scale with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from udamlf.common.ahead import ahead
from udamlf.config.budget import Size
from udamlf.selection import class_balanced
from udamlf.selection.histogram import Code

CELL = 8  # pixels of a label map, in height and width, per cell of the grid
# The paper smooths with a 70 x 70 kernel at a width of 2048 and does not state sigma; 70/6 puts the edge at 3 sigma.
SIGMA_OF_WIDTH = 70 / 6 / 2048


class Selector(class_balanced.Selector):
    reads_source = True
    # 19 classes: 82 MB; a prior that sums to 1 over a frame makes scores of 1e-6 and below, at the most a probability.
    code = Code(mantissa_bits=14, low_exponent=-32, high_exponent=1)
    prior: np.ndarray  # float32 [C, h, w], of any size; made by ``prepare``
    _fitted: FittedPrior | None = None  # at the size of the latest score maps

    def prepare(self, source_labels: Sequence[np.ndarray]) -> None:
        classes, (height, width) = self.space.num_classes, source_labels[0].shape
        grid_hw = (max(height // CELL, 1), max(width // CELL, 1))

        def count(index: int) -> np.ndarray:
            return class_shares(source_labels[index], classes, grid_hw)

        shares = ahead(count, range(len(source_labels)), len(os.sched_getaffinity(0)))
        self.prior = density(sum(shares, np.zeros((classes, *grid_hw))))

    def weighted(self, scores: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Scores float32 [C, H, W] times the prior, in bands: rows, and the band."""
        size_hw = (scores.shape[1], scores.shape[2])
        if self._fitted is None or self._fitted.size_hw != size_hw:
            self._fitted = FittedPrior(self.prior, size_hw, scores.device)
        for rows, band in super().weighted(scores):
            yield rows, band * self._fitted.rows(rows)

    def observe_top1(self, confidence: Tensor, label: Tensor) -> None:
        predicted = (confidence > 0) | bool(self.params.released)  # none without a prior; as released, the first class
        super().observe_top1(confidence[predicted], label[predicted])


def class_counts(label: np.ndarray, num_classes: int, grid_hw: Size) -> np.ndarray:
    """Pixels of each class in each cell of a grid, int64 [C, h, w], of a label map uint8 [H, W] of train ids."""
    (h, w), (height, width) = grid_hw, label.shape
    cell = (np.arange(height) * h // height)[:, None] * w + np.arange(width) * w // width
    valid = label < num_classes
    index = label[valid].astype(np.int64) * (h * w) + cell[valid]
    return np.bincount(index, minlength=num_classes * h * w).reshape(num_classes, h, w)


def class_shares(label: np.ndarray, num_classes: int, grid_hw: Size) -> np.ndarray:
    """``class_counts`` over the pixels of each cell, float64 [C, h, w]: of 1052 rows some cells have 9, most 8."""
    sides = zip(label.shape, grid_hw, strict=True)
    rows, columns = (np.bincount(np.arange(n) * cells // n, minlength=cells).clip(min=1) for n, cells in sides)
    return class_counts(label, num_classes, grid_hw) / np.outer(rows, columns)


def density(shares: np.ndarray) -> np.ndarray:
    """Shares [C, h, w] smoothed by a Gaussian (cut at 3 sigma), float32 [C, h, w]: each plane sums to 1, or to 0."""
    sigma = SIGMA_OF_WIDTH * shares.shape[2]
    side = 2 * max(round(3 * sigma), 1) + 1
    planes = shares.astype(np.float64)
    blurred = np.stack([cv2.GaussianBlur(p, (side, side), sigma, borderType=cv2.BORDER_REFLECT) for p in planes])
    sums = blurred.sum(axis=(1, 2), keepdims=True)
    return (blurred / np.where(sums > 0, sums, 1)).astype(np.float32)


class FittedPrior:
    """A prior float32 [C, h, w] at the size of score maps, bilinear and normalised, a band of rows at a time."""

    def __init__(self, prior: np.ndarray, size_hw: Size, device: torch.device | None = None) -> None:
        (height, width), count = size_hw, prior.shape[1]
        wide = np.stack([cv2.resize(p, (width, count), interpolation=cv2.INTER_LINEAR) for p in prior])
        # Rows between two coarse ones are their mean, weighted by nearness; centres of pixels lie at i + 1/2.
        position = ((np.arange(height) + 0.5) * count / height - 0.5).clip(0, count - 1)
        upper = position.astype(np.int64)
        lower = np.minimum(upper + 1, count - 1)
        nearness = (position - upper).astype(np.float32)
        if prior.shape[1:] != size_hw:
            sums = wide.sum(2, dtype=np.float64)
            total = (sums[:, upper] * (1 - nearness) + sums[:, lower] * nearness).sum(1)
            wide = wide / np.where(total > 0, total, 1)[:, None, None]
        self.size_hw = size_hw
        tensors = (wide.astype(np.float32), upper, lower, nearness[:, None])
        self._wide, self._upper, self._lower, self._nearness = (torch.from_numpy(t).to(device) for t in tensors)

    def rows(self, rows: slice) -> Tensor:
        """A band of every plane, float32 [C, rows, W]."""
        return torch.lerp(self._wide[:, self._upper[rows]], self._wide[:, self._lower[rows]], self._nearness[rows])
