"""A chain that is killed leaves no process behind and no status that is not true, and goes on where it was."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.end_to_end.conftest import STEPS, UDAMLF, Place, new_place, wait_for
from tests.in_process import small
from tests.soak import KILLS, METHODS
from udamlf.config.compose import resolve
from udamlf.runs.launch import PROJECT_ROOT, is_alive
from udamlf.runs.plan import Request, Step, plan
from udamlf.runs.tags import CHAIN, DIGEST, PROCESS

ENDLESS = "profile.warmup.steps=100000"


def work_folder(place: Place, run: Any) -> Path:
    return place.work / "steps" / run.data.tags.get("udamlf.key", "none")


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

    run = wait_for(at_work, 300)
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


def test_the_error_of_a_stage_is_told_once_by_its_chain(place: Place) -> None:
    too_fast = ("--set", "profile.warmup.optimiser.lr=1e30", "--seed", "6")
    process = place.start(*place.chain("source_only", "--no-references", *too_fast))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and output.count("Error: ") == output.count("is not finite") == 1, output
    assert "stage warmup failed (run " in output and "a lower optimiser.lr" in output


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


def test_a_chain_killed_after_each_kind_of_stage_repeats_none(place: Place) -> None:
    """Two rounds of ProDA. Its launcher is killed as soon as the first stage of every kind is finished; the same
    command then goes on with the next stage. At the end every stage was finished once."""
    small = [f"profile.round.batch.{domain}=2" for domain in ("source", "target")]
    small += ["method.rounds=2", *(f"method.round.{number}.training={{steps: 2}}" for number in (1, 2))]
    small += ["method.round.2.pretrain.training={steps: 2, batch.target: 2}"]
    options = [text for override in small for text in ("--set", override)]
    command = place.chain("proda", "--no-references", "--seed", "4", *options)
    steps = plan(Request("syn2city", "proda", data_root=str(place.world), overrides=tuple(small)).resolve())
    assert [step.stage for step in steps].count("self_train") == 2 and any(s.stage == "pretrain" for s in steps)

    def finished(step: Step) -> list[Any]:
        runs = place.runs(stage=step.stage, round=str(step.round), seed="4")
        return [run for run in runs if run.info.status == "FINISHED"]

    first = {step.stage: step for step in reversed(steps)}
    assert first.keys() == {"warmup", "evaluate", "pseudo_label", "self_train", "pretrain"}
    for step in sorted(first.values(), key=steps.index):
        process = place.start(*command)
        wait_for(partial(finished, step), 300)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        assert finished(step), step
    done = place.call(*command)
    assert done.returncode == 0, done.stderr
    assert [len(finished(step)) for step in steps] == [1] * len(steps)


def test_ctrl_c_on_mlflow_run_ends_the_entry_point_as_killed(place: Place) -> None:
    """A terminal sends SIGINT to every process of the group; MLflow then sends SIGTERM to its child, and replaces the
    child's KILLED by FAILED: `reap`, which every chain calls, puts that right."""
    endless = " ".join((*STEPS, ENDLESS))
    command = place.mlflow_run("warmup", scenario="syn2city", method="source_only", seed="3", set=endless)
    process, run, who = start(place, 3, command)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    wait_for(lambda: is_alive(who) is False)
    place.udamlf("runs", "reap")
    assert status(place, run) == "KILLED"
    assert (work_folder(place, run) / "state.pt").is_file()


def test_mlflow_run_killed_as_it_starts_an_entry_point_leaves_no_process(place: Place) -> None:
    """In the moment in which its child is there, and has imported nothing; its run is closed by `reap`."""
    process = place.start(*place.mlflow_run("warmup", scenario="syn2city", seed="6", set=" ".join((*STEPS, ENDLESS))))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def entry_point() -> Path | None:
        for path in (Path(f"/proc/{number}/cmdline") for number in children.read_text().split()):
            with suppress(OSError):  # a child that has ended meanwhile (git)
                if b"entrypoints/stage.py" in path.read_bytes():
                    return path
        return None

    child = wait_for(entry_point, 120, pause_s=0.001)
    process.kill()
    process.communicate(timeout=60)
    wait_for(lambda: not child.exists())
    place.udamlf("runs", "reap")
    assert "RUNNING" not in {run.info.status for run in place.runs()}


def test_an_entry_point_told_to_end_while_it_imports_closes_its_run(place: Place) -> None:
    """As a batch system ends a job: SIGTERM to `mlflow run` too, which then closes nothing."""
    run = MlflowClient(place.uri).create_run("0")
    command = [sys.executable, "entrypoints/stage.py", "warmup", "--scenario", "syn2city"]
    variables = {**place.environment, "MLFLOW_RUN_ID": run.info.run_id}
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables, stderr=subprocess.PIPE, text=True)

    def hears() -> bool:
        fields = dict(line.split(":\t") for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        return bool(int(fields["SigCgt"], 16) >> signal.SIGTERM - 1 & 1)

    wait_for(hears, pause_s=0.01)
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in errors
    assert status(place, run) == "KILLED"


# --- at any moment ---------------------------------------------------------------------------------------------------


CLOCKED = {"train/images_per_s", "cost/frames_per_second", "cost/hours"}


def record(place: Place) -> dict[tuple[str, ...], Any]:
    """Stage and round of every finished run -> the digest of all files that it has published and every value of every
    metric; without what a clock measures."""
    client, kept = MlflowClient(place.uri), {}
    for run in place.runs():
        if run.info.status == "FINISHED":
            names = sorted(run.data.metrics.keys() - CLOCKED)
            histories = {name: client.get_metric_history(run.info.run_id, name) for name in names}
            values = {name: sorted((m.step, repr(m.value)) for m in history) for name, history in histories.items()}
            stage = run.data.tags["stage"]
            is_whole = stage != CHAIN or run.data.tags.get("udamlf.complete")
            step = (stage, run.data.tags.get("round", "") if stage != CHAIN else "")
            assert step not in kept and is_whole, f"{step} was finished twice, or in part"
            # evaluation.json names the run that it scores: of an evaluation the numbers are compared.
            kept[step] = run.data.tags.get(DIGEST) if stage != "evaluate" else None, values
    return kept


def kill(place: Place, launcher: subprocess.Popen[str], how: str) -> None:
    """Tell the launcher to end, or end outright the stage that is at work or, where there is none, the launcher."""
    at_work = [run.data.tags[PROCESS] for run in place.runs() if run.info.status == "RUNNING"]
    stages = [int(who.rsplit(":", 2)[1]) for who in at_work if is_alive(who)]
    victims = [number for number in stages if number != launcher.pid] if how == "stage" else []
    for number in victims or [launcher.pid]:
        os.kill(number, signal.SIGTERM if how == "told" else signal.SIGKILL)


@pytest.mark.parametrize("method", METHODS)
def test_killed_at_random_moments_a_chain_ends_as_if_undisturbed(
    method: str, empty_store: Path, tiny_world: Path
) -> None:
    """``SOAK_KILLS`` times, chain after chain, at the default interval between two saves: the same files, the same
    metrics step by step, each step finished once, no process left and no run that is said to be at work."""
    described = resolve("syn2city", method).method.round
    rounds = () if described is None or isinstance(described, tuple) else ("method.rounds=1",)
    steps = 20 if KILLS == 1 else 60
    more = (*rounds, f"profile.warmup.steps={steps}", f"profile.round.steps={steps}")
    overrides = small(method, tiny_world, *more, scenario="syn2city").overrides
    options = [text for override in overrides for text in ("--set", override)]
    command = [UDAMLF, "run", "--scenario", "syn2city", "--method", method, "--data-root",
               str(tiny_world), "--no-references", *options]  # fmt: skip
    with new_place(empty_store, tiny_world) as place:
        begun = time.monotonic()
        done = place.call(*command)
        assert done.returncode == 0, done.stderr
        seconds, undisturbed = time.monotonic() - begun, record(place)
    draw, kills = random.Random(method), 0
    while kills < KILLS:
        with new_place(empty_store, tiny_world) as place:
            whole = True
            while True:
                how, moment = draw.choice(["told", "outright", "stage"]), draw.uniform(0, seconds)
                early, before, process = draw.random() < 0.1, len(place.runs()), place.start(*command)
                while not early and process.poll() is None and len(place.runs()) == before:
                    time.sleep(0.1)  # until it has imported what it needs, which takes as long as a chain, and begun
                begun = time.monotonic()
                try:
                    output, _ = process.communicate(timeout=moment if kills < KILLS else 600)
                except subprocess.TimeoutExpired:
                    kill(place, process, how)
                    kills, whole = kills + 1, False
                    output, _ = process.communicate(timeout=120)
                assert "Traceback" not in output, f"{method}, killed ({how}) after {moment:.2f} s:\n{output}"
                if process.returncode == 0:
                    break
            if whole:  # the machine has less to do than at first: the moments were chosen too late
                seconds = min(seconds, time.monotonic() - begun)
            assert record(place) == undisturbed, f"{method}, {kills} kills"
            place.udamlf("runs", "reap")
            runs = place.runs()
            assert "RUNNING" not in {run.info.status for run in runs}
            assert not any(is_alive(run.data.tags[PROCESS]) for run in runs)
