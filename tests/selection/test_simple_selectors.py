"""Argmax, a constant threshold, ProDA's hard labels, LRENT's soft labels, and CBST's upsampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.selection.helpers import label_maps, probabilities, space
from udamlf.data.labels import IGNORE
from udamlf.selection.base import build
from udamlf.selection.class_balanced import label_by_ratio
from udamlf.selection.crst import entropy_regularised
from udamlf.selection.upsample import upsample_probabilities


def test_argmax_and_a_threshold_of_0_keep_every_pixel() -> None:
    scores = probabilities(0)
    argmax, constant = (build(n, p, space(), 1) for n, p in (("argmax", {}), ("constant", {"threshold": 0})))
    for i, label in label_maps(argmax, scores).items():
        np.testing.assert_array_equal(label, scores[i].argmax(0).numpy())
        np.testing.assert_array_equal(label_maps(constant, scores)[i], label)


def test_constant_keeps_the_boundary_and_hard_above_does_not() -> None:
    scores = torch.tensor([0.75, 0.25]).view(2, 1, 1)
    constant, above = (build(n, {"threshold": 0.75}, space(2, 0), 1) for n in ("constant", "hard_above"))
    assert constant.assign([scores], [0])[0] == 0 and above.assign([scores], [0])[0] == IGNORE


def test_hard_above_in_half_precision_drops_what_rounds_to_the_threshold() -> None:
    """proda.md, 8: in half precision 0.95 is 0.9502, and so is everything below 0.95044."""
    top = torch.tensor([0.9504, 0.9506])
    scores = torch.stack([top, 1 - top])[:, None]
    exact, half = (build("hard_above", {"half_precision": h}, space(2, 0), 1) for h in (False, True))
    assert exact.assign([scores], [0])[0].tolist() == [[0, 0]]
    assert half.assign([scores], [0])[0].tolist() == [[IGNORE, 0]]


def test_lrent_tends_to_the_hard_rule_as_alpha_goes_to_0() -> None:
    scores = probabilities(1)[0]
    thresholds = torch.tensor([0.7, 0.5, 0.4, 0.3, float("inf")])
    hard = label_by_ratio(scores, thresholds)
    soft, kept = entropy_regularised(scores, thresholds, alpha=1e-4)
    np.testing.assert_array_equal(kept.numpy(), hard != IGNORE)
    np.testing.assert_allclose(soft.sum(0), 1, rtol=1e-4)
    np.testing.assert_array_equal(soft.argmax(0).numpy()[hard != IGNORE], hard[hard != IGNORE])
    assert (soft[4] == 0).all()


def test_lrent_without_any_threshold_keeps_nothing_and_stays_finite() -> None:
    soft, kept = entropy_regularised(probabilities(1)[0], torch.full((5,), float("inf")))
    assert not kept.any() and torch.isfinite(soft).all()
    np.testing.assert_allclose(soft.sum(0), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 128), (40, 80), (58, 116), (64, 80), (58, 200)])
def test_upsampling_keeps_the_sum_over_the_classes(size: tuple[int, int]) -> None:
    planes = probabilities(2, 1, 4, 8, 16)[0].numpy()
    full = upsample_probabilities(planes, 8, (58, 116), size)
    assert full.shape == (4, *size) and full.dtype == np.float32
    np.testing.assert_allclose(full.sum(0), 1, atol=1e-5)
