"""Real command lines and stages in real processes, on a real store; a tiny world and a few steps keep them short."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from pathlib import Path
from subprocess import PIPE, STDOUT, CompletedProcess, Popen
from typing import IO, Any
from unittest.mock import patch

import mlflow
import pytest
from mlflow import MlflowClient

from tests.conftest import folder_in_memory
from tests.in_process import BUDGET
from tests.soak import STORE
from udamlf.cli import cli, guarded
from udamlf.cli import entry as entry_points
from udamlf.runs.launch import PROJECT_ROOT
from udamlf.runs.store import Patient, relocate, work_root

BIN = Path(sys.executable).parent
UDAMLF = str(BIN / "udamlf")
STEPS = (*BUDGET, "profile.warmup.steps=4", "profile.round.steps=4")


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
    def work(self) -> Path:
        """Where its commands keep what is not finished."""
        with patch.dict(os.environ, self.environment):
            return work_root(self.uri)

    @property
    def stored(self) -> Path:
        """Where its store keeps artifacts."""
        return self.folder / "mlruns" if self.uri.startswith("sqlite") else self.folder.parent / "server"

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
        return [UDAMLF, *command, *overrides, *options]

    def call(
        self, *command: str, seconds: float = 300, process: bool = False, **environment: str
    ) -> CompletedProcess[str]:
        """Run a command to its end. One of udamlf runs in this process, which has imported torch and mlflow and started
        the server that stages are forked from (14 s of CPU); any other one, or with ``process``, in one of its own,
        within so many seconds."""
        variables = {**self.environment, **environment}
        if command[0] == UDAMLF and not process:
            return self._in_this_process(command, variables, partial(guarded, cli, list(command[1:])))
        return subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=seconds)

    def entry(self, name: str, **parameters: str) -> CompletedProcess[str]:
        """An entry point of the project in this process, in a run that is made for it as `mlflow run` makes it."""
        words = [text for key, value in self._parameters(parameters).items() for text in (f"--{key}", value)]
        run = MlflowClient(self.uri).create_run("0")
        with patch.object(entry_points, "follow_launcher"), patch.object(sys, "argv", [name, *words]):
            variables = {**self.environment, "MLFLOW_RUN_ID": run.info.run_id}
            return self._in_this_process((name, *words), variables, partial(entry_points.entry, name))

    def _parameters(self, parameters: dict[str, str]) -> dict[str, str]:
        return {"data-root": str(self.world), "set": " ".join(STEPS), **parameters}

    def _in_this_process(
        self, command: tuple[str, ...], variables: dict[str, str], act: Callable[[], None]
    ) -> CompletedProcess[str]:
        """What a command does in a process of its own; afterwards this process is as before."""
        output, errors = StringIO(), StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        messages, code = logging.StreamHandler(errors), 0
        logging.getLogger().addHandler(messages)
        with (
            patch.dict(os.environ, variables, clear=True), chdir(self.folder),
            redirect_stdout(output), redirect_stderr(errors),
        ):  # fmt: skip
            try:
                act()
            except SystemExit as ended:
                code = int(str(ended.code))
            finally:
                mlflow.set_tracking_uri(None)  # this also changes the environment
                logging.getLogger().removeHandler(messages)
                for number, handler in handlers.items():
                    signal.signal(number, handler)
        return CompletedProcess(command, code, output.getvalue(), errors.getvalue())

    def udamlf(self, *arguments: str) -> str:
        """Standard output of a udamlf command that succeeds."""
        done = self.call(UDAMLF, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *command: str, output: int | IO[str] = PIPE) -> Popen[str]:
        """Start a command in a process group of its own. What prints more than a pipe holds (64 KiB) and is not read
        needs a file as output, or it stops when the pipe is full."""
        return Popen(
            command, cwd=self.folder, env=self.environment, stdout=output, stderr=STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def mlflow_run(self, entry_point: str, *, env_manager: str | None = "local", **parameters: str) -> list[str]:
        """Command line of `mlflow run` on this project."""
        given = self._parameters(parameters)
        pairs = [text for name, value in given.items() for text in ("-P", f"{name.replace('-', '_')}={value}")]
        manager = ["--env-manager", env_manager] if env_manager else []
        return [str(BIN / "mlflow"), "run", str(PROJECT_ROOT), "-e", entry_point, *pairs, *manager]

    def artifacts(self, uri: str) -> Path:
        """A folder of the store, where it lies or as a copy."""
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, tracking_uri=self.uri))

    def runs(self, **tags: str) -> list[Any]:
        """Runs of the store with these tags, newest first."""
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        client = Patient(MlflowClient(self.uri), self.uri)  # a busy machine keeps SQLite's file locked for seconds
        return list(client.search_runs(["0"], condition, max_results=50_000, order_by=["start_time DESC"]))


def wait_for(
    condition: Callable[[], Any],
    seconds: float = 60.0,
    instead: Callable[[], Any] = lambda: "waited in vain",
    pause_s: float = 0.25,
) -> Any:
    """The condition's value as soon as it is true; ``instead`` says what there is when it never was."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, instead()
        time.sleep(pause_s)
    return value


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


@contextmanager
def started(
    command: list[str], folder: Path, stop: int = signal.SIGTERM, variables: Mapping[str, str] = {}, **options: Any
) -> Iterator[None]:
    """A server, with a clean environment and these variables, ended with its children by a signal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "UDAMLF"))}
    environment = {**kept, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **variables}
    with open(folder / "server.log", "w") as log:
        process = Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=STDOUT, start_new_session=True, **options
        )
    try:
        yield
    finally:
        os.killpg(process.pid, stop)
        process.wait(timeout=60)


@contextmanager
def default_server(folder: Path) -> Iterator[str]:
    """Address of `mlflow server --backend-store-uri sqlite:///x.db --artifacts-destination DIR`, whose files are in
    ``folder``, with one process instead of the 15 by default, which each import mlflow."""
    port = free_port()
    command = [str(BIN / "mlflow"), "server", "--backend-store-uri", f"sqlite:///{folder}/x.db",
               "--artifacts-destination", f"{folder}/server", "--port", str(port), "--workers", "1"]  # fmt: skip
    with started(command, folder):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 180)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def new_place(empty_store: Path, world: Path) -> Iterator[Place]:
    """A folder with a cache and a store of its own."""
    with folder_in_memory() as folder:
        if STORE == "server":
            (folder / "host").mkdir()
            with default_server(folder) as uri:
                yield Place(folder / "host", world, uri)
        else:
            shutil.copy(empty_store, folder / "mlflow.db")
            (folder / "mlruns" / "0").mkdir(parents=True)
            relocate(uri := f"sqlite:///{folder}/mlflow.db")
            yield Place(folder, world, uri)


@pytest.fixture(scope="module")
def place(empty_store: Path, tiny_world: Path) -> Iterator[Place]:
    """A folder with a store of its own, for the tests of one module."""
    with new_place(empty_store, tiny_world) as place:
        yield place
