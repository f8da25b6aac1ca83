"""What grows with the number of runs in a store: a real chain, copied 10, 100 and 1,000 times by SQL.

    python benchmarks/store.py [--chains 10 100 1000] [--metrics 10000]

A tiny chain of ST is trained into a new SQLite store. Copies of it, parent and stages, have other names and seeds; the
training of each has ``--metrics`` metric points of ten names, as a long one logs. CPU seconds, on which other work on
the machine has little influence, the best of three: opening the store, which every stage does when it starts; looking a
step's key up (present and absent); the search behind the first page of ``udamlf ui`` (filter and order of its view);
the rows of a comparison; and, once, ``udamlf compare`` as a process of its own, imports included.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEEDS, NAMES = 5, 10  # copies of a method, the next five are of another one; names of the added metrics
COPIED = {
    "params": "key, value",
    "latest_metrics": "key, value, timestamp, step, is_nan",
    "metrics": "key, value, timestamp, step, is_nan",
}
# A run of another chain is named as that chain's copy is; parents differ in what a comparison groups by.
TAGS = f"""
INSERT INTO tags (run_uuid, key, value) SELECT c.new, t.key, CASE
    WHEN t.key = 'udamlf.key' THEN t.value || '-' || c.number
    WHEN t.key = 'method' THEN 'st' || (c.number / {SEEDS})
    WHEN t.key = 'seed' THEN c.number % {SEEDS}
    WHEN t.key = 'udamlf.config' THEN 'config of st' || (c.number / {SEEDS})
    ELSE coalesce((SELECT r.new FROM copies r WHERE r.old = t.value AND r.number = c.number), t.value) END
FROM copies c JOIN tags t ON t.run_uuid = c.old"""
# In the order of the table's key, which a large index needs to grow fast.
POINTS = f"""
WITH RECURSIVE points(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM points WHERE n + 1 < ?)
INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)
SELECT new, 'load/' || (n % {NAMES}), n, n, n / {NAMES}, 0 FROM points, copies WHERE old = ? ORDER BY 2, 4, 1"""
LATEST = """
INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
SELECT run_uuid, key, value, timestamp, max(step), 0 FROM metrics JOIN copies ON new = run_uuid
WHERE key LIKE 'load/%' GROUP BY run_uuid, key"""


def udamlf(*arguments: str) -> None:
    """Run a command of udamlf and wait for it."""
    command = [sys.executable, "-c", "from udamlf.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def copy_chains(database: sqlite3.Connection, numbers: range, metrics: int) -> None:
    """Copy the only recorded chain once for each number: every run of it with its tags, params and metrics."""
    runs = [row[0] for row in database.execute("SELECT run_uuid FROM runs WHERE length(run_uuid) = 32")]
    database.execute("CREATE TEMP TABLE copies (old TEXT, number INTEGER, new TEXT, PRIMARY KEY (old, number))")
    copies = [(run, number, f"{run[:22]}-{number:05d}") for run in runs for number in numbers]
    database.executemany("INSERT INTO copies VALUES (?, ?, ?)", copies)
    columns = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
    own = ", ".join(name for name in columns if name not in ("run_uuid", "start_time"))
    database.execute(
        f"INSERT INTO runs (run_uuid, start_time, {own}) SELECT new, start_time + number, {own} FROM copies "
        "JOIN runs ON run_uuid = old"
    )
    for table, names in COPIED.items():
        select = f"SELECT new, {names} FROM copies JOIN {table} ON run_uuid = old"
        database.execute(f"INSERT INTO {table} (run_uuid, {names}) {select}")
    database.execute(TAGS)
    training = "SELECT run_uuid FROM tags WHERE key = 'stage' AND value = 'self_train' AND length(run_uuid) = 32"
    database.execute(POINTS, (metrics, *database.execute(training).fetchone()))
    database.execute(LATEST)
    database.execute("DROP TABLE copies")
    database.commit()


def seconds(action: Callable[[], Any], who: int = resource.RUSAGE_SELF, times: int = 3) -> float:
    """CPU seconds of this process, or of those that it waited for; the best of some times."""

    def used() -> float:
        usage = resource.getrusage(who)
        return usage.ru_utime + usage.ru_stime

    def once() -> float:
        start = used()
        action()
        return used() - start

    return min(once() for _ in range(times))


def measure(key: str) -> dict[str, float]:
    """CPU seconds of each operation on the store as it is."""
    from udamlf.report import comparison
    from udamlf.runs.tracker import Tracker

    tracker = Tracker.connect()
    page: dict[str, Any] = {"filter_string": "tags.`stage` = 'chain' AND tags.`udamlf.complete` = 'true'"}
    page |= {"max_results": 100, "order_by": ["metrics.`miou` DESC"]}
    return {
        "open": seconds(Tracker.connect),
        "key present": seconds(lambda: tracker.finished(key)),
        "key absent": seconds(lambda: tracker.finished("0" * 64)),
        "first page": seconds(lambda: tracker.client.search_runs([tracker.experiment_id], **page)),
        "rows": seconds(lambda: comparison.rows(tracker.search(comparison.finished()))),
        "udamlf compare": seconds(lambda: udamlf("compare", "--format", "json"), resource.RUSAGE_CHILDREN, 1),
    }


def main() -> None:
    """Print a table with a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chains", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--metrics", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        world = f"{folder}/world"
        udamlf("data", "miniature", "--frames", "4", "--out", world)
        steps = ("--set", "profile.warmup.steps=2", "--set", "profile.round.steps=2")
        udamlf("run", "--scenario", "gta2city", "--method", "st", "--data-root", world, "--no-references", *steps)
        database, done = sqlite3.connect(f"{folder}/mlflow.db"), 0
        for setting in ("synchronous = OFF", "journal_mode = OFF", "cache_size = -1000000", "temp_store = MEMORY"):
            database.execute(f"PRAGMA {setting}")  # while it is filled
        (key,) = database.execute("SELECT value FROM tags WHERE key = 'udamlf.key' LIMIT 1").fetchone()
        for position, count in enumerate(sorted(args.chains)):
            copy_chains(database, range(done, count), args.metrics)
            done = count
            (runs,) = database.execute("SELECT count(*) FROM runs").fetchone()
            size = Path(folder, "mlflow.db").stat().st_size / 2**20
            measured = measure(key)
            if not position:
                print("| chains | runs | store | " + " | ".join(measured) + " |\n|" + "---|" * (3 + len(measured)))
            cells = [str(count), str(runs), f"{size:.0f} MiB", *(f"{value:.2f} s" for value in measured.values())]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
