"""ST, CBST and LRENT: what is selected for ordinary and for extreme portions and class sets; CBST's upsampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.helpers import label_maps, make, probabilities
from udamlf.config.labels import IGNORE
from udamlf.data.maps import top1
from udamlf.evaluation.predict import upsample_probabilities
from udamlf.selection.class_balanced import entropy_regularised, every_nth_of_each_class, label_by_ratio

POLICIES = ["class_balanced", "global"]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("exact", [False, True])
@settings(max_examples=15)
@given(seed=st.integers(0, 1000), portion=st.floats(0, 1))
def test_thresholds_are_the_kth_largest_confidence(name: str, exact: bool, seed: int, portion: float) -> None:
    scores = probabilities(seed, images=2)
    selector = make(name, portion=portion, exact=exact)
    label_maps(selector, scores)
    confidence, label = (np.stack(parts) for parts in zip(*(top1(s) for s in scores), strict=True))
    groups = [label == c for c in range(5)] if name == "class_balanced" else [label >= 0] * 5
    for threshold, mask in zip(selector.thresholds(), groups, strict=True):
        descending = np.sort(confidence[mask])[::-1]
        k = int(np.floor(len(descending) * portion))
        if k == 0:
            assert np.isnan(threshold)
        elif exact:
            assert threshold == descending[k - 1]
        else:
            assert descending[k - 1] * (1 - 2.0**-15) < threshold <= descending[k - 1]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("exact", [False, True])
def test_portion_0_selects_nothing_and_portion_1_everything(name: str, exact: bool) -> None:
    scores = probabilities(5)
    nothing = make(name, portion=0, exact=exact)
    assert all((label == IGNORE).all() for label in label_maps(nothing, scores).values())
    assert np.isnan(nothing.thresholds()).all()
    for label in label_maps(make(name, portion=1, exact=exact), scores).values():
        assert (label != IGNORE).all()


def test_with_the_published_sentinel_portion_1_selects_nothing() -> None:
    maps = label_maps(make("class_balanced", portion=1.0, released="cbst"), probabilities(5))
    assert all((label == IGNORE).all() for label in maps.values())


def test_global_labels_the_argmax_of_at_least_the_asked_portion() -> None:
    scores = probabilities(6)
    maps = label_maps(make("global", portion=0.4), scores)
    labels = np.stack([maps[i] for i in range(len(scores))])
    selected = labels != IGNORE
    assert int(0.4 * selected.size) <= selected.sum() <= 0.405 * selected.size
    np.testing.assert_array_equal(labels[selected], scores.argmax(1).numpy()[selected])


def test_a_class_almost_never_predicted_selects_nothing() -> None:
    """Also where its probability is high enough to win after the division by a threshold."""
    scores = probabilities(7)
    scores[:, 4] = 1e-6
    scores[0, :, 0, 0] = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6])
    selector = make("class_balanced", portion=0.3)
    maps = label_maps(selector, scores)
    assert selector.publish().arrays["class_sizes"][4] == 1 and np.isnan(selector.thresholds()[4])
    assert not any((label == 4).any() for label in maps.values())


def test_the_portion_follows_the_round() -> None:
    rounds = [make("class_balanced", round, portion=[0.2, 0.3]).portion for round in (1, 2, 3)]
    assert rounds == [0.2, 0.3, 0.3]


def test_the_one_pass_threshold_of_half_precision_confidences_is_exact() -> None:
    one_pass, exact = (make("class_balanced", portion=0.3, exact=exact) for exact in (False, True))
    for selector in (one_pass, exact):
        label_maps(selector, probabilities(14).half().float())
    np.testing.assert_array_equal(one_pass.thresholds(), exact.thresholds())


def test_subsampling_takes_every_nth_pixel_of_each_class() -> None:
    label = torch.tensor([1, 0, 1, 1, 0, 1, 1, 3, 0], dtype=torch.uint8)
    np.testing.assert_array_equal(every_nth_of_each_class(label, 2), [1, 8, 0, 3, 6, 7])
    assert every_nth_of_each_class(label[:0], 2).tolist() == []


@pytest.mark.parametrize(("released", "fallback"), [(None, np.inf), ("crst", 1.0), ("cbst", 1.0)])
def test_what_is_divided_by_is_published(released: str | None, fallback: float) -> None:
    """A training that makes soft labels divides as the labels were selected, of a class without a threshold too."""
    selector = make("class_balanced", portion=0.0, released=released, soft_alpha=0.25)
    label_maps(selector, probabilities(12))
    arrays = selector.publish().arrays
    assert np.isnan(arrays["thresholds"]).all() and (arrays["divisors"] == np.float32(fallback)).all()


# --- LRENT ------------------------------------------------------------------------------------------------------------


def test_lrent_selects_more_than_the_hard_rule_and_the_same_labels() -> None:
    scores = probabilities(12)
    hard, soft = (label_maps(make("class_balanced", portion=0.3, soft_alpha=alpha), scores) for alpha in (None, 0.25))
    for i, label in hard.items():
        both = (label != IGNORE) & (soft[i] != IGNORE)
        np.testing.assert_array_equal(soft[i][both], label[both])
        assert (soft[i] != IGNORE).sum() >= (label != IGNORE).sum()


def test_lrent_tends_to_the_hard_rule_as_alpha_goes_to_0() -> None:
    scores = probabilities(1)[0]
    thresholds = torch.tensor([0.7, 0.5, 0.4, 0.3, float("inf")])
    hard = label_by_ratio(scores, thresholds)
    soft, selected = entropy_regularised(scores, thresholds, alpha=1e-4)
    np.testing.assert_array_equal(selected.numpy(), hard != IGNORE)
    np.testing.assert_allclose(soft.sum(0), 1, rtol=1e-4)
    np.testing.assert_array_equal(soft.argmax(0).numpy()[hard != IGNORE], hard[hard != IGNORE])
    assert (soft[4] == 0).all()


def test_lrent_without_any_threshold_selects_nothing_and_stays_finite() -> None:
    soft, selected = entropy_regularised(probabilities(1)[0], torch.full((5,), float("inf")))
    assert not selected.any() and torch.isfinite(soft).all()
    np.testing.assert_allclose(soft.sum(0), 1, rtol=1e-5)


@pytest.mark.parametrize("size", [(64, 128), (40, 80), (58, 116), (64, 80), (58, 200)])
def test_upsampling_keeps_the_sum_over_the_classes(size: tuple[int, int]) -> None:
    planes = probabilities(2, 1, 4, 8, 16)[0].numpy()
    full = upsample_probabilities(planes, 8, (58, 116), size)
    assert full.shape == (4, *size) and full.dtype == np.float32
    np.testing.assert_allclose(full.sum(0), 1, atol=1e-5)
