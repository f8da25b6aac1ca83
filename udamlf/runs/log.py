"""What a process records of its run, so that the store tells the truth and never stops the work. All of it goes to the
work folder first, numbers and tags as lines of a journal, files as copies, and from there to MLflow, in a thread. A
training that resumes in a new process takes over the metrics of the steps that it does not repeat."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ValidationError

from udamlf.common.errors import UserError, masked
from udamlf.common.files import explained, write_text
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import at_once
from udamlf.runs.tags import HEARTBEAT, INTERRUPTED, TRACKING
from udamlf.runs.tracker import UNAVAILABLE, Entry, Tracker

FLUSH_EVERY_S, HEARTBEAT_EVERY_S, LONGEST_PAUSE_S = 10.0, 60.0, 600.0
logger = logging.getLogger("udamlf")


class Journal:
    """What the runs that work in a folder, one after the other, have to tell MLflow, and how much of it MLflow has. A
    damaged line is dropped with a warning; all others are then sent again, which MLflow does not record twice."""

    def __init__(self, folder: Path) -> None:
        self.file, self._mark, self.uploads = (folder / n for n in ("journal.jsonl", "journal.sent", "uploads"))
        self._writing, self._sending = threading.Lock(), threading.Lock()
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        text = self.file.read_text(encoding="utf-8", errors="replace") if self.file.is_file() else ""
        mark = self._mark.read_text(errors="replace") if self._mark.is_file() else "0"
        self.entries = [entry for line in text.splitlines() if (entry := _entry(line))]
        self.sent = int(mark) if mark.isdecimal() else 0
        if text != (whole := "".join(map(_line, self.entries))):
            logger.warning("%s has lines that are not whole, which are left out", self.file)
            write_text(self.file, whole)
            self.sent = 0

    def append(self, *entries: Entry) -> None:
        """Write entries through to the disk; they survive the process."""
        with self._writing, explained(self.file):
            with open(self.file, "a", encoding="utf-8") as handle:
                handle.write("".join(map(_line, entries)))
                handle.flush()
                os.fsync(handle.fileno())
            self.entries += entries

    def keep(self, run_id: str, source: Path, folder: str) -> None:
        """Copy a file, or what is in a folder, that is to become artifacts of a run."""
        place = self.uploads / run_id / folder
        with self._writing, explained(place):
            place.mkdir(parents=True, exist_ok=True)
            for path in source.iterdir() if source.is_dir() else [source]:
                shutil.copy(path, place)

    def forget(self) -> None:
        """Take all that is there as sent."""
        self.sent = len(self.entries)
        shutil.rmtree(self.uploads, ignore_errors=True)
        write_text(self._mark, str(self.sent))

    def waiting(self) -> str | None:
        """The run that has something to send."""
        runs = [str(entry["run"]) for entry in self.entries[self.sent :]]
        runs += [path.relative_to(self.uploads).parts[0] for path in self._files()]
        return runs[-1] if runs else None

    def send(self, tracker: Tracker, further: Sequence[Entry] = ()) -> None:
        """Send what MLflow does not have, and ``further`` entries."""
        with self._sending:
            with self._writing:
                entries = self.entries[self.sent :]
            for run_id, group in groupby([*entries, *further], key=lambda entry: str(entry["run"])):
                tracker.send(run_id, list(group))
            if entries:
                self.sent += len(entries)
                write_text(self._mark, str(self.sent))
            for path in self._files():
                run_id, *folders = path.relative_to(self.uploads).parent.parts
                written = path.stat().st_mtime_ns
                tracker.client.log_artifact(run_id, str(path), "/".join(folders) or None)
                with self._writing:
                    if path.stat().st_mtime_ns == written:  # not replaced meanwhile
                        path.unlink()

    def _files(self) -> list[Path]:
        return [path for path in self.uploads.rglob("*") if path.is_file()]


class _Data(BaseModel, strict=True, extra="forbid"):
    name: str
    digest: str
    context: str
    count: int
    source: str


class _Line(BaseModel, strict=True, extra="forbid"):
    """The form of an entry; a field that is absent is not None."""

    run: str
    model: str = ""
    metrics: dict[str, float] = {}
    step: int = 0
    time_ms: int = 0
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    dataset: _Data = None  # type: ignore[assignment]


def _line(entry: Entry) -> str:
    return json.dumps(entry) + "\n"


def _entry(line: str) -> Entry | None:
    """A line's entry; None where it is none."""
    try:
        _Line.model_validate_json(line)
    except ValidationError:
        return None
    entry: Entry = json.loads(line)  # in the order in which it was written
    return entry if "metrics" not in entry or {"step", "time_ms"} <= entry.keys() else None


class RunLog:
    """What one process records of its run, with the journal in ``work``. Nothing here stops the work: when MLflow does
    not answer, the run is tagged as degraded and the entries are sent later. Inside of ``with`` a thread sends, and
    gives a sign of life every minute. ``model``: the LoggedModel that the metrics are of."""

    def __init__(
        self, tracker: Tracker, run_id: str, work: Path, stop: StopFlag | None = None, model: str | None = None
    ) -> None:
        self.tracker, self.run_id, self.work, self.stop = tracker, run_id, work, stop or StopFlag()
        self._of = {"model": model} if model else {}
        self.journal = Journal(work)
        metrics = (entry for entry in self.journal.entries if "metrics" in entry)
        # Of a step that several processes have measured the last one's.
        self._earlier = {(entry["step"], *entry["metrics"]): {**entry, "run": run_id} for entry in metrics}
        self.journal.forget()
        self.alive = {run_id}  # runs for which a sign of life is given
        self._beaten, self._degraded, self._over = time.monotonic(), False, threading.Event()

    def __enter__(self) -> RunLog:
        threading.Thread(target=self._keep_sending, daemon=True, name="sending").start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._over.set()
        if error is not None and not self._degraded:
            self.flush()  # what was measured up to here

    def _keep_sending(self) -> None:
        pause_s = FLUSH_EVERY_S
        while not self._over.wait(pause_s):
            with contextlib.suppress(*UNAVAILABLE, UserError):  # what no later try mends, the end will tell
                pause_s = FLUSH_EVERY_S if self.flush() else min(2 * pause_s, LONGEST_PAUSE_S)

    def should_stop(self) -> bool:
        """Whether a signal asks this process to end; a loop that asks is trusted to save its state and leave."""
        return self.stop.asked()

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Record metrics of a step (an integer that never falls within one run)."""
        self._take_over(step)
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

    def log_file(self, path: Path, folder: str = "") -> None:
        """Upload a file, or the files in a folder, beside the published ones, into a folder of the run."""
        self.journal.keep(self.run_id, path, folder)

    def _record(self, entry: Entry) -> None:
        self.journal.append({**entry, "run": self.run_id})

    def _take_over(self, before_step: int | None) -> None:
        """Once: metrics of smaller steps that an earlier process recorded (None: all) are this run's too."""
        earlier = [e for e in self._earlier.values() if before_step is None or e["step"] < before_step]
        self._earlier = {}
        if earlier:
            self.journal.append(*sorted(earlier, key=lambda entry: int(entry["step"])))

    def _send(self) -> None:
        further = [{"tags": {TRACKING: "recovered"}, "run": self.run_id}] if self._degraded else []
        if time.monotonic() - self._beaten > HEARTBEAT_EVERY_S:
            self._beaten = time.monotonic()
            further += [{"tags": {HEARTBEAT: str(int(time.time()))}, "run": run_id} for run_id in self.alive]
        self.journal.send(self.tracker, further)
        self._degraded = False

    def flush(self) -> bool:
        """Send what is unsent; whether MLflow has everything."""
        try:
            with at_once():
                self._send()
        except UNAVAILABLE as error:
            if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE":
                raise  # a wrong name is a mistake of ours that no later try mends
            if not self._degraded:
                reason = masked(str(error))
                logger.warning("MLflow does not answer (%s); the run continues and records in %s", reason, self.work)
            self._degraded = True
            return False
        return True

    def complete(self, action: Callable[[], object] = lambda: None) -> None:
        """Send everything, then do ``action`` (publish); waits for some minutes. UserError: MLflow did not answer."""
        self._take_over(None)
        try:
            self._send()
            action()
        except (UserError, OSError) as error:
            message = f"{getattr(error, 'message', error)}; the results are in {self.work}"
            raise UserError(message, "a store that answers and can be written", "udamlf sync") from error


@contextlib.contextmanager
def ending(tracker: Tracker, run_id: str) -> Iterator[None]:
    """Whatever happens inside, the run's status tells it: FINISHED, FAILED (any error) or KILLED (a signal)."""
    try:
        yield
    except BaseException as error:
        killed = isinstance(error, KeyboardInterrupt)
        status, message = ("KILLED", INTERRUPTED) if killed else ("FAILED", str(error) or type(error).__name__)
        try:
            with at_once():
                if tracker.end(run_id, status, message):
                    error.add_note(f"recorded in run {run_id}")
        except UNAVAILABLE as unavailable:  # which must not replace the error
            lines = f"the run {run_id} could not be marked {status}: {unavailable}\nlater: udamlf runs reap"
            print(masked(lines), file=sys.stderr)
        raise
    tracker.end(run_id, "FINISHED")
