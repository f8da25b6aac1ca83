"""Processes: how a stage is started, given a GPU, stopped, and how it notices that its launcher is gone.

A stage is an entry point of the MLflow project, in a process group of its own: in this environment forked from a server
that has imported what stages need, in another one started by MLflow. It is told who its launcher is, and ends when that
process does, whatever shells stand between the two."""

from __future__ import annotations

import ctypes
import fcntl
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import runpy
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from udamlf.common.errors import UserError
from udamlf.common.files import PROJECT_ROOT
from udamlf.runs.signals import GRACE_S

LAUNCHER = "UDAMLF_LAUNCHER"
"""Id of the process of udamlf that waits for this one; ``UDAMLF_PARENT``: of `mlflow run`, as MLproject says it."""
LOCAL, MANAGERS = "local", ("local", "uv", "virtualenv", "conda")
_PR_SET_PDEATHSIG = 1
# What every stage imports. It starts no thread and opens no store, and but for its last module it is not this
# project's: an edit while a chain runs must not mix old and new modules. The first optimiser imports torch._dynamo.
_WARM = (
    *("torch", "torch._dynamo", "safetensors.torch", "cv2", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    *("mlflow", "mlflow.store.tracking.sqlalchemy_store", "mlflow.projects.utils", "pydantic", "yaml", "pandas"),
    "udamlf.runs.warm",
)
# MLflow makes a folder for parameters of type path, and leaves it: inside this one.
_storage = partial(tempfile.TemporaryDirectory[str], prefix="udamlf-", ignore_cleanup_errors=True)
T = TypeVar("T")
RunCommand = Callable[[Sequence[str], int, Callable[[str], bool]], tuple[int, str]]
"""(arguments of ``udamlf``, number of the slot, ``watch``) -> exit code and text, as ``run_command``."""


def _start_ticks(pid: int | str) -> str | None:
    """Start time of a process in clock ticks since boot; None when there is no such process, or a zombie."""
    try:
        # The name, in brackets, may hold spaces; the fields after it may not.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state == "Z" else fields[18]


@cache
def _place() -> str:
    """Where a process id means one process: host name, boot and PID namespace (containers share the first two)."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return f"{socket.gethostname()}/{boot}/{os.stat('/proc/self/ns/pid').st_ino}"


def identity() -> str:
    """``place:pid:start`` of this process; the start time tells it from a later process with the same id."""
    return f"{_place()}:{os.getpid()}:{_start_ticks(os.getpid())}"


def is_alive(who: str) -> bool | None:
    """Whether the process ``identity()`` returned still runs; None when it is of another place."""
    place, _, process = who.partition(":")
    pid, _, start = process.partition(":")
    return _start_ticks(pid) == start if place == _place() else None


def follow_launcher() -> None:
    """In a started process: end when the one that started it is gone. Call this first."""
    if launcher := os.environ.get(LAUNCHER):
        os.setpgid(0, 0)
    text = launcher or os.environ.get("UDAMLF_PARENT") or "0"  # 0: started by hand, or from outside a container
    pid = int(text) if text.isdecimal() else 0

    def watch() -> None:
        with suppress(ProcessLookupError):  # it is gone already
            ended = select.poll()
            ended.register(os.pidfd_open(pid), select.POLLIN)
            ended.poll()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)

    if pid:
        threading.Thread(target=watch, daemon=True, name="launcher").start()


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """``os.environ`` with ``changes``, for the processes started inside."""
    before = dict(os.environ)
    os.environ |= changes
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def gpus() -> list[str]:
    """Ids of the GPUs this process may use, as ``CUDA_VISIBLE_DEVICES`` has them; empty on a machine without, and
    without nvidia-smi, where a stage takes the GPU that torch finds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip() and gpu.strip() != "-1"]
    return (_output("nvidia-smi", "--query-gpu=index", "--format=csv,noheader") or "").split()


def _output(*command: str) -> str | None:
    """Standard output of a command; None when it fails or is not installed."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _lock(gpu: str) -> int | None:
    """The lock of a GPU, held until this descriptor is closed; None: another stage on this machine holds it."""
    path = Path(tempfile.gettempdir()) / f"udamlf-gpu-{gpu.replace('/', '_')}.lock"
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)  # a lock needs no right to write
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def gpu_slot(every: bool = False) -> Iterator[str]:
    """Id of a GPU that no other stage on this machine holds, with ``every`` those of all of them, as
    ``CUDA_VISIBLE_DEVICES`` has them; waits for one. Empty text: none is known."""
    ids, held = gpus(), dict[str, int]()
    try:
        while ids and not held:
            for gpu in ids:
                if (every or not held) and (descriptor := _lock(gpu)) is not None:
                    held[gpu] = descriptor
            if not held:
                time.sleep(1)
        yield ",".join(held)
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def launch_stage(
    stage: str, parameters: Mapping[str, str], run_id: str, experiment_id: str, env_manager: str = LOCAL
) -> int:
    """Run an entry point of the project as a process of its own, on one GPU (all free ones, if the stage has a use for
    them) or the CPU, and wait for it; it adopts the run ``run_id``. Its exit code, negative: the signal that ended it.
    """
    import mlflow.projects
    from mlflow.exceptions import ExecutionException

    from udamlf.stages.stage import stage as declared

    with (
        gpu_slot(declared(stage).every_gpu) as gpu,
        environment({**({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}), LAUNCHER: str(os.getpid())}),
    ):
        if env_manager == LOCAL:
            return _fork(stage, parameters, run_id, experiment_id)
        run = {"run_id": run_id, "experiment_id": experiment_id, "parameters": dict(parameters)}
        with _storage() as folder, suppress(ExecutionException):
            mlflow.projects.run(str(PROJECT_ROOT), stage, env_manager=env_manager, storage_dir=folder, **run)
            return 0
        return 1


def warm_up() -> None:
    """Start the server that stages are forked from, while this process is busy with something else."""
    multiprocessing.set_forkserver_preload(list(_WARM))
    multiprocessing.resource_tracker.ensure_running()  # which unblocks SIGINT
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # a terminal's Ctrl-C is for this process
    multiprocessing.forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(stage: str, parameters: Mapping[str, str], run_id: str, experiment_id: str) -> int:
    """Run an entry point's script in a fork of a warm server: 0.1 s where a new interpreter takes 5 s of CPU."""
    import mlflow
    from mlflow.projects.utils import get_entry_point_command, load_project

    with _storage() as folder:
        (command,) = get_entry_point_command(load_project(str(PROJECT_ROOT)), stage, dict(parameters), folder)
    run = {"MLFLOW_RUN_ID": run_id, "MLFLOW_EXPERIMENT_ID": experiment_id}
    variables = {**os.environ, **run, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    warm_up()
    words = shlex.split(command.partition("python ")[2])
    process = multiprocessing.get_context("forkserver").Process(target=_script, args=(words, variables))
    # The caller's script is no part of a stage: a process would import it, and with it start the chain, again.
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
    try:
        process.join()
    finally:
        _stop(int(process.pid or 0), process.is_alive)
    return int(process.exitcode or 0)


def _script(command: list[str], variables: Mapping[str, str]) -> None:
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    for number in (signal.SIGINT, signal.SIGTERM):  # until the stage takes over, a signal ends it and nothing is said
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # `stty tostop` stops who writes from a group in the background
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(PROJECT_ROOT)
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")


def _stop(pid: int, running: Callable[[], bool], grace_s: float | None = None) -> None:
    """End a process that this one has started, with its group: by SIGTERM, and where it is stuck or stopped after the
    grace period (or at once, when this process is told to end again) by SIGKILL."""
    if not running():
        return
    deadline = time.monotonic() + (grace_s or GRACE_S)
    try:
        os.kill(pid, signal.SIGTERM)
        while running() and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        while running():
            time.sleep(0.05)


def machine_slots(jobs: int | None, uri: str) -> tuple[int, RunCommand]:
    """How many chains run at once here, by default one a GPU or one, and what runs one, on its share."""
    ids = gpus()
    slots = jobs or len(ids) or 1
    share = {"OMP_NUM_THREADS": str(max(1, len(os.sched_getaffinity(0)) // slots)), **os.environ}["OMP_NUM_THREADS"]

    def run(arguments: Sequence[str], slot: int, watch: Callable[[str], bool]) -> tuple[int, str]:
        gpu = {"CUDA_VISIBLE_DEVICES": ids[slot % len(ids)]} if ids else {}
        return run_command(arguments, {"MLFLOW_TRACKING_URI": uri, "OMP_NUM_THREADS": share, **gpu}, watch)

    return slots, run


def run_command(
    arguments: Sequence[str], changes: Mapping[str, str], watch: Callable[[str], bool] = lambda text: False
) -> tuple[int, str]:
    """Run a command of ``udamlf`` as a process of its own, which ends with this one: its exit code and its output.
    ``watch`` sees the output twice a second; when it returns True, or at an interruption, the process is stopped."""
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-c", "from udamlf.cli import main; main()", *arguments]
        variables = {**os.environ, **changes, LAUNCHER: str(os.getpid())}
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output, process_group=0)

        def text() -> str:
            size = os.fstat(output.fileno()).st_size
            return os.pread(output.fileno(), size, max(0, size - 50_000)).decode(errors="replace")

        try:
            while process.poll() is None and not watch(text()):
                time.sleep(0.5)
        finally:
            _stop(process.pid, lambda: process.poll() is None, GRACE_S + 10)  # its stage has a grace period too
        return process.wait(), text()


def in_fresh_process(function: Callable[..., T], *arguments: Any) -> T:
    """``function(*arguments)`` in a fresh process, whose peak memory is the function's alone. UserError: it was killed,
    as the kernel does where memory runs out."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(function, *arguments).result()
        except BrokenProcessPool as error:
            message = "the process was killed, most likely because this machine's memory ran out"
            raise UserError(message, "more memory, or a smaller profile", "--profile paper_8gb") from error
        except BaseException:
            for child in multiprocessing.active_children():  # leaving the pool would wait for it
                child.kill()
            raise


def managers() -> dict[str, str | None]:
    """Environment manager -> None where it is usable here, else what is missing."""
    conda = Path(os.environ.get("MLFLOW_CONDA_HOME", "")) / "bin" / "conda"
    programs = {"uv": "uv", "virtualenv": "pyenv", "conda": str(conda) if conda.is_file() else "conda"}
    return {LOCAL: None, **{n: None if shutil.which(p) else f"{p} is not installed" for n, p in programs.items()}}


def check_manager(name: str) -> None:
    """UserError when the environment manager cannot work here: MLflow itself fails with a traceback."""
    if (problem := managers()[name]) is not None:
        raise UserError(f"--env-manager {name}: {problem}", f"{name}, or another manager", "--env-manager local")


def git(*arguments: str) -> str | None:
    """Output of a git command in the project; None outside a repository or without git."""
    return _output("git", "-C", str(PROJECT_ROOT), *arguments)


def end_with_parent() -> None:
    """In a started process: the kernel ends it when the one that started it is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
