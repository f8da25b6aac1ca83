"""What a run wants recorded, on disk before MLflow hears of it, so that tracking never stops a training.

The journal is a file of JSON lines in the work folder of a stage, which outlives the process: a training that goes on
in a new process takes over the metrics of the steps that it does not repeat.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from udamlf.files import write_text

Entry = dict[str, Any]


def _read(path: Path) -> list[Entry]:
    """Entries of a journal; a last line that a kill cut off is left out."""
    lines = path.read_text(encoding="utf-8").split("\n") if path.is_file() else []
    return [json.loads(line) for line in lines[:-1]]


class Journal:
    """Append-only entries of one run.

    An entry has a ``run`` (its run id) and either ``metrics`` + ``step`` + ``time_ms``, or ``tags``, or ``dataset``.

    Attributes:
        entries: what this process has to send, oldest first.
        sent: how many of them MLflow has.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self.path, self.run_id = folder / "journal.jsonl", run_id
        self._mark, self._earlier_path = folder / "journal.sent", folder / "journal.earlier.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        earlier = [e for p in (self._earlier_path, self.path) for e in _read(p) if "metrics" in e]
        write_text(self._earlier_path, _lines(earlier))
        write_text(self._mark, "0")
        write_text(self.path, "")
        self._earlier: list[Entry] | None = earlier
        self.entries: list[Entry] = []
        self.sent = 0

    @classmethod
    def pending(cls, folder: Path) -> tuple[str, list[Entry]] | None:
        """(run id, unsent entries) of a journal whose process is gone; None when everything is sent."""
        entries = _read(folder / "journal.jsonl")
        mark = folder / "journal.sent"
        rest = entries[int(mark.read_text()) if mark.is_file() else 0 :]
        return (rest[0]["run"], rest) if rest else None

    @staticmethod
    def mark_all_sent(folder: Path) -> None:
        """Note that MLflow has every entry of ``folder``."""
        write_text(folder / "journal.sent", str(len(_read(folder / "journal.jsonl"))))

    def append(self, entry: Entry) -> None:
        """Write an entry through to the disk's cache; it survives the process, not the machine."""
        if "metrics" in entry:
            self._take_over(entry["step"])
        self._write([entry])

    def finish(self) -> None:
        """No more metrics will come: what an earlier process recorded is all there is."""
        self._take_over(None)

    def _take_over(self, first_step: int | None) -> None:
        """At the first new metric: the earlier ones of smaller steps are this run's too, the others come again."""
        if self._earlier is None:
            return
        kept, self._earlier = [e for e in self._earlier if first_step is None or e["step"] < first_step], None
        self._write(kept)
        self._earlier_path.unlink(missing_ok=True)

    def _write(self, entries: list[Entry]) -> None:
        entries = [{**entry, "run": self.run_id} for entry in entries]
        with open(self.path, "a", encoding="utf-8") as handle:
            handle.write(_lines(entries))
            handle.flush()
            os.fsync(handle.fileno())
        self.entries += entries

    def unsent(self) -> list[Entry]:
        """Entries that MLflow does not have yet."""
        return self.entries[self.sent :]

    def mark_sent(self, count: int) -> None:
        """Note that the next ``count`` entries have arrived."""
        self.sent += count
        write_text(self._mark, str(self.sent))


def _lines(entries: list[Entry]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)
