"""The class-balanced score against its words: every class predicted weighs the same, however few its pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from udamlf.seeding import rng
from udamlf.selection.class_balanced_score import class_balanced_score, highest


def probabilities(classes: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    drawn = rng(seed, "cbs").normal(0, 2, (classes, height, width))
    return torch.from_numpy(drawn).float().softmax(0)


@pytest.mark.parametrize(("classes", "height", "width"), [(5, 7, 9), (19, 300, 500), (2, 1, 1)])
def test_it_is_the_mean_of_the_mean_confidences(classes: int, height: int, width: int) -> None:
    """Against a loop over classes, also over more pixels than are looked at together."""
    scores = probabilities(classes, height, width)
    confidence, label = scores.max(0)
    means = [confidence[label == c].double().mean().item() for c in range(classes) if (label == c).any()]
    assert class_balanced_score(scores) == pytest.approx(np.mean(means), rel=1e-12)


def test_a_rare_class_weighs_as_much_as_a_common_one() -> None:
    """999 sure pixels of one class and a doubtful one of another: the mean of 0.9 and 0.5; the third never occurs."""
    scores = torch.tensor([0.9, 0.05, 0.05]).view(3, 1, 1).repeat(1, 1, 1000)
    scores[:, 0, 0] = torch.tensor([0.2, 0.5, 0.3])
    assert class_balanced_score(scores) == pytest.approx((0.9 + 0.5) / 2)


def test_the_highest_scores_in_list_order() -> None:
    """Of equal scores the first ones; all of them, or none."""
    assert highest([0.2, 0.9, 0.5, 0.9, 0.5], 3) == [1, 2, 3]
    assert highest([0.1, 0.2], 2) == [0, 1] and highest([0.1], 0) == []
