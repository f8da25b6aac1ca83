"""Every kind of store: eight processes write at once and nothing is lost, artifacts come back, no password is shown."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import folder_in_memory
from tests.end_to_end.conftest import BIN, answers, free_port, started, wait_for
from udamlf.common.errors import UserError
from udamlf.runs.launch import warm_up
from udamlf.runs.log import RunLog, ending
from udamlf.runs.pages import address
from udamlf.runs.tracker import Tracker

WRITERS, STEPS = 8, 30
SECRET = secrets.token_hex(8)
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin/postgres"), default=None)


def write(uri: str, number: int, folder: Path) -> tuple[str, str]:
    """Record what a chain records, in a process of its own; the run's id, and what was published as it comes back."""
    os.environ |= {"MLFLOW_TRACKING_URI": uri, "UDAMLF_WORK": f"{folder}/work", "UDAMLF_CACHE": f"{folder}/cache"}
    with chdir(folder):
        tracker = Tracker.connect()
        run_id = tracker.create_run(f"writer {number}", {"stage": "chain"})
        with ending(tracker, run_id):
            out = folder / f"out {number}" / "out"
            out.mkdir(parents=True)
            (out / "number.txt").write_text(str(number))
            log = RunLog(tracker, run_id, folder / "work" / run_id)
            for step in range(STEPS):
                log.log_metrics({"miou": number + step, "loss": -step}, step)
                if step == STEPS // 2:
                    log.flush()
            log.log_params({"cfg.seed": str(number)})
            log.complete(lambda: tracker.publish(run_id, out))
        return run_id, (tracker.fetch(run_id).path / "number.txt").read_text()


@pytest.fixture(scope="module")
def writers() -> Iterator[ProcessPoolExecutor]:
    """Eight processes, from the server of stages, which has imported mlflow; they write to every store."""
    warm_up()
    with ProcessPoolExecutor(WRITERS, mp_context=get_context("forkserver")) as pool:
        yield pool


@contextmanager
def authenticating_server(folder: Path) -> Iterator[str]:
    """`mlflow server --app-name basic-auth`, which passes artifacts on."""
    if importlib.util.find_spec("flask_wtf") is None:
        pytest.skip("no Flask-WTF (pip install 'mlflow[auth]')")
    port = free_port()
    lines = ["[mlflow]", "default_permission = READ", f"database_uri = sqlite:///{folder}/auth.db"]
    lines += ["admin_username = admin", f"admin_password = {SECRET}"]
    lines += ["authorization_function = mlflow.server.auth:authenticate_request_basic_auth"]
    (folder / "auth.ini").write_text("\n".join(lines))
    command = [str(BIN / "mlflow"), "server", "--app-name", "basic-auth", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/x.db", "--artifacts-destination", f"{folder}/kept"]
    variables = {"MLFLOW_AUTH_CONFIG_PATH": f"{folder}/auth.ini", "MLFLOW_FLASK_SERVER_SECRET_KEY": SECRET}
    with started(command, folder, variables=variables):
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 180)
        yield f"http://admin:{SECRET}@127.0.0.1:{port}"


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Debian's server on the loopback; it refuses to be root's."""
    if POSTGRES is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("no PostgreSQL server or client (apt-get install postgresql; pip install 'psycopg[binary]')")
    port, names = free_port(), {entry.pw_name for entry in pwd.getpwall()}
    user = next(name for name in ("postgres", "nobody") if name in names) if os.geteuid() == 0 else None
    (folder / "password").write_text(SECRET)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    data = str(folder / "data")
    initdb = [str(POSTGRES.with_name("initdb")), "-D", data, "-U", "me", "-A", "scram-sha-256", "--no-sync",
              f"--pwfile={folder}/password"]  # fmt: skip
    subprocess.run(initdb, check=True, user=user, cwd=folder, capture_output=True)
    ready = [str(POSTGRES.with_name("pg_isready")), "-h", "127.0.0.1", "-p", str(port)]
    server = [str(POSTGRES), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", data, "-F"]
    with started(server, folder, signal.SIGINT, user=user):  # SIGTERM would wait for its clients to leave
        wait_for(lambda: subprocess.run(ready, capture_output=True).returncode == 0)
        yield f"postgresql+psycopg://me:{SECRET}@127.0.0.1:{port}/postgres"


@contextmanager
def sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder}/mlflow.db"


STORES = {"sqlite": sqlite, "basic-auth": authenticating_server, "postgresql": postgresql}


@pytest.fixture(scope="module", params=STORES)
def store_at(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    """Address of a new, empty store, and a folder."""
    with folder_in_memory() as folder, STORES[request.param](folder) as uri:
        yield uri, folder


def test_eight_processes_write_at_once_and_nothing_is_lost(
    store_at: tuple[str, Path], writers: ProcessPoolExecutor
) -> None:
    """From the first moment on: the store has no tables yet."""
    uri, folder = store_at
    written = list(writers.map(write, [uri] * WRITERS, range(WRITERS), [folder] * WRITERS))
    assert [text for _, text in written] == [str(number) for number in range(WRITERS)]
    client = MlflowClient(uri)
    found = {run.info.run_id: run for run in client.search_runs(["0"])}
    assert found.keys() == {run_id for run_id, _ in written}
    for number, (run_id, _) in enumerate(written):
        run = found[run_id]
        assert run.info.status == "FINISHED" and run.data.params == {"cfg.seed": str(number)}
        history = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "miou")]
        assert sorted(history) == [(step, number + step) for step in range(STEPS)]


def test_a_password_in_the_address_is_never_shown(
    store_at: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither where it is refused nor where it is right: in no message, no address, no log of a library."""
    uri, folder = store_at
    if "@" not in uri:
        pytest.skip("this store has no password")
    monkeypatch.setenv("UDAMLF_WORK", str(folder / "work"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for place, message in ((uri, "no run"), (uri.replace(SECRET, f"not-{SECRET}"), "cannot open the tracking store")):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
        with pytest.raises(UserError, match=message) as refused:
            Tracker.connect().get("0" * 32)
        shown = capfd.readouterr()
        assert SECRET not in f"{refused.value} {shown.out} {shown.err}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert SECRET not in address(Tracker.connect())
