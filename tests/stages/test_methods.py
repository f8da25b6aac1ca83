"""Every shipped method, from the warm-up to its last round, on real files; methods are found by name."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.in_process import InProcess, small
from udamlf.config.compose import available
from udamlf.config.labels import IGNORE
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import ScenarioData
from udamlf.models import checkpoint
from udamlf.runs.plan import data_root


def two_rounds(method: str, world: Path, *overrides: str, scenario: str = "gta2city") -> Config:
    """The method with at most two of its equal rounds: the second one is where an adapted network labels."""
    config = small(method, world, *overrides, scenario=scenario)
    if config.method.rounds <= 2 or isinstance(config.method.round, tuple):
        return config
    return small(method, world, *overrides, scenario=scenario, rounds=2)


@pytest.mark.parametrize("method", available("methods"))
def test_a_method_runs_and_publishes_what_its_plan_says(method: str, chains: InProcess, tiny_world: Path) -> None:
    """Every training publishes a finite network of its own and finite losses; every labelling a map of each image."""
    config = two_rounds(method, tiny_world)
    results = chains.run(config, evaluate=False)
    assert len(results) > config.method.rounds
    names = {sample.name for sample in ScenarioData(config, data_root(config)).samples("target_train")}
    for step, given in results.items():
        notes = chains.notes[given.run_id]
        assert all(np.isfinite(value) for _, metrics in notes.metrics for value in metrics.values())
        if given.tags["stage"] == "pseudo_label":
            labels = PseudoLabels(given.path / "pseudo_labels", config.space)
            assert set(labels.names) <= names and labels.names, step
            for name in labels.names:
                values = np.unique(labels.label(name))
                assert set(values) <= {*range(config.space.num_classes), IGNORE}
        else:
            _, state = checkpoint.read_state(given.path / "checkpoint", config.space)
            assert all(bool(value.isfinite().all()) for value in state.values() if value.is_floating_point())


@pytest.mark.parametrize("method", available("methods"))
def test_each_round_changes_the_network(method: str, chains: InProcess, tiny_world: Path) -> None:
    """A round of at least one step moves weights and BatchNorm statistics; AdaBN, of none, the statistics only."""
    config = two_rounds(method, tiny_world)
    results = chains.run(config, evaluate=False)
    trained = [results["warmup"], *(results[f"self_train {n + 1}"] for n in range(config.method.rounds))]
    states = [checkpoint.read_state(given.path / "checkpoint", config.space)[1] for given in trained]
    for number, (before, after) in enumerate(pairwise(states), 1):
        changed = {name for name in after if name not in before or not torch.equal(before[name], after[name])}
        statistics = {name for name in changed if name.endswith(("running_mean", "running_var", "num_batches_tracked"))}
        assert statistics
        assert bool(changed - statistics) == bool(config.training(number).steps)


def test_methods_share_their_warm_up(chains: InProcess, tiny_world: Path) -> None:
    """Methods with the same warm-up objective have the same warm-up step: ST and CBST start from one network."""
    one, other = (chains.run(two_rounds(m, tiny_world), evaluate=False)["warmup"] for m in ("st", "cbst"))
    assert one.run_id == other.run_id


@pytest.mark.parametrize("scenario", ["syn2city", "city2robotcar"])
@pytest.mark.parametrize("method", ["cbst", "hiast"])
def test_other_scenarios_run_too(scenario: str, method: str, chains: InProcess, tiny_world: Path) -> None:
    """16 classes of 16-bit labels, nine coarse classes of an unlabelled target; HIAST's 14 hard classes are more than
    there are."""
    results = chains.run(two_rounds(method, tiny_world, scenario=scenario), evaluate=False)
    assert "self_train 2" in results
