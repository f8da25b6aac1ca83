"""Shared by all tests: a tiny world in the real formats, and tracking stores that are cheap to make."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Two test processes share the cores, and tiny tensors are slower on two threads than on one. Read when torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from udamlf.data.miniature import Frames, generate

if TYPE_CHECKING:
    from udamlf.tracking import Tracker

_OURS = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "UDAMLF_WORK",
         "UDAMLF_LIFELINE")  # fmt: skip


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with four frames in every split of every data set of the miniature."""
    root = tmp_path_factory.mktemp("data") / "world"
    generate(root, seed=7, frames=Frames.tiny(4), workers=1)
    return root


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised SQLite store without a run; making one takes seconds, copying it does not."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a tracking store of its own."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tracker(store: Path) -> Tracker:
    """The store of this test."""
    from udamlf.tracking import Tracker

    return Tracker.connect()


@pytest.fixture
def status(tracker: Tracker) -> Callable[[str], str]:
    """Status of a run."""
    return lambda run_id: str(tracker.get(run_id).info.status)
