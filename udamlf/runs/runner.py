"""A stage in this process: adopt its run, fetch inputs, do the work, publish all of it or nothing, close the run."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from udamlf.common.errors import UserError, nearest
from udamlf.common.files import file_lock, write_json
from udamlf.config.compose import mapping
from udamlf.config.parts import validated
from udamlf.config.schema import OF_SOURCE, SOURCE_VAL, TARGET, Config, Scenario
from udamlf.data.dataset import split_of
from udamlf.data.splits import ScenarioData
from udamlf.models.numerics import numerics
from udamlf.runs.environment import CONFIG, kept_log, write_record
from udamlf.runs.launch import StopFlag, identity
from udamlf.runs.log import RunLog, ending
from udamlf.runs.plan import data_root, module_digests, modules, plan, step_key, until
from udamlf.runs.serving import log_model, use
from udamlf.runs.tags import CHAIN, DIGEST, KEY, KEY_FILE, MODEL, PROCESS, step_runs
from udamlf.runs.tracker import WEIGHTS, Tracker, local_folder
from udamlf.stages.stage import TRAININGS, Input, Job, stage

DONE, OUT, RECORD = "done.json", "out", "record"
"""In a stage's work folder: what is to be published, written when the output is whole; the output; what is told of the
run beside it (configuration, environment, log), on which no key depends."""


def run_stage(
    name: str, configure: Callable[[], Config], chain: str, round: int | None, ids: Mapping[str, str], stop: StopFlag
) -> None:
    """Do a stage with inputs ``ids`` (name -> run id) in the run that was created for this process, or in a new one of
    ``chain``; no round = the stage's first one. A mistake that ``configure`` meets closes the run as FAILED."""
    tracker = Tracker.connect()
    adopted = os.environ.get("MLFLOW_RUN_ID")
    if not adopted:
        _check_inputs(configure(), name, round, ids)  # bad input starts no run
    run_id = adopted or tracker.create_run(f"{chain} {name}", {})
    with ending(tracker, run_id):
        config = configure()
        number = _check_inputs(config, name, round, ids)
        inputs = _fetch_inputs(tracker, config, name, number, ids)
        splits = stage(name).declare(config, number).splits
        key, data = tracker.get(run_id).data.tags.get(KEY), ScenarioData(config, data_root(config, splits))
        tags = stage_tags(config, data, name, number)
        if key is None:  # started by hand
            digests = {input_name: value.tags[DIGEST] for input_name, value in inputs.items()}
            key = step_key(config, name, number, digests, data.digest)
        else:
            recorded = tracker.text(run_id, KEY_FILE) or "{}"
            _check_code(mapping(recorded, f"{KEY_FILE} of run {run_id}"), config, name, number)
        if "training" in inputs and MODEL in inputs["training"].tags:
            tags[MODEL] = inputs["training"].tags[MODEL]
        execute(name, config, number, inputs, tracker, run_id, key, tags | {KEY: key}, stop)


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
    config: Config = validated(Config, mapping(path.read_bytes(), str(path)), str(path))
    return config


def stage_tags(config: Config, data: ScenarioData, name: str, round: int) -> dict[str, str]:
    """Tags of a stage's run."""
    return {**chain_tags(config, data), "stage": name, "round": str(round)}


def chain_tags(config: Config, data: ScenarioData) -> dict[str, str]:
    """Tags that a chain and its stages share."""
    named = {kind: getattr(config, kind).name for kind in ("scenario", "method", "profile")}
    tags = {"role": config.method.role, "recipe": config.recipe or "", "seed": str(config.seed), "data": data.kind}
    return {**named, **tags}


def _check_inputs(config: Config, name: str, round: int | None, ids: Mapping[str, str]) -> int:
    """The stage's round. UserError: the method has no such stage, or an input of it has no run id or is unknown."""
    last = until(plan(config), name, round)[-1]
    number, needs = last.round, last.needs
    expected = " ".join(f"{key}=RUN_ID" for key in needs)
    missing = [] if stage(name).partial and ids else [key for key in needs if key not in ids]
    if missing:
        raise UserError(f"stage {name}, round {number}, without the input {missing[0]}", f'inputs="{expected}"')
    unknown = [key for key in ids if key not in needs]
    if unknown:
        raise UserError(f"stage {name}, round {number}, has no input {unknown[0]!r}", f'inputs="{expected}"')
    return number


def _fetch_inputs(tracker: Tracker, config: Config, name: str, round: int, ids: Mapping[str, str]) -> dict[str, Input]:
    """Input name -> its finished run. UserError: unknown run id, run of the wrong stage, damaged artifacts."""
    needs, inputs = stage(name).declare(config, round).inputs, {}
    for key, run_id in ids.items():
        inputs[key] = tracker.fetch(run_id)
        expected = needs[key].stage
        allowed = TRAININGS if expected in TRAININGS else (expected,)
        if inputs[key].tags.get("stage") not in allowed:
            message = f"{key}: run {run_id} is of stage {inputs[key].tags.get('stage')}"
            raise UserError(message, f"a run of stage {' or '.join(allowed)}")
    return inputs


def execute(
    name: str,
    config: Config,
    round: int,
    inputs: Mapping[str, Input],
    tracker: Tracker,
    run_id: str,
    key: str,
    tags: Mapping[str, str],
    stop: StopFlag,
    predictions: Path | None = None,
) -> dict[str, Any]:
    """Run a stage in this process under an existing run; publish its output, or nothing. Its ``evaluation.json``."""
    work, splits = tracker.work / "steps" / key, stage(name).declare(config, round).splits
    profile, model = config.profile, tags.get(MODEL)
    with (
        file_lock(work.with_suffix(".lock"), name),
        numerics(profile.precision, profile.deterministic),
        RunLog(tracker, run_id, work, stop, model) as log,
    ):
        # Whose process this is must be known at once, not with the next batch.
        tracker.client.set_tag(run_id, PROCESS, identity())
        log.set_tags({**tags, **{f"udamlf.input.{key}": value.run_id for key, value in inputs.items()}})
        if any(labels and not split.startswith(OF_SOURCE) for split, labels in splits.items()):
            log.set_tags({"uses_target_labels": "true"})
        log.log_params({f"cfg.{name}": value for name, value in config.flat().items()})
        write_record(work / RECORD, config)
        log.log_file(work / RECORD)
        job = Job(config, round, inputs, splits, data_root(config, splits), work / OUT, work, log, key, predictions)
        try:
            with kept_log(work / RECORD, f"{name} {round} of run {run_id}"), tracker.system_metrics(run_id):
                result = _do(name, job, log)
        except BaseException:
            log.log_file(work / RECORD)
            raise
        shutil.rmtree(work, ignore_errors=True)
    return result


def _do(name: str, job: Job, log: RunLog) -> dict[str, Any]:
    """Run the stage and publish what it wrote; returns its evaluation."""
    shutil.rmtree(job.out, ignore_errors=True)
    (job.work / DONE).unlink(missing_ok=True)
    job.out.mkdir()
    stage(name).run(job)
    log.stop.check()
    path, config = job.out / "evaluation" / "evaluation.json", job.config
    ensemble = name in TRAININGS and config.ensemble(job.round)
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    tags = {"scenario": config.scenario.name, "method": config.method.name, "seed": str(config.seed)}
    done: dict[str, Any] = {
        "run_id": log.run_id,
        "round": job.round,
        "model": f"{config.method.name}-r{job.round}",
        "tags": tags,
        "use": use(config),
        "others": [str(job.inputs["start"].path / "checkpoint")] if ensemble else [],
    }
    write_json(job.work / DONE, done)
    log.complete(lambda: publish(log.tracker, job.out, **done))
    return result


def publish(
    tracker: Tracker, out: Path, run_id: str, round: int, model: str, tags: dict[str, str], use: Any, others: list[str]
) -> None:
    """Upload a stage's output with its manifest, and its record; a checkpoint becomes a LoggedModel, of its mean with
    the checkpoint folders ``others``. The weights are stored once: the model's files are links to the run's, or,
    behind a server, the model's alone."""
    tracker.client.log_artifacts(run_id, str(out.parent / RECORD))

    def log(folder: Path) -> None:
        if (out / "checkpoint").is_dir():
            log_model(tracker, run_id, model, [folder / "checkpoint", *map(Path, others)], round, tags, use)

    if local_folder(tracker.get(run_id).info.artifact_uri):
        log(tracker.publish(run_id, out))
    else:
        log(out)
        tracker.publish(run_id, out, WEIGHTS)


# --- one run, scored again -------------------------------------------------------------------------------------------


def evaluate_run(
    run_id: str,
    stop: StopFlag,
    split: str | None = None,
    folder: str | None = None,
    scales: Sequence[float] = (),
    flip: bool = False,
    predictions: Path | None = None,
    config: Config | None = None,
) -> tuple[dict[str, Any], Config]:
    """Score the checkpoint of a training run on a split of its scenario (none: the reported one); records a child run.

    Args:
        folder: another data root with the same layout.
        scales, flip: replace the profile's protocol.
        predictions: folder for masks in the data set's submission format.
        config: replaces the configuration that the run has recorded.

    Returns:
        ``run_id``, ``split``, ``images``, ``protocol``, ``miou`` and ``iou`` in percent; and the configuration.
    """
    tracker = Tracker.existing()
    inputs, recorded = trained(tracker, run_id, config)
    training, tracker = inputs["training"], tracker.within(run_id)
    config = _changed(recorded, split, folder, scales, flip)
    tags = {name: training.tags[name] for name in {"role", "seed", "round"} & training.tags.keys()}
    tags |= {kind: getattr(config, kind).name for kind in ("scenario", "method", "profile")}
    tags |= {"stage": "evaluate", "split": config.report_split}
    tags["udamlf.evaluates"] = training.run_id
    child = tracker.create_run(f"evaluate {config.report_split}", tags, parent=training.run_id)
    with ending(tracker, child):
        key, number = f"evaluate-{child}", int(training.tags["round"])
        result = execute("evaluate", config, number, inputs, tracker, child, key, {}, stop, predictions)
    space = config.space
    score = {"run_id": training.run_id, **{name: result[name] for name in ("split", "images", "protocol")}}
    score["miou"] = {name: result["miou"][name] for name in space.subsets}
    score["iou"] = {name: result["iou"][name] for name in (*space.classes, *space.not_in_source)}
    return score, config


def trained(tracker: Tracker, run_id: str, config: Config | None = None) -> tuple[dict[str, Input], Config]:
    """The training of a run, a chain's last one, as the input "training" of ``evaluate``, with "other" where its round
    is an ensemble; its configuration, unless there is another one. UserError: the run has no checkpoint."""
    tags = tracker.get(run_id).data.tags
    if tags.get("stage") == CHAIN:
        done = {(round, name): step for (name, round), step in step_runs(tags).items() if name in TRAININGS}
        if not done:
            raise UserError(f"chain {run_id} has finished no training", "a chain with a checkpoint", "run it again")
        run_id = done[max(done)]
    elif tags.get("stage") not in TRAININGS:
        message = f"run {run_id} is of stage {tags.get('stage', 'no stage of udamlf')}, which has no checkpoint"
        raise UserError(message, f"a chain, or a run of stage {' or '.join(TRAININGS)}")
    training, config = tracker.fetch(run_id), config or recorded_config(tracker, run_id)
    inputs = {"training": training}
    if config.ensemble(int(training.tags["round"])):
        inputs["other"] = tracker.fetch(training.tags["udamlf.input.start"])
    return inputs, config


def recorded_config(tracker: Tracker, run_id: str) -> Config:
    """The configuration that a run has recorded, as far as this version knows its keys: a score depends on the scenario
    and the protocol alone, so that runs of earlier versions can be scored. UserError: there is none, or none readable.
    """
    text = tracker.text(run_id, CONFIG)
    if not text:
        raise UserError(f"run {run_id} has no {CONFIG}", "the configuration it was trained with", "train it again")
    where = f"the configuration of run {run_id}"
    tree = mapping(text, where)
    if isinstance(scenario := tree.get("scenario"), dict) and "lists" in scenario:  # of version 0.1
        scenario.setdefault("splits", scenario["lists"])
    config: Config = validated(Config, _without_unknown(tree), where)
    return config


def _without_unknown(tree: dict[str, Any]) -> dict[str, Any]:
    """``tree`` without the keys that this version's configuration does not have."""
    try:
        Config.model_validate(tree)
    except ValidationError as error:
        unknown = [entry["loc"] for entry in error.errors() if entry["type"] == "extra_forbidden"]
        for *path, last in unknown:
            node: Any = tree
            for key in path:  # a location also names the members of unions, which are no keys
                node = node[key] if isinstance(key, int) or key in node else node
            del node[last]
        return _without_unknown(tree) if unknown else tree
    return tree


def _changed(config: Config, split: str | None, folder: str | None, scales: Sequence[float], flip: bool) -> Config:
    """The run's configuration with another split, folder or protocol."""
    protocol = ({"scales": tuple(scales)} if scales else {}) | ({"flip": True} if flip else {})
    changes: dict[str, Any] = {"evaluation": config.profile.evaluation.model_copy(update=protocol), "audit": False}
    changes["validators"] = False
    changes |= {"report": split} if split is not None else {}
    # A score of one split alone.
    scored = {n: ref for n, ref in config.scenario.splits.items() if n != SOURCE_VAL or n == split}
    scenario = config.scenario.model_copy(update={"splits": scored})
    root = {"data_root": str(Path(folder).expanduser().absolute())} if folder else {}
    profile = config.profile.model_copy(update=changes)
    changed = config.model_copy(update={"scenario": scenario, "profile": profile, **root})
    return changed if split in (None, *config.scenario.splits) else _with_split(changed, str(split))


def _with_split(config: Config, split: str) -> Config:
    """The configuration with a further split of the target's data set. UserError: that one does not know it."""
    scenario, root = config.scenario, data_root(config)
    target, ref = split_of(scenario, TARGET)
    known = target.known_splits(root)
    if split not in known:
        message = f"neither scenario {scenario.name} nor {ref.dataset} in {root} has a split {split!r}"
        theirs = ", ".join(known) or "no list"
        expected = f"of {scenario.name}: {', '.join(scenario.splits)}; of {ref.dataset}: {theirs}"
        raise UserError(message, expected, nearest(split, [*scenario.splits, *known]))
    tree = scenario.model_dump()
    tree["splits"][split] = {"dataset": ref.dataset, "split": split}
    return config.model_copy(update={"scenario": validated(Scenario, tree, f"list {split} of {ref.dataset}")})
