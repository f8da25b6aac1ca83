"""Shared by all tests: a tiny world in the real formats, and tracking stores that are cheap to make."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

# Two test processes share the cores, and tiny tensors are slower on two threads than on one. Read when torch is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hundreds of processes import the package: a second each where none may keep what it has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from udamlf.miniature import Frames, generate

if TYPE_CHECKING:
    from tests.fake_stages import FakeStages
    from udamlf.runs.plan import Request
    from udamlf.runs.tracker import Tracker

sys.dont_write_bytecode = False
# The suite's answer is a function of the tree: a property is tried on the same examples each time, however slow the
# machine. Others: python -m pytest --hypothesis-profile=others
settings.register_profile("others", deadline=None)
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")
_OURS = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "UDAMLF_WORK",
         "UDAMLF_LAUNCHER")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole chains first: a file of minutes that comes last would have one of two test processes wait for it."""
    items.sort(key=lambda item: "end_to_end" not in item.path.parts)


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with four frames in every split of every data set of the miniature."""
    root = tmp_path_factory.mktemp("data") / "world"
    generate(root, seed=7, frames=Frames.tiny(4), workers=1)
    return root


@pytest.fixture(scope="session")
def empty_store() -> Iterator[Path]:
    """An initialised SQLite store without a run; making one takes seconds, copying it does not."""
    from mlflow import MlflowClient

    with folder_in_memory() as folder:
        with chdir(folder):  # where the default experiment keeps its artifacts
            MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
        yield folder / "mlflow.db"


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder for a store: SQLite waits for the disk at every tag and metric, and tests have no use for that."""
    memory = Path("/dev/shm")
    where = memory if memory.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="udamlf-test-", dir=where, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def store(empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, with a tracking store of its own."""
    for name in _OURS:
        monkeypatch.delenv(name, raising=False)
    with folder_in_memory() as folder:
        shutil.copy(empty_store, folder / "mlflow.db")
        with monkeypatch.context() as inside:
            inside.chdir(folder)
            yield folder


@pytest.fixture
def tracker(store: Path) -> Tracker:
    """The store of this test."""
    from udamlf.runs.tracker import Tracker

    return Tracker.connect()


@pytest.fixture
def status(tracker: Tracker) -> Callable[[str], str]:
    """Status of a run."""
    return lambda run_id: str(tracker.get(run_id).info.status)


@pytest.fixture
def request_(tiny_world: Path) -> Request:
    """A chain of two rounds."""
    from udamlf.runs.plan import Request

    return Request("syn2city", "st", rounds=2, data_root=str(tiny_world))


@pytest.fixture
def go(tracker: Tracker, store: Path) -> Callable[..., tuple[str, FakeStages]]:
    """What runs a chain whose stages are no processes: its parent run, and what was started."""
    from tests.fake_stages import FakeStages
    from udamlf.runs.chain import Chain
    from udamlf.runs.log import RunLog, ending
    from udamlf.runs.signals import StopFlag

    def run(request: Request, act: Callable[[str], None] = lambda stage: None) -> tuple[str, FakeStages]:
        stages = FakeStages(tracker, store / "stages", act)
        chain = Chain(request, launch=stages)
        parent = tracker.create_run(chain.name, {})
        run.parent = parent  # type: ignore[attr-defined]
        with ending(tracker, parent):
            recorder = RunLog(tracker, parent, store / "parents" / parent, StopFlag())
            chain.run(recorder)
            recorder.complete()
        return parent, stages

    return run
