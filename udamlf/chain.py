"""Runs a plan: each step reuses a finished run or becomes a process.

A finished run with a step's key and its artifacts in place is the step's result; two chains that need the same step at
once do it once.
"""

from __future__ import annotations

import fcntl
import json
import logging
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from udamlf.data.lists import ScenarioData
from udamlf.errors import UserError
from udamlf.files import digest_json
from udamlf.launch import GRACE_S, LOCAL, environment, gpus, identity, is_alive, launch_stage, launch_together
from udamlf.plan import SHARD, Request, Step, plan, shard_key, step_key
from udamlf.recording import Run
from udamlf.selection.base import Selector, build
from udamlf.tracking import CHAIN, DIGEST, ERROR, KEY, PROCESS, Input, Tracker

REFERENCES = ("source_only", "adabn")
logger = logging.getLogger("udamlf")


@contextmanager
def only_once(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a piece of work; says for whom it waits. A holder that dies releases it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            logger.warning("waiting for process %s, which is at the same work: %s", handle.read().strip(), what)
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(identity())
        handle.flush()
        yield


@dataclass(frozen=True)
class Done:
    """A finished step."""

    step: Step
    result: Input
    reused: bool


@dataclass(frozen=True)
class Work:
    """A stage to start: its name for people, entry point, parameters and run."""

    name: str
    stage: str
    parameters: dict[str, str]
    run_id: str


class Chain:
    """Runs the plan of one request under a parent run.

    Args:
        tracker: store and experiment.
        env_manager: MLflow's environment manager, passed on to every stage.
        launch: starts one stage and waits for it (replaced in tests).
        processes: how many stages may run at once; default: one for every GPU, or one.
    """

    def __init__(
        self,
        request: Request,
        tracker: Tracker,
        env_manager: str = LOCAL,
        launch: Callable[..., bool] = launch_stage,
        processes: int | None = None,
    ) -> None:
        self.request, self.tracker, self.env_manager, self.launch = request, tracker, env_manager, launch
        self.processes = max(len(gpus()), 1) if processes is None else processes
        self.config = request.resolve()
        self.data = ScenarioData(self.config)
        self.list_digest = lru_cache(maxsize=None)(self.data.digest)
        if self.config.method.target_subset:
            self.config.method.target_subset.check(len(self.data.samples("target_train")))

    def tags(self) -> dict[str, str]:
        """Tags that a parent and its children share."""
        config = self.config
        return {
            "scenario": config.scenario.name,
            "method": config.method.name,
            "role": config.method.role,
            "profile": config.profile.name,
            "seed": str(config.seed),
            "data": self.data.kind,
        }

    def parent_tags(self) -> dict[str, str]:
        """Tags of the parent run: what ``compare`` groups by."""
        config = self.config
        rest = config.model_dump(
            mode="json", exclude={"seed": True, "data_root": True, "method": {"scenarios", "profiles"}}
        )
        lists = {name: self.list_digest(name) for name in ("source_train", "target_train", config.report_split)}
        overrides = [*self.request.overrides, *([f"rounds={self.request.rounds}"] if self.request.rounds else [])]
        return {
            **self.tags(),
            "stage": CHAIN,
            "rounds": str(config.method.rounds),
            "split": config.report_split,
            "label_space": config.scenario.label_space,
            "overrides": shlex.join(overrides),
            "udamlf.config": digest_json(rest),
            "udamlf.data": digest_json(lists),
        }

    def name(self) -> str:
        """Short name of the parent run: MLflow's tables cut at 18 characters."""
        return f"{self.config.method.name}-s{self.config.seed}"

    def run(self, parent: Run, steps: Sequence[Step] | None = None) -> list[Done]:
        """Do the steps (default: the whole plan) and record on ``parent`` what they found, by round."""
        parent.log_params({f"cfg.{key}": value for key, value in self.config.flat().items()})
        parent.set_tags({**self.parent_tags(), PROCESS: identity()})
        parent.log_text(self.config.to_yaml(), "config.yaml")
        parent.flush()
        done: dict[Step, Done] = {}
        steps = plan(self.config) if steps is None else steps
        for position, step in enumerate(steps, 1):
            inputs = {name: done[need].result for name, need in step.needs.items()}
            done[step] = self._do(step, inputs, parent.run_id)
            how = "reused" if done[step].reused else "done"
            logger.info("%s: %d/%d %s %s", self.name(), position, len(steps), step, how)
            parent.set_tags({f"udamlf.run.{step.stage}.{step.round}": done[step].result.run_id})
            self._record(parent, done[step])
        return list(done.values())

    def _do(self, step: Step, inputs: Mapping[str, Input], parent_id: str) -> Done:
        digests = {name: given.tags[DIGEST] for name, given in inputs.items()}
        key = step_key(self.config, step.stage, step.round, digests, self.list_digest)
        with only_once(self.tracker.work / "locks" / key, str(step)):
            found = self._finished(key)
            if found:
                return Done(step, found, reused=True)
            given = {**inputs, **self._shards(step, inputs, parent_id, key)}
            work = self._work(str(step), step, given, parent_id, {KEY: key})
            self._launch([work])
            return Done(step, self.tracker.fetch(work.run_id), reused=False)

    def _work(
        self, name: str, step: Step, inputs: Mapping[str, Input], parent_id: str, tags: Mapping[str, str]
    ) -> Work:
        """A stage about to be started, with a run of its own."""
        described = {**self.tags(), "stage": step.stage, "round": str(step.round), **tags}
        run_id = self.tracker.create_run(f"{self.name()} {name}", described, parent_id)
        parameters = {**self.request.parameters(), "round": str(step.round), **input_parameters(step.stage, inputs)}
        return Work(name, step.stage, parameters | {n: t for n, t in tags.items() if n == SHARD}, run_id)

    def _shards(self, step: Step, inputs: Mapping[str, Input], parent_id: str, key: str) -> dict[str, Input]:
        """Have the target list observed in as many processes as there may be; what labels it then starts from their
        counts. The labels do not depend on it, and so neither does their key."""
        count = min(self.processes, len(self.data.samples("target_train")))
        selector = self._selector(step)
        if count < 2 or selector is None or not selector.shardable:
            return {}
        names = [f"{number}/{count}" for number in range(1, count + 1)]
        shards = {text: shard_key(key, text) for text in names}
        found = {text: self._finished(shard_key) for text, shard_key in shards.items()}
        started = {
            text: self._work(f"{step} shard {text}", step, inputs, parent_id, {KEY: shards[text], SHARD: text})
            for text in shards
            if found[text] is None
        }
        self._launch(list(started.values()))
        ready = {text: found[text] or self.tracker.fetch(started[text].run_id) for text in shards}
        return {f"shard{text.partition('/')[0]}": result for text, result in ready.items() if result}

    def _selector(self, step: Step) -> Selector | None:
        part = self.config.method.round_at(step.round).selector if step.stage == "pseudo_label" else None
        return build(part.name, part.params, self.config.space, step.round) if part else None

    def _finished(self, key: str) -> Input | None:
        for run in self.tracker.search({KEY: key}):
            try:
                return self.tracker.fetch(run.info.run_id)
            except UserError as error:
                logger.warning("not reused: %s", error.found)
        return None

    def _launch(self, works: Sequence[Work]) -> None:
        """Run stages, at once if there are several, to their end."""
        calls = [(w.stage, w.parameters, w.run_id, self.tracker.experiment_id, self.env_manager) for w in works]
        try:
            with environment({"UDAMLF_WORK": str(self.tracker.work)}):
                alone = len(calls) == 1
                succeeded = [self.launch(*calls[0])] if alone else launch_together(self.launch, calls)
        except KeyboardInterrupt:
            for work in works:
                self._await_end(work.run_id)
                if self.tracker.get(work.run_id).info.status != "FINISHED":
                    self.tracker.client.set_terminated(work.run_id, "KILLED")
            raise
        except Exception as error:
            for work in works:
                self.tracker.end(work.run_id, "FAILED", str(error))
            message = f"stage {works[0].name} could not be started: {error}"
            raise UserError(message, f"a working environment ({self.env_manager})", "udamlf doctor") from error
        failed = [work for work, well in zip(works, succeeded, strict=True) if not well]
        for work in failed:
            self.tracker.end(work.run_id, "FAILED")
        if failed:
            first = failed[0]
            reason = self.tracker.get(first.run_id).data.tags.get(ERROR, "its process ended without a message")
            raise UserError(f"stage {first.name} failed (run {first.run_id}): {reason}")

    def _await_end(self, run_id: str) -> None:
        """Wait for a stage that was told to stop; it ends itself within the grace period."""
        deadline = time.monotonic() + GRACE_S + 5
        while time.monotonic() < deadline:
            run = self.tracker.get(run_id)
            who = run.data.tags.get(PROCESS, "")
            if run.info.status != "RUNNING" or who == identity() or not is_alive(who):
                return
            time.sleep(0.2)

    def _record(self, parent: Run, done: Done) -> None:
        """Copy a step's findings to the parent, with step = round, so that MLflow draws lines over rounds."""
        if done.step.stage in ("pseudo_label", "self_train"):  # the latter: labels made while training (ema_mix)
            found = self.tracker.get(done.result.run_id).data.metrics
            quality = {name: value for name, value in found.items() if name.startswith("pl/")}
            parent.log_metrics(quality, done.step.round)
        if done.step.stage == "evaluate":
            for entry in evaluation(done)["rounds"]:
                headline = entry["miou"][self.config.space.headline]
                shown = {"miou": headline} if headline is not None else {}
                parent.log_metrics({**entry["metrics"], **shown}, entry["round"])
            parent.set_tags({"udamlf.complete": "true"})


def evaluation(done: Done) -> dict[str, Any]:
    """What an evaluate step published."""
    text = (done.result.path / "evaluation" / "evaluation.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result


def input_parameters(stage: str, inputs: Mapping[str, Input]) -> dict[str, str]:
    """The run ids of a stage's inputs as parameters of its entry point: ``start_run=…``; many of a kind as
    ``runs="round0=… …"`` (evaluate) or ``runs="shard1=… …"`` (pseudo_label)."""
    many = {name: given for name, given in inputs.items() if stage == "evaluate" or name.startswith(SHARD)}
    parameters = {f"{name}_run": given.run_id for name, given in inputs.items() if name not in many}
    return parameters | ({"runs": " ".join(f"{n}={given.run_id}" for n, given in many.items())} if many else {})
