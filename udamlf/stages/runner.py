"""From a run and its parameters to a stage: the one place that adopts a run, fetches inputs, publishes and closes."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from udamlf.chain import only_once
from udamlf.config import Config
from udamlf.data.lists import ScenarioData, chosen_images
from udamlf.errors import UserError
from udamlf.files import write_json
from udamlf.launch import StopFlag, identity
from udamlf.plan import SHARD, Request, plan, shard_key, step_key, until
from udamlf.recording import Run, ending
from udamlf.stages.shards import Shard
from udamlf.tracking import DIGEST, KEY, PROCESS, Input, Tracker, git_tags

__all__ = ["Input", "Job", "execute", "publish", "run_stage"]

DONE, OUT = "done.json", "out"
"""In a stage's work folder: written when its output is whole and only publishing is left; the output."""


@dataclass(frozen=True)
class Job:
    """What a stage is given.

    Attributes:
        inputs: "start", "labels" and "pretrain" (self_train), "generator" (pseudo_label, target_subset), "subset"
            (pseudo_label, self_train), "round0", "round1", ..., "labels1", ... (evaluate): finished runs and local
            folders of their artifacts.
        out: empty folder; everything in it is published when the stage succeeds, nothing otherwise.
        work: folder that outlives a killed stage: the next process with the same key goes on from what is in it.
        run: records metrics, tags and data sets.
        key: hash of everything the result depends on.
        options: "predictions", a folder for masks (``udamlf evaluate``); "shard", a ``Shard`` (pseudo_label).
    """

    config: Config
    round: int
    inputs: dict[str, Input]
    out: Path
    work: Path
    run: Run
    key: str
    options: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def data(self) -> ScenarioData:
        """The scenario's lists; ``target_train`` is cut to the input "subset" where there is one."""
        subset = self.inputs.get("subset")
        return ScenarioData(self.config, target_images=chosen_images(subset.path) if subset else None)


# Any other input is a training.
_EXPECTED = {
    "labels": ("pseudo_label",),
    SHARD: ("pseudo_label, shard",),
    "pretrain": ("pretrain",),
    "subset": ("target_subset",),
}


def fetch_inputs(tracker: Tracker, ids: Mapping[str, str]) -> dict[str, Input]:
    """Input name -> its finished run. UserError: unknown run id, run of the wrong stage, damaged artifacts."""
    inputs = {}
    for name, run_id in ids.items():
        inputs[name] = tracker.fetch(run_id)
        tags = inputs[name].tags
        stage = f"{tags.get('stage')}, {SHARD}" if SHARD in tags else tags.get("stage")
        expected = _EXPECTED.get(name.rstrip("0123456789"), ("warmup", "self_train"))
        if stage not in expected:
            raise UserError(f"{name}: run {run_id} is of stage {stage}", f"a run of stage {' or '.join(expected)}")
    return inputs


def run_stage(
    stage: str, request: Request, round: int, ids: Mapping[str, str], stop: StopFlag, shard: str | None = None
) -> None:
    """Adopt the run that was created for this process and do the stage in it.

    Args:
        ids: input name -> run id.
        shard: "i/n": observe this part of the target list only (pseudo_label).
    """
    if shard and stage != "pseudo_label":
        raise UserError(f"--shard {shard} for stage {stage}", "stage pseudo_label")
    options = {SHARD: Shard.parse(shard)} if shard else {}
    tracker = Tracker.connect()
    adopted = os.environ.get("MLFLOW_RUN_ID")
    if not adopted:
        check_inputs(request.resolve(), stage, round, ids)  # bad input starts no run
    run_id = adopted or tracker.create_run(f"{request.method}-s{request.seed} {stage}", {})
    with ending(tracker, run_id):
        config = request.resolve()
        check_inputs(config, stage, round, ids)
        inputs = fetch_inputs(tracker, ids)
        data = ScenarioData(config)
        tags = tracker.get(run_id).data.tags
        digests = {name: given.tags[DIGEST] for name, given in inputs.items() if not name.startswith(SHARD)}
        key = tags.get(KEY) or shard_key(step_key(config, stage, round, digests, data.digest), shard)
        described = {"stage": stage, "round": str(round), "data": data.kind, "scenario": config.scenario.name}
        described |= {"method": config.method.name, "profile": config.profile.name, "seed": str(config.seed), KEY: key}
        if KEY not in tags:
            described |= git_tags()
        described |= {SHARD: shard} if shard else {}
        execute(stage, config, round, inputs, tracker, run_id, key, described, stop, options)


def check_inputs(config: Config, stage: str, round: int, ids: Mapping[str, str]) -> None:
    """UserError: the method has no such stage, or an input of it has no run id. An evaluation takes any."""
    if stage == "evaluate":
        return
    missing = [name for name in until(plan(config), stage, round)[-1].needs if name not in ids]
    if missing:
        found = f"stage {stage}, round {round}, without {missing[0]}_run"
        raise UserError(found, f"--{missing[0]}-run RUN_ID", "all runs are named in MLproject")


def execute(
    stage: str,
    config: Config,
    round: int,
    inputs: dict[str, Input],
    tracker: Tracker,
    run_id: str,
    key: str,
    tags: Mapping[str, str],
    stop: StopFlag,
    options: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Run a stage in this process under an existing run; publish its output, or nothing.

    Returns:
        The stage's ``evaluation.json``; empty for the other stages.
    """
    work = tracker.work / "steps" / key
    with only_once(work.with_suffix(".lock"), stage):
        run = Run(tracker, run_id, work, stop)
        # Whose process this is must be known at once, not with the next batch.
        tracker.client.set_tag(run_id, PROCESS, identity())
        run.set_tags({**tags, **{f"udamlf.input.{name}": given.run_id for name, given in inputs.items()}})
        run.log_params({f"cfg.{name}": value for name, value in config.flat().items()})
        run.log_text(config.to_yaml(), "config.yaml")
        try:
            result = _do(stage, Job(config, round, inputs, work / OUT, work, run, key, options or {}), tracker)
        except BaseException:
            run.flush()  # what was measured up to here
            raise
        shutil.rmtree(work, ignore_errors=True)
    return result


def _do(stage: str, job: Job, tracker: Tracker) -> dict[str, Any]:
    """Run the stage and publish what it wrote; returns its evaluation."""
    shutil.rmtree(job.out, ignore_errors=True)
    (job.work / DONE).unlink(missing_ok=True)
    job.out.mkdir()
    importlib.import_module(f"udamlf.stages.{stage}").run(job)
    job.run.stop.check()
    result = _read_evaluation(job.out)
    config = job.config.model_dump(mode="json")
    write_json(job.work / DONE, {"run_id": job.run.run_id, "round": job.round, "config": config})
    job.run.complete(lambda: publish(tracker, job.run.run_id, job.out, job.config, job.round))
    return result


def publish(tracker: Tracker, run_id: str, out: Path, config: Config, round: int) -> None:
    """Upload a stage's output with its manifest; a checkpoint becomes a LoggedModel too."""
    checkpoint = out / "checkpoint"
    if checkpoint.is_dir():
        tags = {"scenario": config.scenario.name, "method": config.method.name, "seed": str(config.seed)}
        tracker.log_model(run_id, f"{config.method.name}-r{round}", checkpoint, round, tags)
    tracker.publish(run_id, out)


def _read_evaluation(out: Path) -> dict[str, Any]:
    path = out / "evaluation" / "evaluation.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
