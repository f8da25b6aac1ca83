"""Stored soft labels: their size, their stated loss of agreement; hard labels over a threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.soft_labels import agreement, soft_label, stored_bytes
from udamlf.data.labels import IGNORE
from udamlf.selection.soft_labels import (
    confident_labels,
    decode_soft_label,
    encode_soft_label,
)

GRID, CLASSES = (129, 257), 19


@pytest.mark.parametrize("seed", range(3))
def test_compact_size_and_stated_agreement(seed: int) -> None:
    """At most 0.5 MB a Cityscapes frame; label kept in 99.9 % of the pixels, rectified label in 99 % (benchmark)."""
    probabilities, weights = soft_label(CLASSES, GRID, seed)
    assert stored_bytes(encode_soft_label(probabilities)) <= 0.5e6
    plain, rectified, error = agreement(probabilities, weights, 4)
    assert plain >= 0.999 and rectified >= 0.985 and error < 0.01
    decoded = decode_soft_label(encode_soft_label(probabilities), CLASSES)
    torch.testing.assert_close(decoded.sum(0), torch.ones(GRID))


def test_full_mode_is_exact() -> None:
    probabilities, weights = soft_label(CLASSES, (9, 17), 0)
    assert agreement(probabilities, weights, None) == (1.0, 1.0, 0.0)
    assert encode_soft_label(probabilities, None).dtype == np.float32


@pytest.mark.parametrize("top", [1, 2, 7])
def test_few_classes_and_certain_pixels(top: int) -> None:
    """As many kept as there are classes loses only half precision; a certain pixel decodes to certainty."""
    probabilities = torch.tensor([[1.0, 0.5], [0.0, 0.3], [0.0, 0.2]]).view(3, 1, 2)
    decoded = decode_soft_label(encode_soft_label(probabilities, top), 3)
    assert decoded[:, 0, 0].tolist() == [1.0, 0.0, 0.0]
    torch.testing.assert_close(decoded.sum(0), torch.ones(1, 2))
    assert decoded.argmax(0).tolist() == [[0, 0]]
    if top >= 3:
        torch.testing.assert_close(decoded, probabilities, rtol=0, atol=1e-3)


def test_threshold_is_exclusive_and_exact() -> None:
    """A probability equal to the threshold is ignored; the exact comparison keeps what half precision drops."""
    confidence = torch.tensor([0.5, 0.75, 0.9501, 0.99])
    probabilities = torch.stack([confidence, 1 - confidence]).view(1, 2, 1, 4)
    assert confident_labels(probabilities, 0.75).labels.tolist() == [[[IGNORE, IGNORE, 0, 0]]]
    assert confident_labels(probabilities, 0.95).labels.tolist() == [[[IGNORE, IGNORE, 0, 0]]]
    half = confident_labels(probabilities, 0.95, half_precision=True).labels
    assert half.tolist() == [[[IGNORE, IGNORE, IGNORE, 0]]]
