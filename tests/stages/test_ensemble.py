"""AdvEnt + MinEnt: two trainings from the same initial weights, of which the mean is scored."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from tests.in_process import InProcess, small
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.score import evaluate
from udamlf.models import checkpoint
from udamlf.models.base import Ensemble
from udamlf.runs.plan import plan


def test_the_mean_of_both_networks_logits_is_scored(chains: InProcess, tiny_world: Path) -> None:
    """The second training's score is that of both networks together, and differs from each one's; the first has its own
    score; the second does not continue the first."""
    config = small("advent_minent", tiny_world, "profile.warmup.steps=8")
    assert [sorted(step.needs) for step in plan(config)] == [[], ["training"], ["start"], ["other", "training"]]
    done = chains.run(config)
    folders = [done[name].path / "checkpoint" for name in ("warmup", "self_train 1")]
    networks = [checkpoint.load(folder, config.space) for folder in folders]
    data, split = ScenarioData(config, tiny_world), config.report_split

    def score(model: torch.nn.Module) -> dict[str, float | None]:
        args = data.dataset(split), data.samples(split, True), config.space, split, config.protocol(split)
        return evaluate(model, *args).miou  # type: ignore[arg-type]

    alone, together = [score(network) for network in networks], score(Ensemble(*networks))
    published = [
        json.loads((done[f"evaluate {n}"].path / "evaluation" / "evaluation.json").read_text())["miou"] for n in (0, 1)
    ]
    assert published == [alone[0], together] and together not in alone


def test_an_ensemble_averages_logits(tiny_world: Path, chains: InProcess) -> None:
    done = chains.run(small("advent_minent", tiny_world, "profile.warmup.steps=8"), evaluate=False)
    space = small("advent_minent", tiny_world).space
    one, other = (checkpoint.load(done[name].path / "checkpoint", space) for name in ("warmup", "self_train 1"))
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        expected = (one(images).logits + other(images).logits) / 2
        torch.testing.assert_close(Ensemble(one, other).eval()(images).logits, expected)
