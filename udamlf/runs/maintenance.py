"""Putting a store right after a SIGKILL or a server that was away, and what of it is not needed any more."""

import logging
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Set
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder, file_lock
from udamlf.report.comparison import COMPLETE
from udamlf.runs.launch import PROJECT_ROOT, is_alive
from udamlf.runs.log import Journal
from udamlf.runs.runner import DONE, discard, publish
from udamlf.runs.serving import checkpoint_waste
from udamlf.runs.store import Unavailable
from udamlf.runs.tags import CHAIN, ERROR, HEARTBEAT, INTERRUPTED, PROCESS, PRUNED, step_runs
from udamlf.runs.tracker import UNAVAILABLE, Tracker
from udamlf.stages.stage import TRAININGS, WITH_WEIGHTS

SILENT_MIN = 30.0  # a living process gives a sign every minute, while the store does not answer every ten
KEEP = ("best", "last")
IDLE_S = 24 * 3600.0  # an interrupted stage is resumed, an environment made, within a day, or not at all
logger = logging.getLogger("udamlf")


def reap(tracker: Tracker, older_than_min: float | None = None) -> list[str]:
    """Mark runs of this package KILLED that are RUNNING although their process is gone, or FAILED although a signal
    ended them; their ids. Processes of this boot and PID namespace can be looked at; of another one of a machine of
    this name they are gone when silent for ``SILENT_MIN``, of other machines when silent for ``older_than_min`` (None:
    never). A run that `mlflow run` made of this project, and no process has taken over in a day, has lost both."""
    dead = []
    for run in tracker.search({}, status="RUNNING"):
        run_id, who = run.info.run_id, run.data.tags.get(PROCESS)  # other programs' runs have none
        ours = who or run.data.tags.get("mlflow.source.name") == PROJECT_ROOT.as_uri()
        if ours and is_gone(run, older_than_min if who else IDLE_S / 60):
            now = tracker.get(run_id)  # it may have ended in order since the search
            if now.info.status == "RUNNING" and now.data.tags.get(PROCESS) == who:
                tracker.client.set_tag(run_id, ERROR, f"process {who or 'of mlflow run'} is gone")
                tracker.client.set_terminated(run_id, "KILLED")
                dead.append(run_id)
    # `mlflow run` overwrites the status of a run that ended itself as KILLED (it compares a name with numbers).
    for run in tracker.search({ERROR: INTERRUPTED}, status="FAILED"):
        tracker.client.set_terminated(run.info.run_id, "KILLED", run.info.end_time)
        dead.append(run.info.run_id)
    return dead


def is_gone(run: Any, silent_min: float | None) -> bool:
    """Whether the process of a RUNNING run has ended: see ``reap``."""
    who = run.data.tags.get(PROCESS, "")
    alive = is_alive(who)
    if silent_min is None and who.startswith(f"{socket.gethostname()}/"):
        silent_min = SILENT_MIN
    last_sign_s = float(run.data.tags.get(HEARTBEAT) or run.info.start_time / 1000)
    silent = silent_min is not None and (time.time() - last_sign_s) / 60 > silent_min
    return alive is False or (alive is None and silent)


def sync(tracker: Tracker) -> list[str]:
    """Send what runs recorded while the store did not answer, and publish finished results; returns the run ids.
    UserError: the store still does not answer; or, once everything else is sent, what could not be: a damaged result, a
    run that was deleted."""
    sent, left = [], list[str]()
    for folder in sorted((*tracker.work.glob("steps/*/"), *tracker.work.glob("runs/*/"))):
        with file_lock(folder.with_suffix(".lock"), wait=False) as idle:
            if not idle:
                logger.info("%s is at work, left alone", folder.name)
                continue
            journal = Journal(folder)
            run_id = journal.waiting()
            try:
                journal.send(tracker)
                if (folder / DONE).is_file():
                    run_id = publish(tracker, folder)
                    tracker.client.set_terminated(run_id, "FINISHED")
                    discard(folder)
                sent += [run_id] if run_id else []
            except Unavailable:
                raise
            except (*UNAVAILABLE, UserError) as error:
                left.append(f"{folder}: {error}")
    if left:
        message = "\n".join([f"{len(sent)} runs sent, {len(left)} could not be:", *left])
        raise UserError(message, "runs that are there and whole results", "udamlf sync, without those folders")
    return sent


class Waste(NamedTuple):
    """Something that can be deleted: what it is, its bytes, and how."""

    what: str
    size: int
    delete: Callable[[], Any]


def waste(tracker: Tracker, keep: Set[str], cache_bytes: float) -> Iterator[Waste]:
    """Checkpoints of whole chains but the ones to ``keep`` (of ``KEEP``) and those that an unfinished chain, or a model
    in the registry, has; the least recently used caches beyond so many bytes; the work of stages that were interrupted
    more than a day ago."""
    for run in map(tracker.get, sorted(_superfluous(tracker, keep))):
        what = " ".join(run.data.tags.get(name, "") for name in ("scenario", "method", "stage", "round"))
        size, delete = checkpoint_waste(tracker, run)
        if size or PRUNED not in run.data.tags:  # both, where deleting it was cut off
            yield Waste(f"checkpoint of {what}, run {run.info.run_id}", size, delete)
    caches = [path for pattern in ("frames/*.npy", "artifacts/*/") for path in cache_folder().glob(pattern)]
    left = cache_bytes
    for path in sorted(caches, key=lambda path: max(path.stat().st_atime, path.stat().st_mtime), reverse=True):
        left -= (size := _size(path))
        if left < 0:
            yield Waste(f"cache {path}", size, path.unlink if path.is_file() else partial(shutil.rmtree, path))
    for folder in tracker.work.glob("steps/*/"):
        newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        with file_lock(folder.with_suffix(".lock"), wait=False) as idle:
            old = time.time() - newest > IDLE_S
            if idle and old and not (folder / DONE).is_file() and not Journal(folder).waiting():
                yield Waste(f"interrupted work {folder}", _size(folder), partial(shutil.rmtree, folder))


def _superfluous(tracker: Tracker, keep: Set[str]) -> set[str]:
    """Runs of chains whose checkpoint nothing needs."""
    listed, needed = set[str](), {version.run_id for version in tracker.client.search_model_versions()}
    for chain in tracker.search({"stage": CHAIN}, None):
        steps, whole = step_runs(chain.data.tags), chain.data.tags.get(COMPLETE)
        trainings = {number: run_id for (stage, number), run_id in steps.items() if stage in TRAININGS}
        with_weights = {run_id for (stage, _), run_id in steps.items() if stage in WITH_WEIGHTS}
        listed |= with_weights
        if not whole:
            needed |= with_weights
        if whole != "true" or not trainings:
            continue
        scores = {point.step: point.value for point in tracker.client.get_metric_history(chain.info.run_id, "miou")}
        chosen = {"last": max(trainings), "best": max(trainings, key=lambda number: scores.get(number, -1.0))}
        for number in {chosen[name] for name in keep}:
            scored = steps.get(("evaluate", number))  # of an ensemble, two trainings
            tags = tracker.get(scored).data.tags if scored else {}
            needed |= {trainings[number], tags.get("udamlf.input.other", "")}
    return listed - needed


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
