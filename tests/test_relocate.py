"""A store that was moved or copied with its artifacts: noticed, and put right by ``udamlf runs relocate``."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from mlflow import MlflowClient

from udamlf.common.errors import UserError
from udamlf.runs.store import relocate
from udamlf.runs.tags import KEY
from udamlf.runs.tracker import Tracker

BAD_FILES = {"no database": b"longer than the header of one " * 9, "empty": b"", "written to by another process": None}


def test_a_store_that_was_moved_with_its_artifacts_goes_on(
    store: Path, tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths and addresses, with spaces: a stage is found by its key again, and one whose files stayed as before."""
    (store / "out" / "out").mkdir(parents=True)
    (store / "out" / "out" / "a.txt").write_text("a")
    places = {"plain": str(store / "mlruns" / "plain"), "an address": (store / "mlruns" / "an address").as_uri()}
    experiments = [tracker.client.create_experiment(name, place) for name, place in places.items()]
    for number in (*experiments, tracker.experiment_id):
        each = Tracker(tracker.uri, tracker.client, number)
        run_id = each.create_run("a run", {KEY: f"key-{number}"})
        each.publish(run_id, store / "out" / "out")
        each.end(run_id, "FINISHED")
    new = tmp_path / "another place"
    new.mkdir()
    shutil.move(store / "mlflow.db", new)
    shutil.move(store / "mlruns", new)
    uri = f"sqlite:///{new}/mlflow.db"
    moved = Tracker(uri, MlflowClient(uri), tracker.experiment_id)
    assert moved.finished(f"key-{experiments[0]}") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "plain")
    with pytest.raises(UserError, match=r"was moved or copied[\s\S]*udamlf runs relocate"):
        Tracker.connect()
    assert len(relocate(uri)) == 2 and relocate(uri) == []
    assert Tracker.connect().experiment_id == experiments[0]
    for number in experiments:
        found = moved.finished(f"key-{number}")
        assert found is not None and (found.path / "a.txt").read_text() == "a" and found.path.is_relative_to(new)
    assert moved.finished(f"key-{tracker.experiment_id}") is not None
    with pytest.raises(UserError, match="mlruns"):
        relocate(f"sqlite:///{tmp_path}/mlflow.db")


def test_artifacts_on_another_disk_are_no_moved_store(
    store: Path, tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = tracker.client.create_experiment("streets", (store / "mlruns" / "streets").as_uri())
    (tmp_path / "streets").mkdir()
    (store / "mlruns").symlink_to(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracker.uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "streets")
    assert Tracker.connect().experiment_id == experiment


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_be_relocated_is_told_and_left_alone(kind: str, tmp_path: Path) -> None:
    file, content = tmp_path / "mlflow.db", BAD_FILES[kind]
    (tmp_path / "mlruns").mkdir()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        if content is None:
            other.execute("BEGIN EXCLUSIVE")
        else:
            file.write_bytes(content)
        with pytest.raises(UserError, match="cannot change sqlite"):
            relocate(f"sqlite:///{file}")
    assert file.read_bytes() == (content or b"")
