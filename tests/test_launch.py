"""Processes: identities, signals, GPU slots, and a stage that ends with its launcher, however that ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from udamlf.common.errors import UserError
from udamlf.runs import launch
from udamlf.runs.signals import StopFlag

CHILD = """
import os, sys, time
from udamlf.runs.launch import follow_launcher
from udamlf.runs.signals import StopFlag
stop = StopFlag().install()
follow_launcher()
open(sys.argv[1], "w").write(str(os.getpid()))
try:
    time.sleep(60)
except KeyboardInterrupt:
    open(sys.argv[1] + ".end", "w").write("interrupted")
"""
# A shell between launcher and stage, as with conda: it neither passes signals on nor ends with its parent. What udamlf
# starts is told who it is; what MLflow starts tells it itself, as MLproject does.
TOLD = {"udamlf": f"export {launch.LAUNCHER}=$PPID", "mlflow run": "export UDAMLF_PARENT=$PPID"}
LAUNCHER = """
import subprocess, sys
subprocess.call(["bash", "-c", f"{sys.argv[1]} && {sys.executable} {sys.argv[2]} {sys.argv[3]}; true"])
"""


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def exists(pid: int) -> bool:
    return launch._start_ticks(pid) is not None


@pytest.mark.parametrize("who", TOLD)
def test_a_stage_ends_in_order_when_its_launcher_is_killed(tmp_path: Path, who: str) -> None:
    child, launcher, mark = tmp_path / "child.py", tmp_path / "launcher.py", tmp_path / "pid"
    child.write_text(CHILD)
    launcher.write_text(LAUNCHER)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UDAMLF")}
    command = [sys.executable, str(launcher), TOLD[who], str(child), str(mark)]
    process = subprocess.Popen(command, env=environment)
    wait_for(lambda: mark.is_file() and mark.read_text())
    process.kill()
    process.wait()
    pid = int(mark.read_text())
    wait_for(lambda: not exists(pid))
    assert Path(f"{mark}.end").read_text() == "interrupted"


@pytest.mark.parametrize("name", [launch.LAUNCHER, "UDAMLF_PARENT"])
def test_a_stage_whose_launcher_is_gone_before_it_looks_ends_at_once(tmp_path: Path, name: str) -> None:
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    gone = subprocess.Popen(["true"])
    gone.wait()
    environment = {**os.environ, name: str(gone.pid)}
    done = subprocess.run([sys.executable, str(child), str(tmp_path / "pid")], env=environment, timeout=30)
    # Interrupted while it slept, or before it came to that.
    assert (tmp_path / "pid.end").is_file() or done.returncode != 0


def test_a_launcher_that_is_no_number_is_none(tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    child.write_text(CHILD.replace("time.sleep(60)", "pass"))
    environment = {**os.environ, launch.LAUNCHER: "abc"}
    done = subprocess.run([sys.executable, str(child), str(tmp_path / "pid")], env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_identity_tells_a_living_process_from_a_dead_one_and_from_another_with_its_id() -> None:
    me = launch.identity()
    host, pid, start = me.rsplit(":", 2)
    assert launch.is_alive(me)
    assert launch.is_alive(f"{host}:{pid}:{int(start) + 1}") is False
    assert launch.is_alive(f"{host}-elsewhere:{pid}:{start}") is None
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    other = f"{host}:{process.pid}:{launch._start_ticks(process.pid)}"
    assert launch.is_alive(other)
    process.communicate(b"\n")
    assert launch.is_alive(other) is False


@pytest.fixture
def stop() -> Iterator[StopFlag]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    hook = sys.unraisablehook
    yield StopFlag().install()
    signal.alarm(0)  # a third signal lets the kernel end the process
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


def test_a_signal_interrupts_what_does_not_ask(stop: StopFlag) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)


class Finalised:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_while_an_object_is_finalised_interrupts_too(
    stop: StopFlag, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is raised there, Python reports and forgets."""
    with pytest.raises(KeyboardInterrupt):
        Finalised()
        time.sleep(5)
    assert stop.signals == 1 and "ignored" not in capsys.readouterr().err


def test_a_closed_terminal_interrupts_but_under_nohup(stop: StopFlag) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(5)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    StopFlag().install()
    os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(0.1)


def test_a_loop_that_asks_is_told_and_a_second_signal_does_not_disturb_it(stop: StopFlag) -> None:
    assert not stop.asked()
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert stop.asked()
    with pytest.raises(KeyboardInterrupt):
        stop.check()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)


def test_every_gpu_is_given_to_one_stage_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"test-{os.getpid()}-{i}" for i in range(2)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(names))
    with launch.gpu_slot() as first:
        with launch.gpu_slot() as second:
            assert {first, second} == set(names)
        with launch.gpu_slot() as again:
            assert again == second


def test_a_stage_that_spreads_its_work_gets_the_gpus_that_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"test-all-{os.getpid()}-{i}" for i in range(3)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", ",".join(names))
    with launch.gpu_slot(every=True) as all_of_them:
        assert all_of_them.split(",") == names
    with launch.gpu_slot() as one, launch.gpu_slot(every=True) as rest:
        assert [one, *rest.split(",")] == names


def test_without_a_gpu_a_stage_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with launch.gpu_slot() as gpu:
        assert gpu == ""


@pytest.mark.parametrize(("known", "expected"), [("", None), ("test-one", "test-one")])
def test_a_stage_is_hidden_no_gpu_where_none_is_known(
    known: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without nvidia-smi an empty CUDA_VISIBLE_DEVICES would train for days on the CPU of a machine with a GPU."""
    seen = []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(launch, "gpus", known.split)
    monkeypatch.setattr(launch, "_fork", lambda *_: seen.append(os.environ.get("CUDA_VISIBLE_DEVICES")) or 0)
    assert launch.launch_stage("warmup", {}, "run", "0") == 0 and seen == [expected]


def test_an_environment_manager_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MLFLOW_CONDA_HOME", raising=False)
    launch.check_manager("local")
    with pytest.raises(UserError, match="uv is not installed"):
        launch.check_manager("uv")


SAYS = """
import os, sys, warnings
from pathlib import Path
from udamlf.runs.environment import kept_log
with kept_log(Path(sys.argv[1]), "a stage"):
    print("printed")
    os.write(2, b"native\\n")
    os.system("echo child")
    warnings.warn("careful")
    os.write(1, b"\\x1b[2Kbar\\nunended")
    raise ValueError("wrong")
"""


def test_a_log_holds_all_that_is_printed_and_takes_nothing_away(tmp_path: Path) -> None:
    """Of Python, of native code, of a child, a warning, the error; but no progress bar."""
    done = subprocess.run([sys.executable, "-c", SAYS, str(tmp_path)], capture_output=True, text=True)
    log = (tmp_path / "log.txt").read_text()
    for text in ("printed", "child", "unended", "native", "UserWarning: careful"):
        assert text in log and text in done.stdout + done.stderr
    assert log.count("native") == 1 and log.count("ValueError: wrong") == 1 and "a stage" in log.splitlines()[0]
    assert "bar" not in log and "bar" in done.stdout and done.returncode == 1


TOSTOP = """
import os, sys, termios
from udamlf.runs import launch
state = termios.tcgetattr(0)
state[3] |= termios.TOSTOP
termios.tcsetattr(0, termios.TCSANOW, state)
if (pid := os.fork()) == 0:
    launch._script([sys.argv[1]], dict(os.environ))
    os._exit(0)
status = os.waitpid(pid, os.WUNTRACED)[1]
print("stopped" if os.WIFSTOPPED(status) else "ended", flush=True)
"""


def test_a_terminal_that_stops_background_output_does_not_stop_a_stage(tmp_path: Path) -> None:
    """``stty tostop``: a stage has a process group of its own and writes to its launcher's terminal."""
    (script := tmp_path / "stage.py").write_text("print('said', flush=True)")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", TOSTOP, str(script)])
    output = b""
    with suppress(OSError):  # how the end of a terminal is told
        while chunk := os.read(terminal, 1 << 16):
            output += chunk
    os.close(terminal)
    os.waitpid(pid, 0)
    assert b"said" in output and b"ended" in output, output


TYPED = """
import os, time
from udamlf.runs.launch import warm_up
warm_up()
print("begun", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_while_the_server_of_stages_imports_is_heard_by_its_process_alone() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", TYPED])
    output = b""
    with suppress(OSError):
        while chunk := os.read(terminal, 1 << 16):
            output += chunk
            if b"begun" in chunk:
                time.sleep(0.5)  # it has begun to import torch
                os.write(terminal, b"\x03")
    os.close(terminal)
    os.waitpid(pid, 0)
    assert b"interrupted" in output and b"Traceback" not in output, output.decode()


LATE = """
import subprocess, sys
from pathlib import Path
from udamlf.runs.environment import kept_log
with kept_log(Path(sys.argv[1]), "a stage"):
    child = subprocess.Popen("sleep 5; echo late", shell=True)
child.wait()
__import__("time").sleep(0.5)
"""


def test_what_is_printed_after_the_log_is_closed_still_passes(tmp_path: Path) -> None:
    """By a process that was started meanwhile; so does a thread that a busy machine lets read late."""
    done = subprocess.run([sys.executable, "-c", LATE, str(tmp_path)], capture_output=True, text=True)
    assert done.stdout == "late\n" and not done.stderr and done.returncode == 0


FILLS = """
import resource, signal, sys
from pathlib import Path
from udamlf.runs.environment import kept_log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
with kept_log(Path(sys.argv[1]), "a stage"):
    for number in range(5000):
        print("a line of some length, so that the pipe would fill", number)
"""


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The disk is full after 4 KiB: all that the stage prints still passes."""
    command = [sys.executable, "-c", FILLS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 5000 and (tmp_path / "log.txt").stat().st_size == 4096


def test_a_process_that_the_kernel_kills_is_named() -> None:
    """As it does where memory runs out, which a step at full size soon finds on a small machine."""
    assert launch.in_fresh_process(abs, -1) == 1
    with pytest.raises(UserError, match="memory ran out"):
        launch.in_fresh_process(signal.raise_signal, signal.SIGKILL)
