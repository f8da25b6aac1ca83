"""Real command lines in real processes, on a real store; a tiny world and a few steps keep them short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests.conftest import folder_in_memory
from udamlf.runs.launch import PROJECT_ROOT

BIN = Path(sys.executable).parent
STEPS = ("profile.warmup.steps=4", "profile.round.steps=4")


@dataclass
class Place:
    """A folder to call commands in.

    Attributes:
        uri: its tracking store.
    """

    folder: Path
    world: Path
    uri: str

    @property
    def environment(self) -> dict[str, str]:
        """Environment of a command: this store, one thread, no GPU."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "UDAMLF"))}
        return {
            **kept,
            "MLFLOW_TRACKING_URI": self.uri,
            "UDAMLF_CACHE": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }

    def chain(self, method: str, *options: str) -> list[str]:
        """Command line of a small chain."""
        overrides = [text for step in STEPS for text in ("--set", step)]
        command = ["run", "--scenario", "syn2city", "--method", method, "--data-root", str(self.world)]
        return [str(BIN / "udamlf"), *command, *overrides, *options]

    def call(self, *command: str, seconds: float = 300, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, which comes within so many seconds."""
        return subprocess.run(
            command, cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True,
            timeout=seconds,
        )  # fmt: skip

    def udamlf(self, *arguments: str) -> str:
        """Standard output of a udamlf command that succeeds."""
        done = self.call(str(BIN / "udamlf"), *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *command: str, output: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command in a process group of its own. What prints more than a pipe holds (64 KiB) and is not read
        needs a file as output, or it stops when the pipe is full."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=output, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def mlflow_run(self, entry_point: str, *, env_manager: str | None = "local", **parameters: str) -> list[str]:
        """Command line of `mlflow run` on this project."""
        given = {"data_root": str(self.world), "set": " ".join(STEPS), **parameters}
        pairs = [text for name, value in given.items() for text in ("-P", f"{name}={value}")]
        manager = ["--env-manager", env_manager] if env_manager else []
        return [str(BIN / "mlflow"), "run", str(PROJECT_ROOT), "-e", entry_point, *pairs, *manager]

    def runs(self, **tags: str) -> list[Any]:
        """Runs of the store with these tags, newest first."""
        from mlflow import MlflowClient

        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        return list(MlflowClient(self.uri).search_runs(["0"], condition, order_by=["start_time DESC"]))


def wait_for(
    condition: Callable[[], Any], seconds: float = 60.0, instead: Callable[[], Any] = lambda: "waited in vain"
) -> Any:
    """The condition's value as soon as it is true; ``instead`` says what there is when it never was."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, instead()
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def place(empty_store: Path, tiny_world: Path) -> Iterator[Place]:
    """A folder with a store of its own, for the tests of one module."""
    with folder_in_memory() as folder:
        shutil.copy(empty_store, folder / "mlflow.db")
        yield Place(folder, tiny_world, f"sqlite:///{folder}/mlflow.db")
