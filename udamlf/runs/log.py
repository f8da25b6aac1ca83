"""What a process records of its run, so that the store tells the truth and never stops the work.

Entries go to a journal of JSON lines first, in the work folder of a stage, then in batches to MLflow. The journal
outlives the process: a training that resumes in a new one takes over the metrics of the steps that it does not repeat.
"""

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError, masked
from udamlf.common.files import write_text
from udamlf.runs.launch import StopFlag
from udamlf.runs.tracker import HEARTBEAT, INTERRUPTED, TRACKING, UNAVAILABLE, Entry, Tracker

FLUSH_EVERY_S, HEARTBEAT_EVERY_S, LONGEST_PAUSE_S = 10.0, 60.0, 600.0
PATIENCE_S = 300.0
# What SQLite and the operating system say of a disk; waiting does not help then.
_FULL_OR_FORBIDDEN = ("[Errno 28]", "[Errno 13]", "[Errno 30]", "disk is full", "readonly database")
_FILE, _EARLIER, _SENT = "journal.jsonl", "journal.earlier.jsonl", "journal.sent"
logger = logging.getLogger("udamlf")


def _read(path: Path) -> list[Entry]:
    """Entries of a journal; a last line that a kill cut off is left out."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    return [json.loads(line) for line in lines[:-1]]


def _lines(entries: list[Entry]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


class Journal:
    """Append-only entries of one run in a folder."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder, self.run_id = folder, run_id
        folder.mkdir(parents=True, exist_ok=True)
        earlier = [e for name in (_EARLIER, _FILE) for e in _read(folder / name) if "metrics" in e]
        for name, text in ((_EARLIER, _lines(earlier)), (_SENT, "0"), (_FILE, "")):
            write_text(folder / name, text)
        self._earlier: list[Entry] | None = earlier
        self._entries: list[Entry] = []
        self._sent = 0

    @staticmethod
    def pending(folder: Path) -> tuple[str, list[Entry]] | None:
        """(run id, unsent entries) of a journal whose process is gone; None when everything is sent."""
        mark = folder / _SENT
        rest = _read(folder / _FILE)[int(mark.read_text()) if mark.is_file() else 0 :]
        return (rest[0]["run"], rest) if rest else None

    @staticmethod
    def mark_all_sent(folder: Path) -> None:
        """Note that MLflow has every entry of ``folder``."""
        write_text(folder / _SENT, str(len(_read(folder / _FILE))))

    def append(self, entry: Entry) -> None:
        """Write an entry through to the disk; it survives the process."""
        if "metrics" in entry:
            self.take_over(entry["step"])
        self._write([entry])

    def take_over(self, before_step: int | None) -> None:
        """Once: metrics of smaller steps that an earlier process recorded (None: all) are this run's too."""
        if self._earlier is None:
            return
        earlier, self._earlier = self._earlier, None
        self._write([e for e in earlier if before_step is None or e["step"] < before_step])
        (self.folder / _EARLIER).unlink(missing_ok=True)

    def _write(self, entries: list[Entry]) -> None:
        entries = [{**entry, "run": self.run_id} for entry in entries]
        with open(self.folder / _FILE, "a", encoding="utf-8") as handle:
            handle.write(_lines(entries))
            handle.flush()
            os.fsync(handle.fileno())
        self._entries += entries

    def unsent(self) -> list[Entry]:
        """Entries that MLflow does not have yet, oldest first."""
        return self._entries[self._sent :]

    def mark_sent(self) -> None:
        """Note that all of them have arrived."""
        self._sent = len(self._entries)
        write_text(self.folder / _SENT, str(self._sent))


class RunLog:
    """What one process records of its run, with the journal in ``work``. Nothing here stops the work: when MLflow does
    not answer, the run is tagged degraded and the entries are sent later. ``model``: the LoggedModel that the metrics
    are of."""

    def __init__(
        self, tracker: Tracker, run_id: str, work: Path, stop: StopFlag | None = None, model: str | None = None
    ) -> None:
        self.tracker, self.run_id, self.work, self.stop = tracker, run_id, work, stop or StopFlag()
        self._of = {"model": model} if model else {}
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
        self._record({"metrics": values, "step": int(step), "time_ms": int(time.time() * 1000), **self._of})

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Record tags."""
        self._record({"tags": {name: str(value) for name, value in tags.items()}})

    def log_params(self, params: Mapping[str, str]) -> None:
        """Record params (``cfg.*``; MLproject's own parameters have the plain names), no empty ones."""
        said = {name: str(value) for name, value in params.items() if value not in ("", "None", "()", "[]", "{}")}
        self._record({"params": {name: value[:6000] for name, value in said.items()}})

    def log_dataset(self, name: str, digest: str, context: str, count: int, source: str) -> None:
        """Record a split that the run reads; ``context`` is its use: source, target, prior, evaluation."""
        entry = {"name": name, "digest": digest[:32], "context": context, "count": count, "source": source}
        self._record({"dataset": entry})

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Upload one file beside the published ones."""
        self._attempt(lambda: self.tracker.client.log_artifact(self.run_id, str(path), folder))

    def log_text(self, text: str, name: str) -> None:
        """Upload a text file."""
        self._attempt(lambda: self.tracker.client.log_text(self.run_id, text, name))

    def log_folder(self, folder: Path) -> None:
        """Upload the files of a folder beside the published ones."""
        self._attempt(lambda: self.tracker.client.log_artifacts(self.run_id, str(folder)))

    def _record(self, entry: Entry) -> None:
        self.journal.append(entry)
        if time.monotonic() - self._flushed >= self._pause_s:
            self.flush()

    def flush(self) -> bool:
        """Send what is unsent; whether MLflow has everything."""
        entries = self.journal.unsent()
        if time.monotonic() - self._beaten > HEARTBEAT_EVERY_S:
            self._beaten = time.monotonic()
            entries = [*entries, {"tags": {HEARTBEAT: str(int(time.time()))}}]
        well = not entries or self._attempt(lambda: self.tracker.send(self.run_id, entries))
        self._pause_s = FLUSH_EVERY_S if well else min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._flushed = time.monotonic()
        if well:
            self.journal.mark_sent()
            if self.degraded:
                recovered = (self.run_id, TRACKING, "recovered")
                self.degraded = not self._attempt(lambda: self.tracker.client.set_tag(*recovered))
        return well

    def _attempt(self, call: Callable[[], Any]) -> bool:
        try:
            call()
        except UNAVAILABLE as error:
            if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
                raise  # a wrong name is a mistake of ours that no later try mends
            if not self.degraded:
                reason = masked(str(error))
                logger.warning("MLflow does not answer (%s); the run continues and records in %s", reason, self.work)
            self.degraded, self._last_error = True, str(error)
            return False
        return True

    def complete(self, action: Callable[[], None] = lambda: None) -> None:
        """Send everything, then do ``action`` (publish); keeps trying for some minutes. UserError: MLflow did not
        answer; the results stay in the work folder for `udamlf sync`."""
        self.journal.take_over(None)
        patience = float(os.environ.get("UDAMLF_PATIENCE_S", PATIENCE_S))
        deadline, pause = time.monotonic() + patience, 1.0
        while not (self.flush() and self._attempt(action)):
            where = f"the results are in {self.work}"
            if any(sign in self._last_error for sign in _FULL_OR_FORBIDDEN):
                message = f"cannot write to the tracking store: {self._last_error}; {where}"
                raise UserError(message, "a writable store with free space", "udamlf sync")
            if time.monotonic() + pause > deadline:
                message = f"the tracking store {self.tracker.uri} did not answer for {patience:.0f} s; {where}"
                raise UserError(message, "a store that answers", "udamlf sync")
            self.stop.check()
            time.sleep(pause)
            pause = min(2 * pause, 30.0)


@contextlib.contextmanager
def ending(tracker: Tracker, run_id: str) -> Iterator[None]:
    """Whatever happens inside, the run's status tells it: FINISHED, FAILED (any error) or KILLED (a signal)."""
    try:
        yield
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt)
        status, message = ("KILLED", INTERRUPTED) if killed else ("FAILED", str(error) or type(error).__name__)
        try:
            tracker.end(run_id, status, message)
        except UNAVAILABLE as unavailable:  # which must not replace the error
            lines = f"the run {run_id} could not be marked {status}: {unavailable}\nlater: udamlf runs reap"
            print(masked(lines), file=sys.stderr)
        raise
    tracker.end(run_id, "FINISHED")
