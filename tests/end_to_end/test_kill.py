"""A chain that is killed leaves no process behind and no status that is not true, and goes on where it was."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from tests.end_to_end.conftest import Place, wait_for
from udamlf.launch import is_alive
from udamlf.tracking import PROCESS

ENDLESS = ("--no-references", "--set", "profile.warmup.steps=100000")


def start(place: Place, seed: int) -> tuple[subprocess.Popen[str], Any, str]:
    """A chain whose warm-up is at work; the warm-up's run and its process."""
    process = place.start(*place.chain("source_only", *ENDLESS, "--seed", str(seed)))

    def at_work() -> Any:
        runs = place.runs(stage="warmup", seed=str(seed))
        key = runs[0].data.tags["udamlf.key"] if runs else ""
        journal = place.folder / ".udamlf" / "steps" / key / "journal.jsonl"
        return runs[0] if runs and journal.is_file() and "train/" in journal.read_text() else None

    run = wait_for(at_work)
    return process, run, run.data.tags[PROCESS]


def status(place: Place, run_id: str) -> str:
    return next(run.info.status for run in place.runs() if run.info.run_id == run_id)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_ends_everything_as_killed_with_the_state_saved(
    place: Place, number: signal.Signals
) -> None:
    seed = int(number)
    process, run, who = start(place, seed)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in output
    assert is_alive(who) is False
    (parent,) = place.runs(stage="chain", seed=str(seed))
    assert [status(place, r.info.run_id) for r in (run, parent)] == ["KILLED", "KILLED"]
    work = place.folder / ".udamlf" / "steps" / run.data.tags["udamlf.key"]
    assert (work / "state.pt").is_file()


def test_a_launcher_killed_outright_takes_its_stage_along_and_reap_closes_its_run(place: Place) -> None:
    process, run, who = start(place, 100)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: is_alive(who) is False)
    assert status(place, run.info.run_id) == "KILLED"
    (parent,) = place.runs(stage="chain", seed="100")
    assert status(place, parent.info.run_id) == "RUNNING"
    assert parent.info.run_id in place.udamlf("runs", "reap")
    assert status(place, parent.info.run_id) == "KILLED"


def test_a_stage_killed_outright_fails_the_chain_and_the_next_call_goes_on(place: Place) -> None:
    process, run, who = start(place, 101)
    os.kill(int(who.rsplit(":", 2)[1]), signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "stage warmup failed" in output and "Traceback" not in output
    (parent,) = place.runs(stage="chain", seed="101")
    assert [status(place, r.info.run_id) for r in (run, parent)] == ["FAILED", "FAILED"]
    assert "udamlf.artifacts_digest" not in run.data.tags
