"""A chain that is killed leaves no process behind and no status that is not true, and goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

from tests.end_to_end.conftest import Place, wait_for
from udamlf.runs.launch import is_alive
from udamlf.runs.plan import Request, Step, plan
from udamlf.runs.tags import PROCESS

ENDLESS = "profile.warmup.steps=100000"


def work_folder(place: Place, run: Any) -> Path:
    return place.folder / ".udamlf" / "steps" / run.data.tags.get("udamlf.key", "none")


def journal(place: Place, run: Any) -> list[dict[str, Any]]:
    """Metrics that a run has recorded."""
    path = work_folder(place, run) / "journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [entry for entry in entries if "metrics" in entry and entry["run"] == run.info.run_id]


def start(place: Place, seed: int, command: list[str] | None = None) -> tuple[subprocess.Popen[str], Any, str]:
    """A chain (or the given command) whose warm-up is at work; the warm-up's run and its process."""
    chain = place.chain("source_only", "--no-references", "--set", ENDLESS, "--seed", str(seed))
    process = place.start(*(command or chain))

    def at_work() -> Any:
        running = [r for r in place.runs(stage="warmup", seed=str(seed)) if r.info.status == "RUNNING"]
        return running[0] if running and journal(place, running[0]) else None

    run = wait_for(at_work, 120)
    return process, run, run.data.tags[PROCESS]


def status(place: Place, run: Any) -> str:
    return next(r.info.status for r in place.runs() if r.info.run_id == run.info.run_id)


def test_a_chain_told_to_end_and_then_killed_outright(place: Place) -> None:
    """SIGTERM: everything is KILLED and the state is saved. The same command goes on from it. SIGKILL of its launcher:
    the stage ends too, and the run that nobody could close is closed by `udamlf runs reap`."""
    process, run, who = start(place, seed=1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in output
    assert is_alive(who) is False
    (parent,) = place.runs(stage="chain", seed="1")
    assert [status(place, r) for r in (run, parent)] == ["KILLED", "KILLED"]
    assert (work_folder(place, run) / "state.pt").is_file()

    process, again, who = start(place, seed=1)
    recorded = journal(place, again)
    assert recorded[0]["time_ms"] < again.info.start_time, "what was trained before is not trained again"
    steps = [entry["step"] for entry in recorded]
    assert steps == sorted(set(steps)), "and recorded once"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    wait_for(lambda: is_alive(who) is False)
    assert status(place, again) == "KILLED"
    parent = place.runs(stage="chain", seed="1")[0]
    assert status(place, parent) == "RUNNING"
    assert parent.info.run_id in place.udamlf("runs", "reap")
    assert status(place, parent) == "KILLED"


def test_a_stage_killed_outright_fails_the_chain_with_one_message(place: Place) -> None:
    process, run, who = start(place, seed=2)
    os.kill(int(who.rsplit(":", 2)[1]), signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "stage warmup failed" in output and "Traceback" not in output
    (parent,) = place.runs(stage="chain", seed="2")
    assert [status(place, r) for r in (run, parent)] == ["FAILED", "FAILED"]


def test_a_stopped_stage_does_not_hold_up_the_end(place: Place) -> None:
    """It hears nothing; its launcher waits for the grace period, or until it is told a third time."""
    process, run, who = start(place, seed=5)
    os.kill(int(who.rsplit(":", 2)[1]), signal.SIGSTOP)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        process.send_signal(number)
        time.sleep(1)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in output
    assert is_alive(who) is False
    (parent,) = place.runs(stage="chain", seed="5")
    assert [status(place, r) for r in (run, parent)] == ["KILLED", "KILLED"]


def test_a_chain_killed_after_each_of_its_stages_repeats_none(place: Place) -> None:
    """ProDA's three stages, pre-training included. Its launcher is killed as soon as a stage is finished; the same
    command then goes on with the next one. At the end every stage was finished once."""
    small = [f"profile.round.batch.{domain}=2" for domain in ("source", "target")]
    small += [f"method.round.{number}.training={{steps: 2}}" for number in (1, 2, 3)]
    small += ["method.round.2.pretrain.training={steps: 2, batch.target: 2}"]
    options = [text for override in small for text in ("--set", override)]
    command = place.chain("proda", "--no-references", "--seed", "4", *options)
    steps = plan(Request("syn2city", "proda", data_root=str(place.world), overrides=tuple(small)).resolve())
    assert [step.stage for step in steps].count("self_train") == 3 and any(s.stage == "pretrain" for s in steps)

    def finished(step: Step) -> list[Any]:
        runs = place.runs(stage=step.stage, round=str(step.round), seed="4")
        return [run for run in runs if run.info.status == "FINISHED"]

    for step in steps[:-1]:
        process = place.start(*command)
        wait_for(partial(finished, step), 120)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert finished(step), step
    done = place.call(*command)
    assert done.returncode == 0, done.stderr
    assert [len(finished(step)) for step in steps] == [1] * len(steps)


def test_ctrl_c_on_mlflow_run_ends_the_entry_point_as_killed(place: Place) -> None:
    """A terminal sends SIGINT to every process of the group; MLflow then sends SIGTERM to its child, and replaces the
    child's KILLED by FAILED: `reap`, which every chain calls, puts that right."""
    command = place.mlflow_run("warmup", scenario="syn2city", method="source_only", seed="3", set=ENDLESS)
    process, run, who = start(place, 3, command)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    wait_for(lambda: is_alive(who) is False)
    place.udamlf("runs", "reap")
    assert status(place, run) == "KILLED"
    assert (work_folder(place, run) / "state.pt").is_file()
