"""What grows with the number of runs in a store: a real chain, copied 10, 100 and 1,000 times by SQL.

    python benchmarks/store.py [--chains 10 100 1000] [--metrics 10000]

A tiny chain of ST is trained into a new SQLite store. Copies of it, parent and stages, have other names and seeds; each
parent has ``--metrics`` metric points, as many as long trainings log. For each size, seconds of wall time, best of
three: opening the store, looking a step's key up (present and absent), the search behind the first page of ``udamlf
ui`` (filter and order of its view), making the rows of a comparison, and `udamlf compare` as a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEEDS = 5  # copies of a method; the next five are of another one
COLUMNS = {
    "params": "key, value",
    "latest_metrics": "key, value, timestamp, step, is_nan",
    "metrics": "key, value, timestamp, step, is_nan",
    "tags": "key, value",
}


def udamlf(*arguments: str) -> None:
    """Run a command of udamlf and wait for it."""
    command = [sys.executable, "-c", "from udamlf.cli import main; main()", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def copy_chain(database: sqlite3.Connection, number: int, metrics: int) -> None:
    """Copy number ``number`` of the only recorded chain: every run of it with its tags, params and metrics."""
    method, seed = f"st{number // SEEDS}", str(number % SEEDS)
    runs = [row[0] for row in database.execute("SELECT run_uuid FROM runs WHERE length(run_uuid) = 32")]
    new = {run: f"{run[:22]}-{number:05d}" for run in runs}
    own = [
        name for _, name, *_ in database.execute("PRAGMA table_info(runs)") if name not in ("run_uuid", "start_time")
    ]
    for run in runs:
        columns = ", ".join(own)
        select = f"SELECT ?, start_time + ?, {columns} FROM runs WHERE run_uuid = ?"
        database.execute(f"INSERT INTO runs (run_uuid, start_time, {columns}) {select}", (new[run], number, run))
        for table, names in COLUMNS.items():
            select = f"SELECT ?, {names} FROM {table} WHERE run_uuid = ?"
            database.execute(f"INSERT INTO {table} (run_uuid, {names}) {select}", (new[run], run))
    changed = {"method": method, "seed": seed, "udamlf.config": f"config of {method}"}
    for (run,) in database.execute("SELECT run_uuid FROM tags WHERE key = 'stage' AND value = 'chain'").fetchall():
        if run in new.values():
            for key, value in changed.items():
                database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", (value, run, key))
            points = ((run, f"load/{point % 100}", point, point, point // 100, False) for point in range(metrics))
            names = "run_uuid, key, value, timestamp, step, is_nan"
            database.executemany(f"INSERT INTO metrics ({names}) VALUES (?, ?, ?, ?, ?, ?)", points)
    for old, copied in new.items():  # lineage, and keys that are looked up
        database.execute(
            "UPDATE tags SET value = ? WHERE value = ? AND run_uuid LIKE ?", (copied, old, f"%-{number:05d}")
        )
    database.execute(
        "UPDATE tags SET value = value || ? WHERE key = 'udamlf.key' AND run_uuid LIKE ?",
        (f"-{number}", f"%-{number:05d}"),
    )


def seconds(action: Callable[[], Any]) -> float:
    """Best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(key: str) -> dict[str, float]:
    """Seconds of each operation on the store as it is."""
    from udamlf.report import comparison
    from udamlf.runs.tracker import Tracker

    tracker = Tracker.connect()
    page = dict(filter_string="tags.`stage` = 'chain' AND tags.`udamlf.complete` = 'true'", max_results=100)
    experiments = [tracker.experiment_id]
    return {
        "open": seconds(Tracker.connect),
        "key present": seconds(lambda: tracker.finished(key)),
        "key absent": seconds(lambda: tracker.finished("0" * 64)),
        "first page": seconds(
            lambda: tracker.client.search_runs(experiments, order_by=["metrics.`miou` DESC"], **page)
        ),
        "rows": seconds(lambda: comparison.rows(tracker.search(comparison.finished()))),
        "compare": seconds(lambda: udamlf("compare", "--format", "json")),
    }


def main() -> None:
    """Print a line for each size."""
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
        (key,) = database.execute("SELECT value FROM tags WHERE key = 'udamlf.key' LIMIT 1").fetchone()
        for count in sorted(args.chains):
            for number in range(done, count):
                copy_chain(database, number, args.metrics)
            database.commit()
            done = count
            (runs,) = database.execute("SELECT count(*) FROM runs").fetchone()
            size = Path(folder, "mlflow.db").stat().st_size / 2**20
            line = "  ".join(f"{name} {value:.3f} s" for name, value in measure(key).items())
            print(f"{count:5d} chains, {runs} runs, {size:.0f} MiB: {line}", flush=True)


if __name__ == "__main__":
    main()
