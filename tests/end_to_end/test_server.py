"""The same over HTTP: a chain against `mlflow server`, and the comparison page in a browser."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import BIN, Place, wait_for

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)


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


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[tuple[str, str]]:
    """(address of a server started by `udamlf ui`, the page that it printed)."""
    port = free_port()
    process = place.start(str(BIN / "udamlf"), "ui", "--port", str(port), "--scenario", "syn2city")
    assert process.stdout is not None
    page = next(line for line in process.stdout if line.startswith("http")).strip()
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}"), 120)
        yield f"http://127.0.0.1:{port}", page
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


@pytest.fixture(scope="module")
def remote(place: Place, server: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose store is the server, with a finished chain."""
    remote = Place(tmp_path_factory.mktemp("remote"), place.world, server[0])
    done = remote.call(*remote.chain("source_only", "--no-references"))
    assert done.returncode == 0, done.stderr
    assert "compare in MLflow: " + server[0] in done.stdout
    return remote


def test_a_chain_over_http_finishes_and_is_reused(remote: Place) -> None:
    assert {run.info.status for run in remote.runs()} == {"FINISHED"}
    done = remote.call(*remote.chain("source_only", "--no-references"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reused") == 2 and len(remote.runs(stage="warmup")) == 1


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine (apt-get install chromium)")
def test_the_comparison_page_shows_the_runs_and_their_metrics(
    remote: Place, server: tuple[str, str], tmp_path: Path
) -> None:
    assert BROWSER is not None
    (parent,) = remote.runs(stage="chain")[-1:]
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}",
               "--window-size=1920,1080", "--virtual-time-budget=60000", "--dump-dom", server[1]]  # fmt: skip
    page = subprocess.run(command, capture_output=True, text=True, timeout=180).stdout
    assert parent.data.tags["mlflow.runName"] in page
    assert "miou" in page and f"{parent.data.metrics['miou']:.1f}"[:3] in page
