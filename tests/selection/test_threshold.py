"""One threshold for all classes: which pixels exceed it."""

from __future__ import annotations

import numpy as np
import torch

from tests.selection.helpers import label_maps, make, probabilities, space
from udamlf.config.labels import IGNORE
from udamlf.selection.threshold import confident_labels


def test_a_threshold_of_0_keeps_the_argmax_of_every_pixel() -> None:
    scores = probabilities(0)
    for i, label in label_maps(make("threshold", threshold=0), scores).items():
        np.testing.assert_array_equal(label, scores[i].argmax(0).numpy())


def test_the_threshold_is_exclusive_and_exact() -> None:
    """A probability equal to the threshold is ignored; the exact comparison keeps what half precision drops."""
    confidence = torch.tensor([[0.5, 0.75, 0.9501, 0.9504, 0.9506]])
    scores = torch.stack([confidence, 1 - confidence])
    for threshold, expected in ((0.75, [IGNORE, IGNORE, 0, 0, 0]), (0.95, [IGNORE, IGNORE, 0, 0, 0])):
        selector = make("threshold", labels=space(2, 0), threshold=threshold)
        assert selector.assign([scores], [0])[0].tolist() == [expected]
        assert selector.thresholds().tolist() == [threshold] * 2
    half, _ = confident_labels(scores[None], 0.95, half_precision=True)
    assert half.tolist() == [[[IGNORE, IGNORE, IGNORE, IGNORE, 0]]]
