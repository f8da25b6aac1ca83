"""A store that an earlier version wrote, kept as it was (``tests/golden/stores/VERSION``): the newest code compares its
chain, scores its checkpoints and trains on from them.

One is added when a version is released, by `python -m tests.test_golden_store FOLDER tests/golden/stores/VERSION` in
the checkout of that version, where FOLDER is one in which a short chain ran (its command: ``udamlf.command`` in
``store.sql``). What is of no use here is left out (pictures, logs, weights but the warm-up's); names of machines and
folders are replaced."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import udamlf
from udamlf.runs.checkpoints import recorded_config
from udamlf.runs.launch import PROJECT_ROOT
from udamlf.runs.results import finished_rows
from udamlf.runs.runner import run_stage
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import relocate
from udamlf.runs.tracker import Tracker

STORES = sorted((PROJECT_ROOT / "tests" / "golden" / "stores").glob("*"))
LEFT_OUT = ("*.png", "*.jpeg", "log.txt", "environment.json", "requirements.txt", "models")
MOST_BYTES = 950_000


def keep(folder: Path, out: Path) -> None:
    """Make a golden store of ``folder``, in which a short chain ran."""
    shutil.copytree(folder / "mlruns", out / "mlruns", ignore=shutil.ignore_patterns(*LEFT_OUT))
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        for (run_id,) in connection.execute("SELECT run_uuid FROM tags WHERE key = 'stage' AND value = 'self_train'"):
            shutil.rmtree(next(out.glob(f"mlruns/*/{run_id}/artifacts/checkpoint")))
        (out / "store.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
    for path in (out / "store.sql", *out.rglob("config.yaml")):
        text = path.read_text(encoding="utf-8").replace(str(folder), "/store").replace(str(folder.parent), "/data")
        path.write_text(text.replace(socket.gethostname(), "host"), encoding="utf-8")


@pytest.fixture(params=STORES, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    """A golden store as it stands on a disk."""
    shutil.copytree(request.param / "mlruns", tmp_path / "mlruns")
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        connection.executescript((request.param / "store.sql").read_text(encoding="utf-8"))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.setenv("UDAMLF_CACHE", str(tmp_path / "cache"))
    assert len(relocate(uri)) == 1
    yield Tracker.existing()


def run_of(tracker: Tracker, stage: str, number: int) -> str:
    """The newest finished run of a stage and round."""
    return str(tracker.search({"stage": stage, "round": str(number)})[0].info.run_id)


def test_a_golden_store_is_small_and_names_no_machine() -> None:
    assert STORES
    for store in STORES:
        assert sum(path.stat().st_size for path in store.rglob("*") if path.is_file()) < MOST_BYTES
        assert not re.search(r"/(tmp|home|root|work)/", (store / "store.sql").read_text(encoding="utf-8"))


def test_it_is_compared_scored_and_trained_on(golden: Tracker, tiny_world: Path) -> None:
    """The table has the score of then, and the checkpoint scores the same now, on the same frames (of another machine:
    within a point); its warm-up labels the target and starts a round, whose checkpoint can be scored in its turn."""
    (row,) = finished_rows(golden, None)
    (chain,) = golden.search({"stage": "chain"})
    assert row.method == "st" and list(row.run_ids) == [chain.info.run_id]
    assert set(udamlf.compare()["method"]) == {"st"}
    warmup, scored = run_of(golden, "warmup", 0), run_of(golden, "evaluate", 0)
    score = udamlf.evaluate(warmup, folder=str(tiny_world))
    assert score["miou"]["16"] == pytest.approx(golden.get(scored).data.metrics["miou/16"], abs=1.0)
    config = recorded_config(golden, warmup).model_copy(update={"data_root": str(tiny_world)})
    run_stage("pseudo_label", lambda: config, "st-s0", 1, {"generator": warmup}, StopFlag())
    labels = run_of(golden, "pseudo_label", 1)
    assert labels != chain.data.tags["udamlf.run.pseudo_label.1"]
    run_stage("self_train", lambda: config, "st-s0", 1, {"start": warmup, "labels": labels}, StopFlag())
    again = run_of(golden, "self_train", 1)
    assert again != chain.data.tags["udamlf.run.self_train.1"]
    assert udamlf.evaluate(again, folder=str(tiny_world))["images"] == score["images"]


if __name__ == "__main__":
    keep(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
