"""Stages in this process, on real files and without a tracking store: what a test of a stage's result needs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from udamlf.common.files import digest_json
from udamlf.config.schema import Config
from udamlf.runs.plan import Request, Step, plan
from udamlf.runs.plan import data_root as root_of
from udamlf.stages.stage import Input, Job, stage

BUDGET = (
    "profile.frames_hw=[64,128]",
    "profile.labelling.size_hw=[64,128]",
    "profile.evaluation.size_hw=[64,128]",
    "profile.warmup.steps=2",
    "profile.warmup.batch.source=2",
    "profile.round.steps=2",
    "profile.round.batch.source=2",
    "profile.round.batch.target=2",
)
"""Two steps of two images at 128x64 in every training."""


@dataclass
class Notes:
    """Stands in for ``RunLog``: keeps what a stage records."""

    metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.metrics.append((step, dict(metrics)))

    def log_dataset(self, name: str, digest: str, context: str, count: int, source: str) -> None:
        self.splits.append(name)

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def should_stop(self) -> bool:
        return False


def small(method: str, data_root: Path, *overrides: str, scenario: str = "gta2city", **changes: Any) -> Config:
    """A method of the miniature profile with two steps a training; budgets of its own are cut too."""

    def resolved(*more: str) -> Config:
        given = (*BUDGET, *more, *overrides)
        return Request(scenario, method, data_root=str(data_root), overrides=given, **changes).resolve()

    config = resolved()
    rounds = config.method.round
    if rounds is None:
        return config
    entries = {f".{n}": r for n, r in enumerate(rounds, 1)} if isinstance(rounds, tuple) else {"": rounds}
    cut = []
    for number, described in entries.items():
        blocks = {"training": described.training}
        if described.pretrain is not None:
            blocks["pretrain.training"] = described.pretrain.training
        for block, own in blocks.items():
            smaller = [key for key in ("steps", "batch.source", "batch.target") if own.get(key, 0)]
            cut += [f"method.round{number}.{block}.{key}=2" for key in smaller]
    return resolved(*cut)


def job_of(config: Config, step: Step, inputs: dict[str, Input], out: Path, work: Path, notes: Notes, key: str) -> Job:
    """What the stage of a step works with."""
    splits = stage(step.stage).declare(config, step.round).splits
    return Job(config, step.round, inputs, splits, root_of(config), out, work, notes, key)


def run_step(
    config: Config, step: Step, inputs: dict[str, Input], folder: Path, predictions: Path | None = None
) -> tuple[Input, Notes]:
    """Run one stage; its output is ``folder/out``."""
    out, work, notes = folder / "out", folder / "work", Notes()
    out.mkdir(parents=True)
    work.mkdir(exist_ok=True)
    job = job_of(config, step, inputs, out, work, notes, folder.name)
    stage(step.stage).run(replace(job, predictions=predictions))
    return Input(folder.name, out, {"stage": step.stage}), notes


class InProcess:
    """Runs plans on one data root; equal steps on equal inputs are done once, as in the chain.

    Attributes:
        folder: one sub-folder per step, named by its key.
        notes: key -> what the step recorded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes = folder, {}
        self._done: dict[str, Input] = {}

    def run(self, config: Config, evaluate: bool = True) -> dict[str, Input]:
        """Every step of the method's plan; text of the step -> its output."""
        results: dict[str, Input] = {}
        for step in plan(config):
            if step.stage == "evaluate" and not evaluate:
                continue
            inputs = {name: results[str(needed)] for name, needed in step.needs.items()}
            part = json.loads(json.dumps(stage(step.stage).declare(config, step.round).reads, default=str))
            given = {name: value.run_id for name, value in inputs.items()}
            key = digest_json([step.stage, part, given, config.scenario.name])[:16]
            if key not in self._done:
                self._done[key], self.notes[key] = run_step(config, step, inputs, self.folder / key)
            results[str(step)] = self._done[key]
        return results


def files(folder: Path) -> dict[str, bytes]:
    """Path below ``folder`` -> content, of every file."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
