"""What others wrote, what was damaged, what hangs: nothing is lost or wrongly believed, and nothing is a traceback."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from udamlf.cli import entry, guarded
from udamlf.common.errors import UserError, masked
from udamlf.config.compose import resolve
from udamlf.runs import launch, log, runner
from udamlf.runs import store as places
from udamlf.runs.log import Journal, RunLog, ending
from udamlf.runs.maintenance import is_gone, reap
from udamlf.runs.plan import module_digests, modules
from udamlf.runs.results import finished_rows
from udamlf.runs.runner import _check_code
from udamlf.runs.signals import StopFlag
from udamlf.runs.store import Patient, output
from udamlf.runs.tags import HEARTBEAT, PROCESS, damage, step_runs
from udamlf.runs.tracker import Tracker

WORDS = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="'\""), min_size=1, max_size=12)

# --- what is shown ---------------------------------------------------------------------------------------------------


@given(user=st.from_regex(r"[\w.-]*", fullmatch=True), password=WORDS, end=st.sampled_from(["", "/db", ":5000/x?a=b"]))
def test_no_password_is_shown(user: str, password: str, end: str) -> None:
    """Whatever it is made of, in an address within a sentence; nor one among an address's parameters."""
    text = f"cannot open http://{user}:{password}@host{end}, or pg://host/db?user=me&password=hidden&x=1: refused"
    shown = masked(text)
    assert shown == f"cannot open http://host{end}, or pg://host/db?user=me&&x=1: refused"


def test_a_path_with_an_at_is_shown() -> None:
    assert masked("file:///data/a@b.png and models:/x@best") == "file:///data/a@b.png and models:/x@best"


@given(st.text())
def test_a_terminal_is_given_no_orders(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", str(UserError(text, text, text)))


# --- a store that others write to ------------------------------------------------------------------------------------

BAD_TAGS = {
    "seed": "one",
    "label_space": "nowhere",
    "overrides": "'",
    HEARTBEAT: "now",
    "udamlf.run.self_train.x": "0" * 32,
    "udamlf.scored": "last",
    "recipe": "\x1b[31mred",
}
GOOD = {"stage": "chain", "scenario": "syn2city", "method": "st", "seed": "0", "udamlf.complete": "true",
        "label_space": "cityscapes16", "data": "miniature", "udamlf.run.evaluate.0": "a"}  # fmt: skip


def test_a_damaged_run_is_left_out_with_one_line(tracker: Tracker, caplog: pytest.LogCaptureFixture) -> None:
    """A run for each bad tag, and one that is no chain of ours: the good one is compared, and all can be reaped."""
    foreign = {name: value for name, value in GOOD.items() if name != "udamlf.run.evaluate.0"}
    for tags in [GOOD, *({**GOOD, name: value} for name, value in BAD_TAGS.items()), foreign]:
        tracker.end(tracker.create_run("r", tags), "FINISHED")
    for _ in range(2):
        assert [row.seeds for row in finished_rows(tracker, None)] == [[0]]
    warnings = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert len(warnings) == len(BAD_TAGS) + 1 and all("\x1b" not in text for text in warnings)
    tracker.create_run("r", {PROCESS: "x"})
    assert reap(tracker) == []


TAG_NAMES = st.sampled_from([*BAD_TAGS, *GOOD, PROCESS, "udamlf.run.a.1"]) | st.text()


@given(st.dictionaries(TAG_NAMES, st.text() | st.sampled_from(["0", "1e3", "chain"])))
def test_a_run_is_readable_or_refused(tags: dict[str, str]) -> None:
    """Whatever its tags are: those that pass are read without an error."""
    info = SimpleNamespace(status="FINISHED", start_time=0)
    run = SimpleNamespace(data=SimpleNamespace(tags=tags, params={}), info=info)
    if not damage(run):
        step_runs(tags)
        is_gone(run, 1.0)
        int(tags.get("seed", 0))


@pytest.mark.parametrize("text", ["a'b", 'a"b', "a'b\"c", "`", "\\", "%", "' OR ''='", "a\nb", "é", "x" * 6000])
def test_a_name_is_never_part_of_the_question(tracker: Tracker, text: str) -> None:
    tracker.end(tracker.create_run("r", GOOD), "FINISHED")
    assert tracker.search({"scenario": text}) == []


BAD_STORES = {
    "a folder": "sqlite:///{folder}",
    "no database": "sqlite:///{folder}/junk",
    "a missing driver": "mysql+mysqldb://me:secret@host/db",
    "an unknown kind": "nonsense://me:secret@host/db",
    "a path": "{folder}/mlruns",
}


@pytest.mark.parametrize("kind", BAD_STORES)
def test_what_is_no_store_is_told_at_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow itself would try some of them for minutes. ``time.sleep`` is not called: nothing is tried again."""
    (tmp_path / "junk").write_text("a text that is long enough for the header of a database " * 9)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", BAD_STORES[kind].format(folder=tmp_path))
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    with pytest.raises(UserError, match="cannot open the tracking store") as refused:
        Tracker.connect()
    assert "secret" not in str(refused.value)


def test_the_database_of_another_program_is_left_as_it_is(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(store / "theirs.db")) as database:
        database.execute("CREATE TABLE users (name TEXT)")
    before = (store / "theirs.db").read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/theirs.db")
    with pytest.raises(UserError, match="holds the table users"):
        Tracker.connect()
    assert (store / "theirs.db").read_bytes() == before


def test_output_takes_the_place_of_files_of_its_kind_alone(store: Path) -> None:
    """A link stays, what it names is written; a device, a folder, another kind of file is never replaced."""
    (store / "page.html").write_text("old")
    (store / "link.html").symlink_to("page.html")
    (store / "folder.html").mkdir()
    os.mkfifo(store / "pipe.html")
    assert output(Path("link.html"), ".html") == (store / "page.html").resolve()
    assert output(Path("new.html"), ".html") == (store / "new.html").resolve()
    for name in ("mlflow.db", "folder.html", "pipe.html", "mlruns/0/page.html", "/dev/null"):
        with pytest.raises(UserError, match="cannot write"):
            output(Path(name), ".html")


def test_an_unknown_experiment_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "987654")
    with pytest.raises(UserError, match="987654"):
        Tracker.connect()


def test_a_stage_waits_for_a_server_that_is_away_when_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a command of the user's tells at once."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("UDAMLF_PATIENCE_S", "1")
    with pytest.raises(UserError, match="cannot open the tracking store"):
        Tracker.connect()
    with pytest.raises(UserError, match="did not answer for 1 s"):
        Tracker.connect(patient=True)


# --- a store that is away --------------------------------------------------------------------------------------------


class Flaky:
    """A client whose first calls fail."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error

    def get_run(self, run_id: str) -> str:
        self.failures -= 1
        if self.failures >= 0:
            raise self.error
        return run_id


def test_a_store_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the end of patience; not for what waiting does not mend."""
    monkeypatch.setattr(places.time, "sleep", lambda seconds: None)
    for error in (MlflowException("connection refused"), ConnectionResetError()):
        assert Patient(Flaky(5, error), "u").get_run("x") == "x"
        with places.at_once(), pytest.raises(type(error)):
            Patient(Flaky(1, error), "u").get_run("x")
        monkeypatch.setenv("UDAMLF_PATIENCE_S", "0")
        with pytest.raises(UserError, match="did not answer"):
            Patient(Flaky(1, error), "u").get_run("x")
        monkeypatch.delenv("UDAMLF_PATIENCE_S")
    with pytest.raises(MlflowException, match="unknown"):
        Patient(Flaky(1, MlflowException("unknown", 5)), "u").get_run("x")
    with pytest.raises(UserError, match="cannot write"):
        Patient(Flaky(1, MlflowException("database or disk is full")), "u").get_run("x")


@pytest.fixture
def hanging() -> Iterator[tuple[str, list[socket.socket]]]:
    """Address of a server that accepts and never answers; its connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", accepted
        server.shutdown(socket.SHUT_RDWR)
        for connection in accepted:
            connection.close()


def test_a_hanging_server_does_not_hold_up_the_work(
    hanging: tuple[str, list[socket.socket]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question hangs in the thread that sends, and meanwhile the work goes on and is recorded."""
    uri, asked = hanging
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(log, "FLUSH_EVERY_S", 0.01)
    tracker = Tracker(uri, Patient(MlflowClient(uri), uri), "0")
    with RunLog(tracker, "0" * 32, tmp_path / "work") as run:
        run.log_metrics({"loss": 0.0}, 0)
        deadline = time.monotonic() + 60
        while not asked and time.monotonic() < deadline:
            time.sleep(0.01)
        for step in range(1, 50):
            run.log_metrics({"loss": float(step)}, step)
        assert len(asked) == 1, "the first question has no answer yet"
    assert len(Journal(tmp_path / "work").entries) == 50


# --- statuses --------------------------------------------------------------------------------------------------------


def test_a_run_that_was_closed_while_it_worked_does_not_end_well(tracker: Tracker) -> None:
    run_id = tracker.create_run("r", {})
    with pytest.raises(UserError, match="was marked KILLED while it was at work"), ending(tracker, run_id):
        tracker.client.set_terminated(run_id, "KILLED")


def test_an_error_is_said_to_be_recorded_only_where_it_is(tracker: Tracker) -> None:
    """What waits for the process then tells it; of a run that something else has closed the process tells it itself."""
    for closed in (False, True):
        run_id = tracker.create_run("r", {})
        with pytest.raises(UserError) as raised, ending(tracker, run_id):
            if closed:
                tracker.client.set_terminated(run_id, "KILLED")
            raise UserError("the reason")
        assert hasattr(raised.value, "__notes__") is not closed


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_recorded_error_is_left_to_the_chain_that_waits_for_it(
    waits: bool, recorded: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(*arguments: object) -> None:
        error = UserError("the reason")
        if recorded:
            error.add_note("recorded in run 0")
        raise error

    monkeypatch.setattr(runner, "run_stage", failing)
    monkeypatch.setattr(entry, "follow_launcher", lambda: None)
    monkeypatch.setattr(StopFlag, "install", lambda flag: flag)
    if waits:
        monkeypatch.setenv(launch.LAUNCHER, "1")
    with pytest.raises(SystemExit) as ended:
        guarded(entry._entry, ["warmup", "--scenario", "gta2city", "--config", "c.yaml"])
    assert ended.value.code == 2 and ("the reason" in capsys.readouterr().err) is not (waits and recorded)


def test_a_process_of_another_container_is_gone_when_it_is_silent(tracker: Tracker) -> None:
    """The same host name, another boot or PID namespace, and a process id that means another process here."""
    host, boot, namespace = launch._place().split("/")
    start = launch.identity().rsplit(":", 1)[1]
    places = [f"{host}/{boot}/1", f"{host}/0/{namespace}"]
    live = [tracker.create_run("r", {PROCESS: f"{p}:1:{start}"}) for p in places]
    silent = {HEARTBEAT: str(int(time.time()) - 3600)}
    gone = [tracker.create_run("r", {PROCESS: f"{p}:1:{start}", **silent}) for p in places]
    tracker.create_run("r", {PROCESS: f"another-{places[0]}:1:{start}", **silent})
    assert sorted(reap(tracker)) == sorted(gone)
    assert {tracker.get(run_id).info.status for run_id in live} == {"RUNNING"}


@pytest.mark.parametrize("jump_s", [-86400.0, 86400.0])
def test_a_clock_that_jumps_by_a_day_changes_no_verdict_and_loses_no_number(
    jump_s: float, tracker: Tracker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back or forth, in the middle of a run: what is at work stays RUNNING, a process that is gone is still found."""
    with subprocess.Popen(["true"]) as process:
        pass
    gone = tracker.create_run("r", {PROCESS: f"{launch._place()}:{process.pid}:1"})
    run_id, now = tracker.create_run("r", {}), time.time
    with RunLog(tracker, run_id, store / "work") as run:
        run.log_metrics({"loss": 1.0}, 1)
        monkeypatch.setattr(time, "time", lambda: now() + jump_s)
        run.log_metrics({"loss": 0.5}, 2)
        assert reap(tracker) == [gone] and run.flush()
    history = tracker.client.get_metric_history(run_id, "loss")
    assert sorted((metric.step, metric.value) for metric in history) == [(1, 1.0), (2, 0.5)]
    assert tracker.get(run_id).info.status == "RUNNING"


# --- signals ---------------------------------------------------------------------------------------------------------


def test_a_stopped_process_and_its_children_are_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that SIGSTOP holds takes in no other signal but SIGKILL."""
    monkeypatch.setattr(launch, "GRACE_S", 0.3)
    command = f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/child; wait"
    with subprocess.Popen(["bash", "-c", command], process_group=0) as process:
        child = tmp_path / "child"
        while not (child.is_file() and child.read_text()):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGSTOP)
        launch._stop(process.pid, lambda: process.poll() is None)
        assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while launch._start_ticks(int(child.read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert launch._start_ticks(int(child.read_text())) is None


STUCK = """
from udamlf.runs import signals
signals.LAST_S = 1
signals.StopFlag().install()
while True:
    try:
        print(flush=True)
        __import__("time").sleep(60)
    except KeyboardInterrupt:
        pass
"""


def test_the_third_signal_always_ends() -> None:
    """Even a process that does not listen to ``KeyboardInterrupt``."""
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for number, listens in ((signal.SIGINT, True), (signal.SIGTERM, True), (signal.SIGINT, False)):
            if listens:
                process.stdout.readline()
            process.send_signal(number)
        assert process.wait(timeout=60) == -signal.SIGALRM


# --- code that is edited while a chain runs --------------------------------------------------------------------------


def test_code_that_was_edited_meanwhile_is_not_trained_under_the_old_key() -> None:
    config = resolve("gta2city", "st")
    code = module_digests(modules(config, "warmup", 0))
    _check_code({"code": code}, config, "warmup", 0)
    with pytest.raises(UserError, match=r"udamlf\.losses was edited while the chain was running"):
        _check_code({"code": {**code, "udamlf.losses": "before"}}, config, "warmup", 0)
