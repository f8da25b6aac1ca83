"""The pre-training: a stage of its own that reads no label, and the start of its round."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.in_process import InProcess, run_step, small
from udamlf.common.errors import UserError
from udamlf.config.schema import Config
from udamlf.models import checkpoint
from udamlf.models.base import build
from udamlf.runs.plan import Step, plan
from udamlf.stages.stage import stage


def config_of(world: Path, *overrides: str) -> Config:
    """ProDA up to its second stage, whose training takes no step: its network is what it started from."""
    return small("proda", world, *overrides, rounds=2)


def weights(config: Config, given: Path) -> dict[str, torch.Tensor]:
    return checkpoint.read_state(given / "checkpoint", config.space)[1]


def test_the_plan_has_one_where_a_round_starts_anew(tiny_world: Path) -> None:
    """Stage 2 of ProDA needs a pre-training beside labels and the previous network; nothing else does."""
    steps = plan(config_of(tiny_world))
    assert [str(s) for s in steps if s.stage == "pretrain"] == ["pretrain 2"]
    second = next(s for s in steps if (s.stage, s.round) == ("self_train", 2))
    assert set(second.needs) == {"start", "labels", "pretrain"}
    assert second.needs["start"] == Step("self_train", 1) and not second.needs["pretrain"].needs
    assert stage("pretrain").declare(config_of(tiny_world), 2).splits == {"source_train": False, "target_train": False}
    continued = plan(config_of(tiny_world, "method.round.2.start=last"))
    assert not [s for s in continued if s.stage == "pretrain"]


def test_the_round_starts_from_it(chains: InProcess, tiny_world: Path) -> None:
    """A round of no step ends with the pre-trained weights, which differ from the initial ones and from stage 1's."""
    config = config_of(tiny_world, "method.round.2.training.steps=0", "method.round.2.reestimate_bn=[]")
    results = chains.run(config, evaluate=False)
    second, pretrained = (weights(config, results[n].path) for n in ("self_train 2", "pretrain 2"))
    assert second.keys() == pretrained.keys()
    assert all(torch.equal(second[name], pretrained[name]) for name in second)
    backbone = config.backbone(2)
    initial = build(backbone.name, config.space.num_classes, seed=config.seed, **backbone.params).state_dict()
    first = weights(config, results["self_train 1"].path)
    for other in (initial, first):
        assert not torch.equal(pretrained["stem.0.weight"], other["stem.0.weight"])


def test_it_opens_no_label(tiny_world: Path, tmp_path: Path) -> None:
    """With every label file of both domains replaced by rubbish the result is the same, tensor for tensor."""
    blind = tmp_path / "world"
    shutil.copytree(tiny_world, blind)
    folders = [p for p in blind.rglob("*") if p.is_dir() and p.name in ("labels", "gtFine")]
    assert folders
    for folder in folders:
        for path in folder.rglob("*.png"):
            path.write_bytes(b"no image")
    states = []
    for world in (tiny_world, blind):
        config = config_of(world)
        step = next(s for s in plan(config) if s.stage == "pretrain")

        given, notes = run_step(config, step, {}, tmp_path / f"run{len(states)}")
        assert set(notes.splits) == {"source_train", "target_train"}
        states.append(weights(config, given.path))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_its_key_is_its_own(tiny_world: Path) -> None:
    """What the pre-training reads changes its part of the configuration and no other training's: the result reaches
    the round as an input."""
    plain, other = config_of(tiny_world), config_of(tiny_world, "method.round.2.pretrain.training.steps=9")
    changed = {
        str(step) for step in plan(plain)
        if stage(step.stage).declare(plain, step.round).reads != stage(step.stage).declare(other, step.round).reads
    }  # fmt: skip
    assert changed == {"pretrain 2"}
    longer = config_of(tiny_world, "method.round.2.pretrain.training.steps=5")
    assert longer.pretraining(2).steps == 5 and longer.training(2) == plain.training(2)


def test_mistakes_are_found_before_anything_runs(tiny_world: Path) -> None:
    for wrong, message in (
        ("method.round.2.pretrain.objective.temperatur=0.2", "unknown key .temperatur."),
        ("method.round.2.pretrain.objective.name=dense_contrst", "dense_contrast"),
        ("method.round.2.pretrain.training.stepps=5", "steps"),
        ("method.round.2.pretrain.training={batch.target: 0}", "target"),
        ("method.round.2.labelling.flipp=true", "flip"),
    ):
        with pytest.raises(UserError, match=message):
            config_of(tiny_world, wrong)
