"""Stages in this process, on real files and without a tracking store: what a test of a stage's result needs."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from udamlf.config import Config
from udamlf.files import digest_json
from udamlf.plan import Step, plan
from udamlf.resolve import resolve
from udamlf.stages.runner import Input, Job

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
    """Stands in for ``recording.Run``: keeps what a stage records."""

    metrics: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    lists: list[str] = field(default_factory=list)

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.metrics.append((step, dict(metrics)))

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags.update(tags)

    def log_dataset(self, name: str, digest: str, context: str, count: int) -> None:
        self.lists.append(name)

    def should_stop(self) -> bool:
        return False


def small(method: str, data_root: Path, *overrides: str, scenario: str = "gta2city", **changes: Any) -> Config:
    """A method of the miniature profile with two steps a training; budgets of its own are cut too."""

    def resolved(*more: str) -> Config:
        return resolve(scenario, method, data_root=str(data_root), overrides=(*BUDGET, *more, *overrides), **changes)

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


def run_step(config: Config, step: Step, inputs: dict[str, Input], folder: Path, **options: Any) -> tuple[Input, Notes]:
    """Run one stage; its output is ``folder/out``."""
    out, work, notes = folder / "out", folder / "work", Notes()
    out.mkdir(parents=True)
    work.mkdir(exist_ok=True)
    module = importlib.import_module(f"udamlf.stages.{step.stage}")
    module.run(Job(config, step.round, inputs, out, work, notes, folder.name, options))  # type: ignore[arg-type]
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
            part = json.loads(json.dumps(config.stage_part(step.stage, step.round), default=str))
            given = {name: value.run_id for name, value in inputs.items()}
            key = digest_json([step.stage, part, given, config.scenario.name])[:16]
            if key not in self._done:
                self._done[key], self.notes[key] = run_step(config, step, inputs, self.folder / key)
            results[str(step)] = self._done[key]
        return results


def files(folder: Path) -> dict[str, bytes]:
    """Path below ``folder`` -> content, of every file."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
