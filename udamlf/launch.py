"""Processes: how a stage is started, given a GPU, stopped, and how it notices that its launcher is gone.

The only module that starts a process. A stage is an entry point of the MLflow project, in a process group of its own.
Its launcher holds a lock, the *lifeline*; the stage waits for that lock in a thread and ends when it gets it, which
happens when the launcher lets go of it or dies, however it dies and whatever shells stand between the two.
"""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from udamlf.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parents[1]
LIFELINE = "UDAMLF_LIFELINE"
LOCAL, MANAGERS = "local", ("local", "uv", "virtualenv", "conda")
GRACE_S = 30.0
_PR_SET_PDEATHSIG = 1

# --- identity of a process -------------------------------------------------------------------------------------------


def _start_ticks(pid: int) -> str | None:
    """Start time of a process in clock ticks since boot; None when there is no such process."""
    try:
        # The name, in brackets, may hold spaces; the fields after it may not. A zombie is no process any more.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else fields[18]


def identity() -> str:
    """``host:pid:start`` of this process; the start time tells it from a later process with the same id."""
    return f"{socket.gethostname()}:{os.getpid()}:{_start_ticks(os.getpid())}"


def is_alive(who: str) -> bool | None:
    """Whether the process ``identity()`` returned still runs; None when it is of another host."""
    host, pid, start = who.rsplit(":", 2)
    if host != socket.gethostname():
        return None
    return _start_ticks(int(pid)) == start


# --- signals ---------------------------------------------------------------------------------------------------------


class StopFlag:
    """SIGINT and SIGTERM as ``KeyboardInterrupt``, or as a flag for a loop that asks.

    A loop that has called ``asked()`` within the last half minute is only told; everything else is interrupted at
    once. The second signal is ignored (a terminal and a launcher often send one each, and the state is being saved);
    the third interrupts whatever happens.
    """

    def __init__(self) -> None:
        self.signals = 0
        self.number: int = signal.SIGINT
        self._last_asked = float("-inf")

    def install(self) -> StopFlag:
        """Take over the two signals of this process."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        self.number = number
        polled = time.monotonic() - self._last_asked < GRACE_S
        if (self.signals == 1 and not polled) or self.signals == 3:
            raise KeyboardInterrupt

    def asked(self) -> bool:
        """Whether to stop; the caller promises to ask again soon."""
        self._last_asked = time.monotonic()
        return self.signals > 0

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` when a signal has come that no loop acted on."""
        if self.signals:
            raise KeyboardInterrupt


# --- launcher and stage ----------------------------------------------------------------------------------------------


def follow_launcher() -> None:
    """In a started process: end when the one that started it is gone. Call this first."""
    path = os.environ.get(LIFELINE)
    if path is None:  # started by `mlflow run`: the kernel tells us when that process dies
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        return
    os.setpgid(0, 0)

    def watch() -> None:
        try:
            with open(path) as handle:
                fcntl.flock(handle, fcntl.LOCK_SH)
        except FileNotFoundError:
            pass  # the launcher has tidied up, so it is no longer waiting for this stage
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


@contextmanager
def _lifeline() -> Iterator[str]:
    with tempfile.NamedTemporaryFile(prefix="udamlf-lifeline-") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.name


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """``os.environ`` with ``changes``, for the processes started inside."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def gpus() -> list[str]:
    """Ids of the GPUs this process may use, as ``CUDA_VISIBLE_DEVICES`` has them; empty on a machine without."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() and gpu.strip() != "-1"]
    if not shutil.which("nvidia-smi"):
        return []
    listed = subprocess.run(
        ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True
    )
    return listed.stdout.split() if listed.returncode == 0 else []


@contextmanager
def gpu_slot(poll_s: float = 1.0) -> Iterator[str]:
    """Id of a GPU that no other stage on this machine holds; waits for one. Empty text: the CPU."""
    ids = gpus()
    while ids:
        for gpu in ids:
            path = Path(tempfile.gettempdir()) / f"udamlf-gpu-{gpu.replace('/', '_')}.lock"
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)  # a lock needs no right to write
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            try:
                yield gpu
            finally:
                os.close(descriptor)
            return
        time.sleep(poll_s)
    yield ""


def launch_stage(
    stage: str, parameters: Mapping[str, str], run_id: str, experiment_id: str, env_manager: str = LOCAL
) -> bool:
    """Run an entry point of the project as a process of its own, on one GPU or the CPU, and wait for it.

    Args:
        parameters: of the entry point, as in MLproject.
        run_id: the run created for it, which the process adopts.
        env_manager: one of ``MANAGERS``.

    Returns:
        Whether it succeeded.
    """
    import mlflow.projects
    from mlflow.exceptions import ExecutionException

    check_manager(env_manager)
    with gpu_slot() as gpu, _lifeline() as lifeline:
        changes = {"CUDA_VISIBLE_DEVICES": gpu, LIFELINE: lifeline}
        if env_manager == LOCAL:  # MLproject says `python`: this one, also where no environment is activated
            changes["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        # MLflow makes a folder for parameters of type path, and leaves it.
        with environment(changes), tempfile.TemporaryDirectory(prefix="udamlf-parameters-") as storage:
            try:
                mlflow.projects.run(
                    str(PROJECT_ROOT),
                    entry_point=stage,
                    parameters=dict(parameters),
                    run_id=run_id,
                    experiment_id=experiment_id,
                    env_manager=env_manager,
                    storage_dir=storage,
                )
            except ExecutionException:
                return False
    return True


def launch_together(launch: Callable[..., bool], calls: Sequence[tuple[Any, ...]]) -> list[bool]:
    """``launch(*call)`` for several calls at once, each in a process of its own: a GPU is given to a stage through the
    environment, which is a process's.

    Returns:
        Whether each succeeded.
    """
    context = multiprocessing.get_context("spawn")
    launchers = [context.Process(target=_launch_apart, args=(launch, *call)) for call in calls]
    try:
        for launcher in launchers:
            launcher.start()
        for launcher in launchers:
            launcher.join()
    finally:
        for launcher in launchers:
            if launcher.is_alive():
                launcher.terminate()  # lets go of its lifeline, so that its stage ends itself
    return [launcher.exitcode == 0 for launcher in launchers]


def _launch_apart(launch: Callable[..., bool], *call: Any) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the one that started this process decides
    sys.exit(0 if launch(*call) else 1)


# --- what else is started --------------------------------------------------------------------------------------------


def managers() -> dict[str, str | None]:
    """Environment manager -> None where it is usable here, else what is missing."""
    needs = {"uv": ("uv",), "virtualenv": ("pyenv",), "conda": ("conda",)}
    found: dict[str, str | None] = {LOCAL: None}
    conda_home = os.environ.get("MLFLOW_CONDA_HOME")
    for name, programs in needs.items():
        missing = [p for p in programs if not shutil.which(p)]
        if name == "conda" and conda_home and (Path(conda_home) / "bin" / "conda").is_file():
            missing = []
        found[name] = f"{missing[0]} is not installed" if missing else None
    return found


def check_manager(name: str) -> None:
    """UserError when the environment manager cannot work here: MLflow itself fails with a traceback."""
    found = managers()
    if name not in found:
        raise UserError(f"unknown environment manager {name!r}", f"one of: {', '.join(found)}")
    if found[name] is not None:
        raise UserError(f"--env-manager {name}: {found[name]}", f"{name}, or another manager", "--env-manager local")


def git(*arguments: str) -> str | None:
    """Output of a git command in the project; None outside a repository or without git."""
    if not shutil.which("git"):
        return None
    done = subprocess.run(["git", "-C", str(PROJECT_ROOT), *arguments], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def serve(uri: str, host: str, port: int) -> None:
    """Become the MLflow server, in its light form: 2 processes instead of 15 (and faster on 2 cores)."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--workers", "1"]
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    # The server takes its own store from its command line; this variable would send its processes back to themselves.
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.execv(sys.executable, [*command, "--host", host, "--port", str(port)])
