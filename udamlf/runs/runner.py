"""A stage in this process: adopt its run, fetch inputs, do the work, publish all of it or nothing, close the run."""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError
from udamlf.common.files import file_lock, write_json, write_text
from udamlf.config.parts import validated
from udamlf.config.reading import mapping
from udamlf.config.schema import SOURCE_PREFIX, Config
from udamlf.data.splits import ScenarioData
from udamlf.models.numerics import numerics
from udamlf.runs.environment import CONFIG, device_name, kept_log, write_record
from udamlf.runs.launch import identity
from udamlf.runs.log import RunLog, ending
from udamlf.runs.plan import data_root, key_of, key_parts, module_digests, modules, plan, up_to_step
from udamlf.runs.serving import log_model
from udamlf.runs.signals import StopFlag
from udamlf.runs.tags import DEVICE, DIGEST, HOURS, KEY, KEY_FILE, MODEL, PROCESS
from udamlf.runs.tracker import WEIGHTS, Tracker, local_folder
from udamlf.stages.stage import TRAININGS, Input, Job, stage

DONE, OUT, RECORD = "done.json", "out", "record"
"""In a stage's work folder: what is to be published, written when the output is whole; the output; what is told of the
run beside it (configuration, environment, log), on which no key depends."""


def run_stage(
    name: str, configure: Callable[[], Config], chain: str, round: int | None, ids: Mapping[str, str], stop: StopFlag
) -> str:
    """Do a stage with inputs ``ids`` (name -> run id) in the run that was created for this process, or in a new one of
    ``chain``; no round = the stage's first one. A mistake that ``configure`` meets closes the run as FAILED."""
    adopted = os.environ.get("MLFLOW_RUN_ID")
    tracker = Tracker.connect(patient=bool(adopted))
    if not adopted:
        _check_inputs(configure(), name, round, ids)  # bad input starts no run
    run_id = adopted or tracker.create_run(f"{chain} {name}", {})
    with ending(tracker, run_id):
        config = configure()
        number = _check_inputs(config, name, round, ids)
        declared = stage(name).declare(config, number)
        inputs = {key: _input(tracker, key, run, declared.inputs[key].stage) for key, run in ids.items()}
        data = ScenarioData(config, data_root(config, declared.splits))
        tags, key = stage_tags(config, data, name, number), tracker.get(run_id).data.tags.get(KEY)
        if key is None:  # started by hand
            digests = {input_name: value.tags[DIGEST] for input_name, value in inputs.items()}
            key = key_of(key_parts(config, name, number, digests, data.digest))
        else:
            _check_code(tracker.mapping(run_id, KEY_FILE), config, name, number)
        if "training" in inputs and MODEL in inputs["training"].tags:
            tags[MODEL] = inputs["training"].tags[MODEL]
        execute(name, config, number, inputs, tracker, run_id, key, tags | {KEY: key}, stop)
    remove_work(tracker.work / "steps" / key)
    return run_id


def _check_code(parts: dict[str, Any], config: Config, name: str, round: int) -> None:
    """UserError: the code has been edited since the chain made the key, so that the result would not be the key's."""
    planned, here = parts.get("code"), module_digests(modules(config, name, round))
    if planned is not None and planned != here:
        edited = sorted(module for module, digest in {**planned, **here}.items() if planned.get(module) != digest)
        message = f"{', '.join(edited) or 'its code'} was edited while the chain was running"
        raise UserError(message, "the code that the chain started with", "the same command again")


def read_config(path: Path) -> Config:
    """The configuration that a chain hands on. UserError: the file is gone, or none of this version's."""
    if not path.is_file():
        raise UserError(f"no configuration {path}", "the file that the chain has written", "start the chain again")
    return validated(Config, mapping(path.read_bytes(), str(path)), str(path))


def stage_tags(config: Config, data: ScenarioData, name: str, round: int | None = None) -> dict[str, str]:
    """Tags of a stage's run, and, without a round, of a chain's."""
    tags = {**config.names, "role": config.method.role, "recipe": config.recipe or "", "seed": str(config.seed)}
    return {**tags, "data": data.kind, "stage": name, **({} if round is None else {"round": str(round)})}


def _check_inputs(config: Config, name: str, round: int | None, ids: Mapping[str, str]) -> int:
    """The stage's round. UserError: the method has no such stage, or an input of it has no run id or is unknown."""
    step = up_to_step(plan(config), name, round)[-1]
    missing = [] if stage(name).partial and ids else [f"without the input {key}" for key in step.needs.keys() - ids]
    if problems := sorted(missing) or [f"has no input {key!r}" for key in ids.keys() - step.needs]:
        expected = " ".join(f"{key}=RUN_ID" for key in step.needs)
        raise UserError(f"stage {name}, round {step.round}, {problems[0]}", f'inputs="{expected}"')
    return step.round


def _input(tracker: Tracker, name: str, run_id: str, expected: str) -> Input:
    """A finished run as an input. UserError: unknown run id, run of the wrong stage, damaged artifacts."""
    value, allowed = tracker.fetch(run_id), TRAININGS if expected in TRAININGS else (expected,)
    if value.tags.get("stage") not in allowed:
        message = f"{name}: run {run_id} is of stage {value.tags.get('stage')}"
        raise UserError(message, f"a run of stage {' or '.join(allowed)}")
    return value


def execute(
    name: str, config: Config, round: int, inputs: Mapping[str, Input], tracker: Tracker, run_id: str, key: str,
    tags: Mapping[str, str], stop: StopFlag, predictions: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run a stage in this process under an existing run, and publish all of its output or none. Returns the content of
    its ``evaluation.json``, or {}. The work folder stays until the run is FINISHED (``remove_work``)."""
    work, splits = tracker.work / "steps" / key, stage(name).declare(config, round).splits
    with (
        file_lock(work.with_suffix(".lock"), name),
        numerics(config.profile.precision, config.profile.deterministic),
        RunLog(tracker, run_id, work, stop, tags.get(MODEL)) as log,
    ):
        # Whose process this is must be known at once, not with the next batch.
        tracker.client.set_tag(run_id, PROCESS, identity())
        log.set_tags({**tags, **{f"udamlf.input.{key}": value.run_id for key, value in inputs.items()}})
        if any(labels and not split.startswith(SOURCE_PREFIX) for split, labels in splits.items()):
            log.set_tags({"uses_target_labels": "true"})
        log.log_params({f"cfg.{name}": value for name, value in config.flat().items()})
        write_record(work / RECORD, config)
        log.log_file(work / RECORD)
        job = Job(config, round, inputs, splits, data_root(config, splits), work / OUT, work, log, key, predictions)
        try:
            with kept_log(work / RECORD, f"{name} {round} of run {run_id}"), tracker.system_metrics(run_id):
                return _do(name, job, log)
        except BaseException:
            log.log_file(work / RECORD)
            raise


def remove_work(work: Path) -> None:
    """Delete the work folder of a run that has ended, what a later process would believe first. A kill in the middle
    costs nothing: the run is finished."""
    with file_lock(work.with_suffix(".lock"), wait=False) as idle:
        if idle:  # else another process was asked for the same
            discard(work)


def discard(work: Path) -> None:
    """What ``remove_work`` does, for who has the lock."""
    (work / DONE).unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)


def _do(name: str, job: Job, log: RunLog) -> dict[str, Any]:
    """Run the stage and publish what it wrote; returns its evaluation."""
    shutil.rmtree(job.out, ignore_errors=True)
    (job.work / DONE).unlink(missing_ok=True)
    job.out.mkdir()
    spent, began, hours = job.work / "hours", time.monotonic(), 0.0
    with suppress(OSError, ValueError):  # there is none, or a damaged one, of interrupted processes
        hours = float(spent.read_text())
    try:
        stage(name).run(job)
    finally:
        hours += (time.monotonic() - began) / 3600
        with suppress(OSError):  # on a full disk the stage's own error is the one to show
            write_text(spent, str(hours))
    log.stop.check()
    log.set_tags({HOURS: f"{hours:.6f}", DEVICE: device_name()})
    path = job.out / "evaluation" / "evaluation.json"
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    ensemble = name in TRAININGS and job.config.ensemble(job.round)
    others = [str(job.inputs["start"].path / "checkpoint")] if ensemble else []
    write_json(job.work / DONE, {"run_id": log.run_id, "round": job.round, "others": others})
    log.complete(lambda: publish(log.tracker, job.work))
    return result


def publish(tracker: Tracker, work: Path) -> str:
    """Upload the whole output in a stage's work folder with its manifest, and its record; its run's id. A checkpoint
    becomes a LoggedModel, of its mean with those in ``others``; weights are stored once: as links to the run's, or,
    behind a server, with the model alone. UserError: what says what the output is cannot be read."""
    try:
        done = json.loads((work / DONE).read_text(encoding="utf-8"))
        run_id, round, others = str(done["run_id"]), done["round"], [Path(folder) for folder in done["others"]]
    except (ValueError, KeyError, TypeError) as error:  # damaged, or of version 0.1, whose result has another form
        message = f"{work / DONE} is damaged, or of an earlier version: {error!r}"
        raise UserError(message, "its chain, run again", f"rm -r {work}") from error
    tracker.client.log_artifacts(run_id, str(work / RECORD))
    local, out = local_folder(tracker.get(run_id).info.artifact_uri), work / OUT
    if local:
        tracker.publish(run_id, out)
    if (out / "checkpoint").is_dir():
        config = read_config(work / RECORD / CONFIG)
        log_model(tracker, run_id, [(local or out) / "checkpoint", *others], config, round)
    if not local:
        tracker.publish(run_id, out, WEIGHTS)
    return run_id
