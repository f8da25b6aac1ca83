"""Selection gives the numbers of the released code: every selection array of cbst, iast, hiast and intrada."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.parity.conftest import Golden, space
from tests.selection.helpers import Rising
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.config.parts import Part
from udamlf.data.maps import top1
from udamlf.data.mining import (
    cbst_patch,
    class_shares,
    crst_patch,
    interior_candidates,
    priority_classes,
    rarest_classes,
)
from udamlf.evaluation.predict import upsample_probabilities
from udamlf.losses import self_information
from udamlf.selection import class_balanced, entropy_ranking, spatial_prior
from udamlf.selection.base import build, label_images
from udamlf.selection.class_balanced import entropy_regularised
from udamlf.selection.entropy_ranking import entropy_score, normalised_score, rare_classes_present, split
from udamlf.stages.images import source_picks

Arrays = dict[str, np.ndarray]
FEW_PIXELS = 1e-4  # share of pixels the READMEs allow to differ where a division may round differently


def labelled(
    name: str, params: Mapping[str, Any], scores: np.ndarray, prior: np.ndarray | None = None
) -> tuple[class_balanced.Selector, np.ndarray]:
    """The selector after labelling all images, and the label maps [N, H, W]."""
    selector = build(Part(name=name, **params), space(scores.shape[1]), round=1)
    assert isinstance(selector, class_balanced.Selector)
    if isinstance(selector, spatial_prior.Selector):
        selector.prior = prior
    maps = dict(label_images(selector, len(scores), 0, lambda i: torch.from_numpy(scores[i])))
    return selector, np.stack([maps[i] for i in range(len(scores))])


def unpadded(row: np.ndarray, padding: int) -> list[int]:
    return [int(c) for c in row if c != padding]


# --- cbst -----------------------------------------------------------------------------------------------------------


def published_options(h: Mapping[str, Any], portion: float) -> dict[str, Any]:
    """Our parameters for the released behaviour described by a folder's hparams."""
    assert h["subsample_rate"] == class_balanced.RELEASED_STEP
    assert h["fallback_threshold"] == class_balanced.RELEASED_FALLBACK
    return {"portion": portion, "exact": True, "released": "cbst" if h["sentinel"] else "crst"}


@pytest.mark.parametrize("policy", ["class_balanced", "global"])
def test_thresholds_and_label_maps_are_exact(golden: Golden, policy: str) -> None:
    a, h = golden.arrays("cbst", "selection"), golden.hparams("cbst", "selection")
    short = "cb" if policy == "class_balanced" else "global"
    assert h["global_extra_sentinels"] == 1
    np.testing.assert_array_equal(a["ports"], h["portions"])
    for i, portion in enumerate(h["portions"]):
        selector, maps = labelled(policy, published_options(h, portion), a["probs"])
        np.testing.assert_array_equal(np.nan_to_num(selector.thresholds()), a[f"thresh_{short}"][i])
        np.testing.assert_array_equal(maps, a[f"pseudo_trainid_{short}"][i])
        if short == "cb":
            ratios = torch.from_numpy(a["probs"]) / torch.from_numpy(selector.divisors())[:, None, None]
            np.testing.assert_array_equal(ratios.argmax(1).numpy(), a["rw_argmax_cb"][i])
            assert h["ignore_label"] == IGNORE
            ids = np.full(256, h["ignore_label_id"], np.uint8)
            ids[: h["num_classes"]] = a["trainid_to_labelid"]
            np.testing.assert_array_equal(ids[maps], a["pseudo_labelid_cb"][i])


def test_streaming_thresholds_stay_within_their_stated_accuracy(golden: Golden) -> None:
    """The default one-pass thresholds are at most 2**-15 below the released ones, relatively."""
    a, h = golden.arrays("cbst", "selection"), golden.hparams("cbst", "selection")
    for i, portion in enumerate(h["portions"]):
        options = {**published_options(h, portion), "exact": False}
        for name, short in (("class_balanced", "cb"), ("global", "global")):
            selector, _ = labelled(name, options, a["probs"])
            found, expected = np.nan_to_num(selector.thresholds()), a[f"thresh_{short}"][i]
            assert (found <= expected).all()
            assert (expected - found <= 2.0**-15 * expected).all()


def test_class_sizes_and_mined_classes(golden: Golden) -> None:
    a, h = golden.arrays("cbst", "selection"), golden.hparams("cbst", "selection")
    selector, _ = labelled("class_balanced", published_options(h, h["portions"][0]), a["probs"])
    np.testing.assert_array_equal(selector.class_sizes > 0, a["class_present"].astype(bool))
    np.testing.assert_array_equal(selector.histogram.totals(), a["samples_per_class"])
    sizes = np.where(selector.class_sizes > 0, selector.histogram.totals(), 0)
    np.testing.assert_array_equal(sizes, a["cls_size"])
    shares = class_shares(sizes)
    assert (a["mine_id_number"], a["mine_thresh"]) == (h["mine_id_number"], h["mine_thresh"])
    np.testing.assert_array_equal(rarest_classes(shares, h["mine_id_number"]), a["mine_id"])
    mask = np.isin(np.arange(h["num_classes"]), priority_classes(shares, h["mine_thresh"]))
    np.testing.assert_array_equal(mask, a["mine_priority_mask"].astype(bool))


@pytest.mark.parametrize("scaling", ["sum1", "mean1"])
def test_spatial_prior(golden: Golden, scaling: str) -> None:
    a, h = golden.arrays("cbst", "spatial_prior"), golden.hparams("cbst", "spatial_prior")
    probs = golden.arrays("cbst", "selection")["probs"]
    np.testing.assert_array_equal(a["ports"], h["portions"])
    scale = h[f"{scaling}_scale"] / h["sum1_scale"]
    prior = (a["prior_sum1"] * np.float32(scale)).astype(np.float32)
    for i, portion in enumerate(h["portions"]):
        selector, maps = labelled("spatial_prior", published_options(h, portion), probs, prior)
        found = np.nan_to_num(selector.thresholds())
        np.testing.assert_allclose(found, a[f"thresh_{scaling}"][i], rtol=1e-6)
        assert (maps != a[f"pseudo_trainid_{scaling}"][i]).mean() <= FEW_PIXELS
        np.testing.assert_array_equal(selector.histogram.totals(), a[f"samples_per_class_{scaling}"])
        np.testing.assert_array_equal(selector.class_sizes > 0, a[f"class_present_{scaling}"].astype(bool))
        weighted = (torch.cat([band for _, band in selector.weighted(torch.from_numpy(p))], 1) for p in probs)
        winners = np.stack([top1(scores)[1].numpy() for scores in weighted])
        assert (winners != a[f"argmax_{scaling}"]).mean() <= FEW_PIXELS


def test_mined_patches(golden: Golden) -> None:
    a, h = golden.arrays("cbst", "mining"), golden.hparams("cbst", "mining")
    padding = h["padding_value"]
    np.testing.assert_array_equal(a["crst_crop_size"], h["crst_crop_size_hw"])
    assert a["target_crop_size"] == h["target_crop_size"]
    for i, label in enumerate(a["labels"]):
        crop, d0, d1, side = a["rates_crop"][i].tolist()
        assert side >= max(label.shape) + max(d0, d1)
        rarest, priority = unpadded(a["mine_id"][i], padding), unpadded(a["mine_priority"][i], padding)
        draws = (float(a["uniform_draws"][i, 1]), float(a["uniform_draws"][i, 2]))
        candidates = interior_candidates(label, crop, rarest, priority)[0]
        assert candidates == unpadded(a["candidates"][i], padding)
        patch = cbst_patch(label, crop, rarest, priority, draws)
        expected = a["cbst_choice"][i]
        if patch is None:
            assert expected[0] == padding
        else:  # the release's coordinates are those of a canvas in which the label map starts at (d0, d0)
            positions = [position + d0 for position in (*patch.centre, *patch.origin)]
            np.testing.assert_array_equal([patch.label_class, *positions, patch.pixels], expected)
        patch = crst_patch(label, tuple(h["crst_crop_size_hw"]), rarest, draws)
        expected = a["crst_choice"][i]
        if patch is None:
            assert expected[0] == padding
        else:
            np.testing.assert_array_equal([patch.label_class, *patch.centre, *patch.origin], expected)


def test_crst_hard_labels_and_class_sizes(golden: Golden) -> None:
    a, h = golden.arrays("cbst", "crst_labels"), golden.hparams("cbst", "crst_labels")
    stem, array = str(a["probs_ref"]).split(":")
    probs = golden.arrays("cbst", stem.removesuffix(".npz"))[array]
    np.testing.assert_array_equal(a["ports"], h["portions"])
    for i, portion in enumerate(h["portions"]):
        selector, maps = labelled("class_balanced", published_options(h, portion), probs)
        np.testing.assert_array_equal(selector.divisors(), a["thresh"][i])
        np.testing.assert_array_equal(np.floor(selector.histogram.totals() * portion), a["n_selected"][i])
        assert (maps != a["pseudo_trainid_hard"][i]).mean() <= FEW_PIXELS
    every_pixel, _ = labelled("class_balanced", {"portion": h["portions"][0]}, probs)
    np.testing.assert_array_equal(every_pixel.class_sizes, a["cls_size"])
    shares = class_shares(every_pixel.class_sizes)
    np.testing.assert_array_equal(rarest_classes(shares, h["rare_number"]), a["rare_id"])
    mined = priority_classes(shares, h["mine_thresh"])
    np.testing.assert_array_equal(mined, a["mine_id_sorted"])
    np.testing.assert_array_equal(np.isin(np.arange(h["num_classes"]), mined), a["mine_id_mask"].astype(bool))


def test_lrent_soft_labels(golden: Golden) -> None:
    """Soft labels, the selector's kept pixels, and both sides of the published test that Z > 1 replaces."""
    a, h = golden.arrays("cbst", "crst_labels"), golden.hparams("cbst", "crst_labels")
    probs = golden.arrays("cbst", "selection")["probs"]
    assert (a["alpha"], a["soft_port_index"]) == (h["alpha"], h["soft_port_index"])
    options = {**published_options(h, h["portions"][h["soft_port_index"]]), "soft_alpha": h["alpha"]}
    selector, maps = labelled("class_balanced", options, probs)
    divisors = torch.from_numpy(selector.divisors())
    for row, image in enumerate(h["soft_image_indices"]):
        p = torch.from_numpy(probs[image])
        soft, kept = entropy_regularised(p, divisors, h["alpha"])
        np.testing.assert_allclose(soft.permute(1, 2, 0).numpy(), a["soft_label"][row], atol=1e-5)
        assert (maps[image] != a["soft_trainid"][row]).mean() <= FEW_PIXELS
        assert ((maps[image] != IGNORE) != kept.numpy()).sum() == 0
        eps = h["log_eps"]
        y, q = soft.double(), p.double()
        regularised = (-y * (q + eps).log() + h["alpha"] * y * (y + eps).log()).sum(0)
        selected = (-y * divisors.double()[:, None, None].log()).sum(0)
        np.testing.assert_allclose(regularised.numpy(), a["reg_score"][row], atol=1e-5)
        np.testing.assert_allclose(selected.numpy(), a["sel_score"][row], atol=1e-5)


def test_round_schedule_and_source_picks(golden: Golden) -> None:
    a, h = golden.arrays("cbst", "schedule"), golden.hparams("cbst", "schedule")
    names = ("initial", "step", "max")
    target = Rising(**{n: h[f"target_portion_{n}"] for n in names})
    source = Rising(**{n: h[f"source_portion_{n}"] for n in names})
    written = [h[f"{d}_portion_{n}"] for d in ("target", "source") for n in names] + [h["base_lr"]]
    np.testing.assert_array_equal(a["params"], written)
    assert (a["n_source"], a["seed"]) == (h["n_source"], h["seed"])
    assert len(a["schedule"]) == h["rounds"]
    for round, row in enumerate(a["schedule"], 1):
        assert row[0] == round - 1
        np.testing.assert_allclose(h["base_lr"] * h["lr_decay_per_round"] ** (round - 1), row[1], rtol=1e-12)
        np.testing.assert_allclose([target.at(round), source.at(round)], row[2:4], rtol=1e-12)
        picks = source_picks(h["n_source"], source.at(round), h["seed"])
        assert len(picks) == row[4]
        if f"src_pick_round{round - 1}" in a:
            np.testing.assert_array_equal(picks, a[f"src_pick_round{round - 1}"])


def test_probability_upsampling(golden: Golden) -> None:
    a, h = golden.arrays("cbst", "prob_upsample"), golden.hparams("cbst", "prob_upsample")
    np.testing.assert_array_equal(a["cases"], h["cases_imh_imw_h_w"])
    assert a["stride"] == h["stride"]
    for i, (image_h, image_w, height, width) in enumerate(h["cases_imh_imw_h_w"]):
        found = upsample_probabilities(a["net_probs"], h["stride"], (image_h, image_w), (height, width))
        np.testing.assert_allclose(found, a[f"out_{i}"], atol=1e-5)


# --- intrada --------------------------------------------------------------------------------------------------------


def upsampled(golden: Golden) -> torch.Tensor:
    a, h = golden.arrays("intrada", "ranking"), golden.hparams("intrada", "ranking")
    np.testing.assert_array_equal(a["out_hw"], h["out_size_hw"])
    logits = torch.from_numpy(a["lowres_logits"])
    return F.interpolate(logits, tuple(h["out_size_hw"]), mode="bilinear", align_corners=h["align_corners"]).softmax(1)


def assert_same_order(found: Sequence[int], expected: np.ndarray, scores: np.ndarray) -> None:
    """Equal lists, but images whose scores differ by less than 1e-6 may be swapped (README)."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected.tolist(), strict=True):
        assert mine == theirs or abs(scores[mine] - scores[theirs]) < 1e-6


def test_entropy_ranking_and_splits(golden: Golden) -> None:
    a, h = golden.arrays("intrada", "ranking"), golden.hparams("intrada", "ranking")
    probs = upsampled(golden)
    np.testing.assert_array_equal(a["rare_class_ids"], h["rare_class_ids"])
    np.testing.assert_array_equal(a["lambdas"], h["lambdas"])
    scores = np.array([entropy_score(p) for p in probs])
    np.testing.assert_allclose(scores, a["score"], rtol=1e-5)
    labels = np.stack([top1(p)[1].numpy() for p in probs])
    assert (labels != a["pseudo_label"]).mean() <= FEW_PIXELS
    present = np.array([rare_classes_present(label, h["rare_class_ids"]) for label in labels])
    np.testing.assert_array_equal(present, a["n_rare"])
    divisor, offset = h["normalisation_divisor"], h["normalisation_offset"]
    weighed = np.array([normalised_score(s, n, divisor, offset) for s, n in zip(scores, present, strict=True)])
    np.testing.assert_allclose(weighed, a["score_normalised"], rtol=1e-5)
    for i, share in enumerate(h["lambdas"]):
        for name, values in (("plain", scores), ("norm", weighed)):
            parts = split(values.tolist(), share)
            assert_same_order(parts["easy"].tolist(), a[f"easy_{name}_{i}"], values)
            assert_same_order(parts["hard"].tolist(), a[f"hard_{name}_{i}"], values)


@pytest.mark.parametrize("normalise", [False, True])
def test_entropy_ranking_selector_publishes_the_easy_split(
    golden: Golden, normalise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, h = golden.arrays("intrada", "ranking"), golden.hparams("intrada", "ranking")
    probs = upsampled(golden)
    base = space(max(h["num_classes"], *(c + 1 for c in h["rare_class_ids"])))  # ids are those of 19 classes
    rare = tuple(base.classes[c] for c in h["rare_class_ids"])
    assert len(rare) == h["normalisation_divisor"]
    normalised = partial(entropy_ranking.normalised_score, offset=h["normalisation_offset"])
    monkeypatch.setattr(entropy_ranking, "normalised_score", normalised)
    with_rare = LabelSpace(base.name, base.classes, base.palette, base.subsets, rare=rare)
    for i, share in enumerate(h["lambdas"]):
        selector = build(Part(name="entropy_ranking", easy_share=share, normalise=normalise), with_rare, round=1)
        maps = dict(label_images(selector, len(probs), 0, lambda k: probs[k]))
        scores = a["score_normalised" if normalise else "score"]
        assert_same_order(list(maps), a[f"easy_{'norm' if normalise else 'plain'}_{i}"], scores)
        hard = selector.publish().arrays["hard"].tolist()
        assert_same_order(hard, a[f"hard_{'norm' if normalise else 'plain'}_{i}"], scores)
        for index, label in maps.items():
            assert (label != a["pseudo_label"][index]).mean() <= FEW_PIXELS


def test_self_information_behind_the_ranking(golden: Golden) -> None:
    a = golden.arrays("intrada", "entropy")
    for prefix in ("", "degenerate_"):
        probs = torch.from_numpy(a[f"{prefix}probs"])
        information = self_information(probs)
        np.testing.assert_allclose(information.numpy(), a[f"{prefix}self_information"], atol=1e-6)
        scores = [entropy_score(p) for p in probs]
        np.testing.assert_allclose(scores, a[f"{prefix}self_information"].mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_allclose(self_information(torch.from_numpy(a["probs"])).sum(1), a["entropy_map"], atol=1e-6)
