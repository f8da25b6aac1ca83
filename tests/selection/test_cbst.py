"""Which images CBST uses: the target ones of the highest class-balanced score, and a round's source ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from udamlf.common.seeding import rng
from udamlf.stages.images import source_picks
from udamlf.stages.target_subset import class_balanced_score, highest


def probabilities(classes: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    logits = rng(seed, "cbs").normal(0, 2, (classes, height, width))
    return torch.from_numpy(logits).float().softmax(0)


@pytest.mark.parametrize(("classes", "height", "width"), [(5, 7, 9), (19, 300, 500), (2, 1, 1)])
def test_it_is_the_mean_of_the_mean_confidences(classes: int, height: int, width: int) -> None:
    """Against a loop over classes."""
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


@given(count=st.integers(1, 500), seed=st.integers(0, 2**32 - 1), small=st.floats(0, 1), large=st.floats(0, 1))
def test_cumulative_picks_are_distinct_and_nested(count: int, seed: int, small: float, large: float) -> None:
    small, large = sorted((small, large))
    few, many = source_picks(count, small, seed, round=1), source_picks(count, large, seed, round=2)
    assert len(set(many.tolist())) == len(many) == int(count * large)
    np.testing.assert_array_equal(many[: len(few)], few)


def test_random_picks_are_drawn_with_a_seed_that_rises_by_one_a_round() -> None:
    """As released (cbst.md 10): other seeds and other rounds pick other images; the largest seed has a second round."""
    draws = {(seed, r): source_picks(500, 0.1, seed, r, "random").tolist() for seed in (0, 1, 7) for r in (1, 2)}
    assert draws[0, 1] != draws[0, 2] == draws[1, 1] and draws[0, 1] != draws[7, 1] != draws[1, 1]
    assert draws[7, 1] == source_picks(500, 0.1, 7).tolist()
    assert len(source_picks(500, 0.1, 2**32 - 1, 2, "random")) == 50
