"""The choice of target images: made once, by the warm-up, and all that every round sees of the target."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.in_process import InProcess, run_step, small
from udamlf.common.errors import UserError
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import SUBSET, subset_images
from udamlf.runs.plan import plan
from udamlf.runs.runner import _check_inputs
from udamlf.stages.stage import stage
from udamlf.stages.target_subset import class_balanced_score, highest

TOP_K = 3


def config_of(world: Path, top_k: int = TOP_K, method: str = "cbst") -> Config:
    return small(method, world, f"method.target_subset.top_k={top_k}", rounds=2)


def test_every_round_needs_the_same_choice(tiny_world: Path) -> None:
    """One stage after the warm-up, whose result labelling and training of both rounds take."""
    steps = plan(config_of(tiny_world))
    assert [str(s) for s in steps[:4]] == ["warmup", "evaluate 0", "target_subset", "pseudo_label 1"]
    users = [s for s in steps if "subset" in s.needs]
    assert [str(s) for s in users] == ["pseudo_label 1", "self_train 1", "pseudo_label 2", "self_train 2"]
    assert {s.needs["subset"] for s in users} == {steps[2]}
    assert stage("target_subset").declare(config_of(tiny_world), 1).splits == {"target_train": False}
    assert not [s for s in plan(small("cbst", tiny_world)) if s.stage == "target_subset"]


def test_only_the_subset_images_are_labelled_and_read(chains: InProcess, tiny_world: Path) -> None:
    """Three of the target's images, those of the highest published scores, in both rounds."""
    config = config_of(tiny_world)
    results = chains.run(config, evaluate=False)
    published = json.loads((results["target_subset"].path / SUBSET).read_text(encoding="utf-8"))
    ranked = sorted(published["scores"], key=lambda name: -published["scores"][name])
    assert len(ranked) > TOP_K and set(published["images"]) == set(ranked[:TOP_K])
    for number in (1, 2):
        labels = PseudoLabels(results[f"pseudo_label {number}"].path / "pseudo_labels")
        assert sorted(labels.names) == sorted(published["images"])
        key = results[f"self_train {number}"].run_id
        assert set(chains.notes[key].splits) == {"source_train", "target_train"}
    full = chains.run(small("cbst", tiny_world, rounds=1), evaluate=False)
    assert len(PseudoLabels(full["pseudo_label 1"].path / "pseudo_labels").names) == len(ranked)


def test_a_subset_of_all_changes_nothing(chains: InProcess, tiny_world: Path) -> None:
    """Labels and checkpoint are those of the whole list, byte for byte."""
    whole = chains.run(small("cbst", tiny_world, rounds=1), evaluate=False)
    count = len(PseudoLabels(whole["pseudo_label 1"].path / "pseudo_labels").names)
    config = small("cbst", tiny_world, f"method.target_subset.top_k={count}", rounds=1)
    every = chains.run(config, evaluate=False)
    for step, name in (
        ("pseudo_label 1", "pseudo_labels/labels.zip"),
        ("self_train 1", "checkpoint/model.safetensors"),
    ):
        assert (every[step].path / name).read_bytes() == (whole[step].path / name).read_bytes()


def test_it_is_part_of_the_key_of_its_stage_alone(tiny_world: Path) -> None:
    """The others depend on it through their input."""
    three, two = config_of(tiny_world), config_of(tiny_world, 2)
    changed = {
        str(step) for step in plan(three)
        if stage(step.stage).declare(three, step.round).reads != stage(step.stage).declare(two, step.round).reads
    }  # fmt: skip
    assert changed == {"target_subset"}


def test_mistakes_are_named(chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    """More images than there are, fewer than one, a folder without a choice."""
    config = config_of(tiny_world, 10_000)
    warmup = chains.run(small("source_only", tiny_world), evaluate=False)["warmup"]
    step = next(s for s in plan(config) if s.stage == "target_subset")
    with pytest.raises(UserError, match="target_subset of 10000 images"):
        run_step(config, step, {"generator": warmup}, tmp_path / "run")
    assert not (tmp_path / "run" / "out" / SUBSET).exists()
    complete = {"generator": "a run"}
    for name, ids, message in (
        ("pseudo_label", complete, "without the input subset"),
        ("self_train", {"start": "a run", "subset": "a run"}, "without the input labels"),
        ("target_subset", {}, "without the input generator"),
        ("target_subset", {**complete, "labels": "a run"}, "has no input 'labels'"),
        ("evaluate", {"roundlast": "a run"}, "has no input 'roundlast'"),
        ("pretrain", {}, "no stage pretrain"),
    ):
        with pytest.raises(UserError, match=message):
            _check_inputs(config, name, None, ids)
    assert _check_inputs(config, "pseudo_label", 1, {**complete, "subset": "another"}) == 1
    with pytest.raises(UserError, match="no stage target_subset"):
        _check_inputs(small("cbst", tiny_world), "target_subset", 1, complete)
    with pytest.raises(UserError, match="top_k"):
        config_of(tiny_world, 0)
    with pytest.raises(UserError, match="no readable"):
        subset_images(tmp_path)


def test_the_score_is_the_mean_over_classes_of_their_mean_confidence() -> None:
    """cbst.md 3: of the predicted classes alone, each as much as another, however few its pixels are."""
    scores = np.random.default_rng(0).dirichlet(np.ones(6), (9, 13)).transpose(2, 0, 1)
    scores[4] = 0  # never predicted
    confidence, label = scores.max(0), scores.argmax(0)
    by_class = [confidence[label == c].mean() for c in np.unique(label)]
    found = class_balanced_score(torch.from_numpy(scores.astype(np.float32)))
    assert len(by_class) == 5 and found == pytest.approx(np.mean(by_class), rel=1e-6)
    assert highest([0.2, 0.9, 0.9, 0.1], 2) == [1, 2] and highest([0.5, 0.5], 1) == [0]
