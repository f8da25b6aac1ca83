"""What the command line and the entry points do: a whole chain with its references, the evaluation of one run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from udamlf.chain import REFERENCES, Chain, Done, only_once
from udamlf.config import Config
from udamlf.errors import UserError, nearest
from udamlf.evaluation.protocol import EvalProtocol
from udamlf.launch import LOCAL, StopFlag, check_manager, identity
from udamlf.plan import Request, plan, until
from udamlf.recording import Run, ending
from udamlf.report import compare, tables
from udamlf.report.figures import class_bars
from udamlf.stages.runner import execute, fetch_inputs
from udamlf.tracking import CHAIN, PROCESS, Tracker
from udamlf.trees import validated
from udamlf.upkeep import reap

FORMER_KEYS = ("accumulate", "micro_batch")
"""Of a training's budget in runs recorded by earlier versions; no evaluation depends on them."""


def run_chain(
    request: Request,
    stop: StopFlag,
    env_manager: str = LOCAL,
    references: bool = True,
    adopted: str | None = None,
    last_step: tuple[str, int] | None = None,
) -> str:
    """Run a method's chain, and before it the reference methods that it is shown beside.

    Args:
        references: also run ``REFERENCES``, each under a parent run of its own; the steps they share are done once.
        adopted: id of a run to be the method's parent (the one `mlflow run` has created).
        last_step: (stage, round) to stop after; then there are no references and no result table.

    Returns:
        The text to show: result table and the address of the comparison.

    Raises:
        UserError: bad input, or a stage failed; every run that was started is closed.
    """
    tracker = Tracker.connect()
    if adopted:
        tracker = tracker.within(adopted)
        tracker.client.set_tag(adopted, PROCESS, identity())
        tracker.client.set_tag(adopted, "mlflow.runName", f"{request.method}-s{request.seed}")
    else:
        request.resolve()  # bad input starts no run
    parent_id = adopted or tracker.create_run(f"{request.method}-s{request.seed}", {"stage": CHAIN})
    with ending(tracker, parent_id):
        check_manager(env_manager)
        chain = Chain(request, tracker, env_manager)
        steps = plan(chain.config)
        reap(tracker)
        shown = []
        if last_step is None and references:
            others = [request.reference(method) for method in REFERENCES if method != request.method]
            shown = [_reference(other, tracker, env_manager, stop) for other in others]
        if last_step is not None:
            steps = until(steps, *last_step)
        with _recording(tracker, parent_id, stop) as run:
            done = chain.run(run, steps)
            if last_step is not None:
                last = done[-1]
                return f"{last.step}: run {last.result.run_id}" + (" (reused)" if last.reused else "")
            table = _report(chain, run, done, [*shown, parent_id])
    return f"{table}\n\ncompare in MLflow: {tracker.address(scenario=chain.config.scenario.name)}{_serving(tracker)}"


def _serving(tracker: Tracker) -> str:
    return "" if tracker.uri.startswith("http") else "  (served by: udamlf ui)"


def _reference(request: Request, tracker: Tracker, env_manager: str, stop: StopFlag) -> str:
    chain = Chain(request, tracker, env_manager)
    run_id = tracker.create_run(chain.name(), {"stage": CHAIN})
    with ending(tracker, run_id), _recording(tracker, run_id, stop) as run:
        _report(chain, run, chain.run(run), [run_id])
    return run_id


@contextmanager
def _recording(tracker: Tracker, run_id: str, stop: StopFlag) -> Iterator[Run]:
    """The recorder of a parent run; at the end everything has arrived in MLflow."""
    work = tracker.work / "runs" / run_id
    with only_once(work.with_suffix(".lock"), run_id):
        run = Run(tracker, run_id, work, stop)
        try:
            yield run
            run.complete()
        finally:
            if run.flush():
                shutil.rmtree(work, ignore_errors=True)


def _report(chain: Chain, run: Run, done: Sequence[Done], run_ids: Sequence[str]) -> str:
    """Result table into the parent's description, figures beside it; returns the table for a terminal."""
    run.complete()  # the table is made of what MLflow has
    rows = compare.rows([chain.tracker.get(run_id) for run_id in run_ids])
    run.set_description(f"{tables.render(rows, 'markdown')}\n\n```\n{chain.request.command()}\n```\n")
    for figure in sorted((done[-1].result.path / "figures").glob("*.png")):
        run.log_file(figure, "figures")
    shared = compare.shared_overrides(rows)
    scores = {r.label(shared): {name: value.mean if value else None for name, value in r.iou.items()} for r in rows}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classes.png"
        class_bars(scores, chain.config.space, chain.data.kind, path)
        run.log_file(path, "figures")
    return tables.render(rows, "table")


def evaluate_run(
    run_id: str,
    stop: StopFlag,
    split: str | None = None,
    data_root: str | None = None,
    scales: Sequence[float] = (),
    flip: bool = False,
    predictions: Path | None = None,
) -> tuple[dict[str, Any], Config]:
    """Score the checkpoint of a training run on a list; records a child run of it.

    Args:
        split: name of a list of the run's scenario; none: the reported one.
        data_root: another folder with the same layout.
        scales, flip: replace the profile's protocol.
        predictions: folder for masks in the data set's submission format.

    Returns:
        ``run_id``, ``split``, ``images``, ``protocol``, ``miou`` and ``iou`` in percent; and the configuration.
    """
    tracker = Tracker.connect()
    _check_training(tracker, run_id)
    tracker = tracker.within(run_id)
    inputs = fetch_inputs(tracker, {"round0": run_id})
    config = _changed(recorded_config(inputs["round0"].path, run_id), split, data_root, scales, flip)
    kept = ("scenario", "method", "role", "profile", "seed", "round")
    tags = {name: value for name, value in inputs["round0"].tags.items() if name in kept}
    tags |= {"stage": "evaluate", "split": config.report_split, "udamlf.evaluates": run_id}
    child = tracker.create_run(f"evaluate {config.report_split}", tags, parent=run_id)
    with ending(tracker, child):
        options = {"predictions": predictions} if predictions else {}
        found = execute("evaluate", config, 0, inputs, tracker, child, f"evaluate-{child}", {}, stop, options)
    space = config.space
    result = {"run_id": run_id, **{name: found[name] for name in ("split", "images", "protocol")}}
    result["miou"] = {name: found["miou"][name] for name in space.subsets}
    result["iou"] = {name: found["iou"][name] for name in (*space.classes, *space.not_in_source)}
    return result, config


def _check_training(tracker: Tracker, run_id: str) -> None:
    """UserError for a run that has no checkpoint; of a chain's parent it names the one that has."""
    tags = tracker.get(run_id).data.tags
    stage = tags.get("stage", "no stage of udamlf")
    if stage in ("warmup", "self_train"):
        return
    prefix = "udamlf.run.self_train."
    trained = {int(k.removeprefix(prefix)): v for k, v in tags.items() if k.startswith(prefix)}
    last = trained[max(trained)] if trained else tags.get("udamlf.run.warmup.0", "")
    hint = f"udamlf evaluate --run-id {last}" if last else "a warmup or self_train run"
    message = f"run {run_id} is of stage {stage}, which has no checkpoint"
    raise UserError(message, "a run of stage warmup or self_train", hint)


def recorded_config(path: Path, run_id: str) -> Config:
    """The configuration in a run's artifacts. UserError: there is none, or this version cannot read it."""
    file = path / "config.yaml"
    if not file.is_file():
        raise UserError(f"run {run_id} has no {file}", "the configuration it was trained with", "train it again")
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    for budget in (tree["profile"]["warmup"], tree["profile"]["round"]):
        for key in FORMER_KEYS:
            budget.pop(key, None)
    config: Config = validated(Config, tree, f"the configuration of run {run_id}")
    return config


def _changed(config: Config, split: str | None, data_root: str | None, scales: Sequence[float], flip: bool) -> Config:
    """The run's configuration with another list, folder or protocol."""
    lists = list(config.scenario.lists)
    if split is not None and split not in lists:
        message = f"scenario {config.scenario.name} has no list {split!r}"
        raise UserError(message, f"one of: {', '.join(lists)}", nearest(split, lists))
    protocol = config.profile.evaluation.model_dump()
    protocol |= ({"scales": tuple(scales)} if scales else {}) | ({"flip": True} if flip else {})
    changes: dict[str, Any] = {"evaluation": EvalProtocol.model_validate(protocol), "audit": False}
    if split is not None:
        changes["report"] = split
    root = {"data_root": str(Path(data_root).expanduser().absolute())} if data_root else {}
    return config.model_copy(update={"profile": config.profile.model_copy(update=changes), **root})
