"""CBST-SP's spatial prior from a scenario's source labels."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from udamlf.data.dataset import Sample
from udamlf.data.lists import ScenarioData
from udamlf.selection.spatial_prior import PriorCounts

LIST = "source_train"
CELL = 8
"""Pixels of a label map, in height and width, per cell of the grid on which classes are counted (cbst.md 4.4)."""


def source_prior(data: ScenarioData) -> np.ndarray:
    """Where in the frame each class occurs in the labels of ``source_train``: float32 [C, h, w], each plane sums to 1,
    that of a class without a pixel is 0. The grid is 1/8 of the first label's size.

    Raises:
        UserError: a source image without label, or an unreadable one.
    """
    space, dataset, samples = data.config.space, data.dataset(LIST), data.samples(LIST, True)
    height, width = dataset.read_label(samples[0], space).shape
    grid = (max(height // CELL, 1), max(width // CELL, 1))

    def count(part: list[Sample]) -> PriorCounts:
        counts = PriorCounts(space.num_classes, grid)
        for sample in part:
            counts.add(dataset.read_label(sample, space))
        return counts

    workers = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(workers) as pool:
        total, *others = pool.map(count, [samples[i::workers] for i in range(workers)])
    for other in others:
        total.merge(other)
    return total.prior()
