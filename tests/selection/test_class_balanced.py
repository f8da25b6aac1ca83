"""ST and CBST: what is selected for ordinary and for extreme portions, priors and class sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.selection.helpers import label_maps, probabilities, space
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.seeding import rng
from udamlf.selection.base import build, top1
from udamlf.selection.class_balanced import ClassBalanced, every_nth_of_each_class
from udamlf.selection.spatial_prior import save_prior

POLICIES = ["class_balanced", "global"]


def selector(name: str = "class_balanced", round: int = 1, **params: Any) -> ClassBalanced:
    built = build(name, {"portion": 0.3, **params}, space(), round)
    assert isinstance(built, ClassBalanced)
    return built


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("exact", [False, True])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), portion=st.floats(0, 1))
def test_thresholds_are_the_kth_largest_confidence(name: str, exact: bool, seed: int, portion: float) -> None:
    scores = probabilities(seed, images=2)
    chosen = selector(name, portion=portion, exact=exact)
    label_maps(chosen, scores)
    confidence, label = (np.stack(parts) for parts in zip(*(top1(s) for s in scores), strict=True))
    groups = [label == c for c in range(5)] if name == "class_balanced" else [label >= 0] * 5
    for threshold, mask in zip(chosen.thresholds(), groups, strict=True):
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
    nothing = selector(name, portion=0, exact=exact)
    assert all((label == IGNORE).all() for label in label_maps(nothing, scores).values())
    assert np.isnan(nothing.thresholds()).all()
    for label in label_maps(selector(name, portion=1, exact=exact), scores).values():
        assert (label != IGNORE).all()


def test_with_the_published_sentinel_portion_1_selects_nothing() -> None:
    maps = label_maps(selector(portion=1.0, sentinel=True), probabilities(5))
    assert all((label == IGNORE).all() for label in maps.values())


def test_global_keeps_the_argmax_of_at_least_the_asked_portion() -> None:
    scores = probabilities(6)
    maps = label_maps(selector("global", portion=0.4), scores)
    stacked = np.stack([maps[i] for i in range(len(scores))])
    kept = stacked != IGNORE
    assert int(0.4 * kept.size) <= kept.sum() <= 0.405 * kept.size
    np.testing.assert_array_equal(stacked[kept], scores.argmax(1).numpy()[kept])


def test_a_class_never_predicted_or_too_small_selects_nothing() -> None:
    """Also where its probability is high enough to win after the division by a threshold."""
    scores = probabilities(7)
    scores[:, 4] = 1e-6
    scores[0, :, 0, 0] = torch.tensor([0.1, 0.1, 0.1, 0.1, 0.6])
    chosen = selector(portion=0.3)
    maps = label_maps(chosen, scores)
    assert chosen.class_sizes()[4] == 1 and np.isnan(chosen.thresholds()[4])
    assert not any((label == 4).any() for label in maps.values())
    smallest = int(chosen.class_sizes()[:4].min())
    stricter = selector(portion=0.3, min_count=smallest + 1)
    label_maps(stricter, scores)
    assert np.isnan(stricter.thresholds()[int(chosen.class_sizes()[:4].argmin())])


def test_the_portion_follows_the_round() -> None:
    assert [selector(portion=[0.2, 0.3], round=r).portion for r in (1, 2, 3)] == [0.2, 0.3, 0.3]
    rising = {"initial": 0.2, "step": 0.15, "max": 0.4}
    np.testing.assert_allclose([selector(portion=rising, round=r).portion for r in (1, 2, 3, 4)], [0.2, 0.35, 0.5, 0.5])


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    name=st.sampled_from(POLICIES),
    sentinel=st.booleans(),
    subsample=st.integers(1, 4),
    portion=st.floats(0, 1),
    split=st.integers(0, 4),
)
def test_shards_merge_exactly_in_every_mode(
    seed: int, name: str, sentinel: bool, subsample: int, portion: float, split: int
) -> None:
    """Two passes: shards are merged after the first, share the merged state, and are merged after the second."""
    scores = probabilities(seed)
    options = {"portion": portion, "exact": True, "sentinel": sentinel, "subsample": subsample}
    single = selector(name, **options)
    label_maps(single, scores)
    shards = [selector(name, **options) for _ in range(2)]
    for first_pass in (True, False):
        for i, s in enumerate(scores):
            shards[i >= split].observe(s, i)
        shards[0].merge(shards[1])
        shards[0].end_pass()
        if first_pass:
            shards[1].restore(shards[0].state())
    np.testing.assert_array_equal(shards[0].thresholds(), single.thresholds())
    np.testing.assert_array_equal(shards[0].class_sizes(), single.class_sizes())


def test_shards_of_different_passes_are_refused() -> None:
    first, second = selector(exact=True), selector(exact=True)
    second.observe(probabilities(0)[0], 0)
    second.end_pass()
    with pytest.raises(UserError, match="passes"):
        first.merge(second)


def test_memory_does_not_grow_with_the_images() -> None:
    few, many = selector(), selector()
    few.observe(probabilities(0, 1)[0], 0)
    for i, s in enumerate(probabilities(0, 20)):
        many.observe(s, i)
    assert {k: v.nbytes for k, v in few.state().items()} == {k: v.nbytes for k, v in many.state().items()}


def test_subsampling_takes_every_nth_pixel_of_each_class() -> None:
    label = torch.tensor([1, 0, 1, 1, 0, 1, 1, 3, 0], dtype=torch.uint8)
    np.testing.assert_array_equal(every_nth_of_each_class(label, 2), [1, 8, 0, 3, 6, 7])


# --- spatial prior ----------------------------------------------------------------------------------------------------


def with_prior(prior: np.ndarray, scores: torch.Tensor, **params: Any) -> dict[int, np.ndarray]:
    chosen = selector(prior="source", **params)
    chosen.set_prior(prior)
    return label_maps(chosen, scores)


def test_a_flat_prior_changes_nothing_and_its_scale_does_not_matter() -> None:
    scores = probabilities(8)
    plain = label_maps(selector(exact=True), scores)
    for scale in (1.0, 2.0**-18):
        flat = with_prior(np.full((5, 12, 16), scale, np.float32), scores, exact=True)
        assert all(np.array_equal(plain[i], flat[i]) for i in plain)


def test_a_class_with_an_all_zero_prior_is_never_selected() -> None:
    prior = np.full((5, 12, 16), 1 / 192, np.float32)
    prior[1] = 0
    for portion in (0.0, 0.3, 1.0):
        for label in with_prior(prior, probabilities(9), portion=portion).values():
            assert not (label == 1).any()


def test_a_prior_of_zeros_only_selects_nothing() -> None:
    for label in with_prior(np.zeros((5, 12, 16), np.float32), probabilities(9), portion=1.0).values():
        assert (label == IGNORE).all()


def test_where_the_source_shows_nothing_no_class_is_predicted_and_none_grows() -> None:
    """Pixels without any prior are not counted as the first class, whose threshold would then win everything."""
    prior = np.full((5, 12, 16), 1 / 192, np.float32)
    prior[:, :6] = 0
    scores = probabilities(12)
    chosen = selector(prior="source", portion=1.0)
    chosen.set_prior(prior)
    maps = label_maps(chosen, scores)
    below = label_maps(selector(portion=1.0), scores[:, :, 6:])
    assert int(chosen.class_sizes().sum()) == len(scores) * 6 * 16
    for index, label in maps.items():
        assert (label[:6] == IGNORE).all()
        np.testing.assert_array_equal(label[6:], below[index])


def test_bands_of_a_weighted_map_give_the_labels_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few rows a band has."""
    prior, scores = rng(0, "prior").random((5, 3, 4)).astype(np.float32), probabilities(13)
    whole = with_prior(prior, scores)
    monkeypatch.setattr("udamlf.selection.class_balanced.BAND_PIXELS", 1)
    banded = with_prior(prior, scores)
    assert all(np.array_equal(whole[i], banded[i]) for i in whole)


@pytest.mark.parametrize("prior", [False, True])
def test_the_one_pass_threshold_on_half_precision_and_on_weighted_scores(prior: bool) -> None:
    """Exact on float16 confidences; with a prior at most 2**-13 below the exact value."""
    scores = probabilities(14).half().float()
    found = []
    for exact in (False, True):
        chosen = selector(exact=exact, **({"prior": "source"} if prior else {}))
        if prior:
            chosen.set_prior(rng(1, "prior").random((5, 12, 16)).astype(np.float32))
        label_maps(chosen, scores)
        found.append(chosen.thresholds())
    one_pass, exact_ones = found
    if prior:
        assert (one_pass <= exact_ones).all() and (one_pass > exact_ones * (1 - 2.0**-13)).all()
    else:
        np.testing.assert_array_equal(one_pass, exact_ones)


def test_a_coarse_prior_is_brought_to_the_size_of_the_scores() -> None:
    scores = probabilities(10)
    coarse = np.full((5, 3, 4), 1 / 12, np.float32)
    plain = label_maps(selector(exact=True), scores)
    assert all(np.array_equal(plain[i], label) for i, label in with_prior(coarse, scores, exact=True).items())


def test_a_prior_is_read_from_a_file_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prior.npy"
    prior = np.random.default_rng(0).random((5, 12, 16)).astype(np.float32)
    save_prior(path, prior)
    scores = probabilities(11)
    from_file, given_array = label_maps(selector(prior=str(path)), scores), with_prior(prior, scores)
    assert all(np.array_equal(from_file[i], given_array[i]) for i in from_file)
    with pytest.raises(UserError, match="no spatial prior"):
        selector(prior=str(tmp_path / "absent.npy"))
    with pytest.raises(UserError, match=r"\.mat"):
        selector(prior=str(tmp_path / "prior.png"))
    assert selector(prior="source").needs_source_prior and not selector(prior=str(path)).needs_source_prior
    with pytest.raises(UserError, match="no spatial prior"):
        build("argmax", {}, space(), 1).set_prior(prior)
    with pytest.raises(UserError, match="set_prior"):
        selector(prior="source").observe(scores[0], 0)
    with pytest.raises(UserError, match="shape"):
        selector(prior="source").set_prior(prior[:3])


def test_lrent_keeps_more_than_the_hard_rule_and_the_same_labels() -> None:
    scores = probabilities(12)
    hard, soft = label_maps(selector(), scores), label_maps(selector(soft_alpha=0.25), scores)
    for i, label in hard.items():
        kept = label != IGNORE
        np.testing.assert_array_equal(soft[i][kept & (soft[i] != IGNORE)], label[kept & (soft[i] != IGNORE)])
        assert (soft[i] != IGNORE).sum() >= kept.sum()
