"""Putting a store right after what no process can do for itself: a SIGKILL, a server that was away."""

import fcntl
import json
import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError
from udamlf.runs.launch import is_alive
from udamlf.runs.log import Journal
from udamlf.runs.runner import DONE, OUT, publish
from udamlf.runs.tracker import ERROR, HEARTBEAT, INTERRUPTED, PROCESS, UNAVAILABLE, Tracker

logger = logging.getLogger("udamlf")


def reap(tracker: Tracker, older_than_min: float | None = None) -> list[str]:
    """Mark runs KILLED that are RUNNING although their process on this host is gone (with ``older_than_min`` also those
    of other hosts that gave no sign for so long), or FAILED although a signal ended them; returns their ids."""
    dead = []
    for run in tracker.search({}, status="RUNNING"):
        if is_gone(run, older_than_min):
            run_id = run.info.run_id
            tracker.client.set_tag(run_id, ERROR, f"process {run.data.tags.get(PROCESS, 'unknown')} is gone")
            tracker.client.set_terminated(run_id, "KILLED")
            dead.append(run_id)
    # `mlflow run` overwrites the status of a run that ended itself as KILLED (it compares a name with numbers).
    for run in tracker.search({ERROR: INTERRUPTED}, status="FAILED"):
        tracker.client.set_terminated(run.info.run_id, "KILLED", run.info.end_time)
        dead.append(run.info.run_id)
    return dead


def is_gone(run: Any, silent_min: float | None) -> bool:
    """Whether the process of a RUNNING run has ended; one of another host (None: never) when it gave no sign for longer
    than ``silent_min``."""
    who = run.data.tags.get(PROCESS)
    alive = is_alive(who) if who else None
    last_sign_s = float(run.data.tags.get(HEARTBEAT) or run.info.start_time / 1000)
    silent = silent_min is not None and (time.time() - last_sign_s) / 60 > silent_min
    return alive is False or (alive is None and silent)


def sync(tracker: Tracker) -> list[str]:
    """Send what runs recorded while the store did not answer, and publish finished results; returns the run ids.
    UserError: the store still does not answer."""
    sent = []
    for folder in sorted((*tracker.work.glob("steps/*/"), *tracker.work.glob("runs/*/"))):
        with _idle(folder) as idle:
            if not idle:
                logger.info("%s is at work, left alone", folder.name)
                continue
            try:
                run_id = _send_folder(tracker, folder)
            except UNAVAILABLE as error:
                message = f"the tracking store {tracker.uri} does not answer: {error}"
                raise UserError(message, "a store that does") from error
        if run_id:
            sent.append(run_id)
    return sent


def _send_folder(tracker: Tracker, folder: Path) -> str | None:
    pending = Journal.pending(folder)
    run_id = pending[0] if pending else None
    if pending:
        tracker.send(*pending)
        Journal.mark_all_sent(folder)
    if (folder / DONE).is_file():
        done = json.loads((folder / DONE).read_text(encoding="utf-8"))
        run_id = str(done["run_id"])
        if "use" not in done:  # of version 0.1, whose result has another form
            raise UserError(f"{folder} was recorded by an earlier version", "its chain, run again", f"rm -r {folder}")
        publish(tracker, folder / OUT, **done)
        tracker.client.set_terminated(run_id, "FINISHED")
        shutil.rmtree(folder)
    return run_id


@contextmanager
def _idle(folder: Path) -> Iterator[bool]:
    """Hold the lock of a work folder, if no process has it."""
    with open(folder.with_suffix(".lock"), "a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
