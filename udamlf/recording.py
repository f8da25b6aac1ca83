"""What a process records of its run, so that the store tells the truth and never stops the work."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from udamlf.errors import UserError
from udamlf.journal import Entry, Journal
from udamlf.launch import StopFlag
from udamlf.tracking import DESCRIPTION, HEARTBEAT, INTERRUPTED, TRACKING, UNAVAILABLE, Tracker, send

FLUSH_EVERY_S, HEARTBEAT_EVERY_S, LONGEST_PAUSE_S = 10.0, 60.0, 600.0
PATIENCE_S = 300.0
# What SQLite and the operating system say of a disk; waiting does not help then.
_FULL_OR_FORBIDDEN = ("[Errno 28]", "[Errno 13]", "[Errno 30]", "disk is full", "readonly database")
logger = logging.getLogger("udamlf")


class Run:
    """What one process records of its run. Nothing here stops the work: entries go to the journal first, then in
    batches to MLflow; when MLflow does not answer, the run is tagged degraded and the entries are sent later.

    Args:
        work: folder of the journal.
        stop: the process's signals.
    """

    def __init__(self, tracker: Tracker, run_id: str, work: Path, stop: StopFlag | None = None) -> None:
        self.tracker, self.run_id, self.work = tracker, run_id, work
        self.stop = stop or StopFlag()
        self.journal = Journal(work, run_id)
        self._flushed = self._beaten = time.monotonic()
        self._pause_s = FLUSH_EVERY_S
        self.degraded = False
        self._last_error = ""

    def should_stop(self) -> bool:
        """Whether a signal asks this process to end; a loop that asks is trusted to save its state and leave."""
        return self.stop.asked()

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record metrics of a step (an integer that never falls within one run)."""
        values = {name: float(value) for name, value in metrics.items()}
        self._record({"metrics": values, "step": int(step), "time_ms": int(time.time() * 1000)})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        self._record({"tags": {name: str(value) for name, value in tags.items()}})

    def set_description(self, markdown: str) -> None:
        """The text that MLflow shows above a run."""
        self.set_tags({DESCRIPTION: markdown})

    def log_params(self, params: Mapping[str, str]) -> None:
        """Record params (``cfg.*``; MLproject's own parameters have the plain names)."""
        self._record({"params": {name: str(value)[:6000] for name, value in params.items()}})

    def log_dataset(self, name: str, digest: str, context: str, count: int) -> None:
        """Record a list of images that the run reads; ``context`` is its use: source, target, evaluation."""
        self._record({"dataset": {"name": name, "digest": digest[:32], "context": context, "count": count}})

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Upload one file beside the published ones."""
        self._attempt(lambda: self.tracker.client.log_artifact(self.run_id, str(path), folder))

    def log_text(self, text: str, name: str) -> None:
        """Upload a text file."""
        self._attempt(lambda: self.tracker.client.log_text(self.run_id, text, name))

    def _record(self, entry: Entry) -> None:
        self.journal.append(entry)
        if time.monotonic() - self._flushed >= self._pause_s:
            self.flush()

    def flush(self) -> bool:
        """Send what is unsent; whether MLflow has everything."""
        now = time.monotonic()
        entries = self.journal.unsent()
        if now - self._beaten > HEARTBEAT_EVERY_S:
            self._beaten = now
            entries = [*entries, {"tags": {HEARTBEAT: str(int(time.time()))}}]
        if entries and not self._attempt(lambda: send(self.tracker.client, self.run_id, entries)):
            self._flushed, self._pause_s = time.monotonic(), min(2 * self._pause_s, LONGEST_PAUSE_S)
            return False
        self.journal.mark_sent(len(self.journal.unsent()))
        self._flushed, self._pause_s = time.monotonic(), FLUSH_EVERY_S
        if self.degraded:
            self.degraded = not self._attempt(lambda: self.tracker.client.set_tag(self.run_id, TRACKING, "recovered"))
        return True

    def _attempt(self, call: Callable[[], Any]) -> bool:
        try:
            call()
        except UNAVAILABLE as error:
            if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
                raise  # a wrong name is a mistake of ours that no later try mends
            if not self.degraded:
                logger.warning("MLflow does not answer (%s); the run goes on and records in %s", error, self.work)
            self.degraded, self._last_error = True, str(error)
            return False
        return True

    def complete(self, action: Callable[[], None] = lambda: None) -> None:
        """Send everything, then do ``action`` (publish); keeps trying for some minutes.

        Raises:
            UserError: MLflow did not answer; the results stay in the work folder for `udamlf sync`.
        """
        self.journal.finish()
        patience = float(os.environ.get("UDAMLF_PATIENCE_S", PATIENCE_S))
        deadline, pause = time.monotonic() + patience, 1.0
        while True:
            if self.flush() and self._attempt(action):
                return
            if any(sign in self._last_error for sign in _FULL_OR_FORBIDDEN):
                message = f"cannot write to the tracking store: {self._last_error}"
                raise UserError(
                    message, "a writable store with free space", f"udamlf sync (results are in {self.work})"
                )
            if time.monotonic() + pause > deadline:
                message = f"the tracking store {self.tracker.uri} did not answer for {patience:.0f} s"
                raise UserError(f"{message}; the results are in {self.work}", "a store that answers", "udamlf sync")
            self.stop.check()
            time.sleep(pause)
            pause = min(2 * pause, 30.0)


@contextlib.contextmanager
def ending(tracker: Tracker, run_id: str) -> Iterator[None]:
    """Whatever happens inside, the run's status tells it: FINISHED, FAILED (any error) or KILLED (a signal)."""
    try:
        yield
        status, message = "FINISHED", None
    except KeyboardInterrupt:
        _close(tracker, run_id, "KILLED", INTERRUPTED)
        raise
    except BaseException as error:
        _close(tracker, run_id, "FAILED", str(error) or type(error).__name__)
        raise
    tracker.end(run_id, status, message)


def _close(tracker: Tracker, run_id: str, status: str, message: str) -> None:
    """Close a run on the way out of an error, which must not be replaced by a store that does not answer."""
    try:
        tracker.end(run_id, status, message)
    except UNAVAILABLE as error:
        print(f"the run {run_id} could not be marked {status}: {error}\nlater: udamlf runs reap", file=sys.stderr)
