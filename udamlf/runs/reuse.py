"""What of a chain is there already: finished runs, why a step has none, who is at work on one; how long it takes."""

import logging
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from udamlf.common.errors import UserError
from udamlf.config.schema import Config
from udamlf.data.splits import ScenarioData
from udamlf.report import comparison
from udamlf.runs.maintenance import is_gone
from udamlf.runs.plan import Digest, Request, Step, data_root, key_of, key_parts, plan
from udamlf.runs.recipes import differing
from udamlf.runs.tags import CHAIN, DIGEST, KEY, KEY_FILE, PROCESS, step_tag
from udamlf.runs.tracker import Tracker
from udamlf.stages.stage import Input

SILENT_MIN, POLL_S = 10.0, 5.0
_KINDS = {"config": "configuration", "inputs": "input", "data": "data", "code": "code", "versions": "version",
          "files": "file of weights", "space": "label space"}  # fmt: skip
_SHOWN = 4  # differences of a kind; the rest is counted
logger = logging.getLogger("udamlf")


def claim(tracker: Tracker, key: str, create: Callable[[], str]) -> Input | str:
    """The finished run of a key; or the id of a new run of it, which is this process's to do and nobody else's. Between
    machines the store decides: everyone creates a run and looks for others. Of two that begin at once at least one sees
    the other, and withdraws; who sees another at work waits for its end, or until it is silent."""
    told = False
    while not (finished := tracker.finished(key)):
        others = _at_work(tracker, key)
        if others:
            if not told:
                who = ", ".join(f"process {process} (run {run_id})" for run_id, process in others.items())
                logger.warning("waiting for what is at the same work: %s", who)
            told = True
            time.sleep(POLL_S)
        elif not tracker.finished(key):  # none that has ended between the two looks
            mine = create()
            if _at_work(tracker, key).keys() == {mine}:
                return mine
            tracker.client.delete_run(mine)
            time.sleep(int(mine[:2], 16) / 64)  # not at the same moment again
    return finished


def _at_work(tracker: Tracker, key: str) -> dict[str, str]:
    """Run id -> process of those that are at work on a key."""
    running = tracker.search({KEY: key}, status="RUNNING")
    return {run.info.run_id: run.data.tags.get(PROCESS, "") for run in running if not is_gone(run, SILENT_MIN)}


def changes(tracker: Tracker, config: Config, step: Step, parts: dict[str, Any]) -> str:
    """Why a step has no finished run: what is not as in the newest chain of the same names and seed; may be empty."""
    chains = tracker.search({"stage": CHAIN, **config.names, "seed": str(config.seed)}, status=None)
    tag = step_tag(step.stage, step.round)
    run_id = next((run.data.tags[tag] for run in chains if tag in run.data.tags), None)
    if run_id is None:
        return ""
    try:
        recorded = tracker.mapping(run_id, KEY_FILE)
        why = differences(recorded, parts) if recorded else f"it has no {KEY_FILE} to say why"
    except UserError as error:
        why = error.message
    return f"unlike run {run_id}: {why or 'its artifacts are missing or damaged'}"


def differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    """What differs between two keys' parts, by kind; of settings and versions the values."""
    texts = []
    for kind, group in groupby(differing(old, new), key=lambda change: change[0].partition(".")[0]):
        values = kind in ("config", "versions")
        named = [f"{key.partition('.')[2]}{f' {a} -> {b}' if values else ''}".strip() for key, a, b in group]
        more = [f"{len(named) - _SHOWN} more"] if len(named) > _SHOWN else []
        texts.append(f"{_KINDS.get(kind, kind)} {', '.join(named[:_SHOWN] + more)}".strip())
    return "; ".join(texts)


@dataclass(frozen=True)
class Planned:
    """A step and the finished run that is its result. ``parts`` are its key's; for an input that is yet to be made they
    have a hash of what that will be made of, so that two chains share a step where they share its ``key``."""

    step: Step
    parts: dict[str, Any]
    key: str
    run: Input | None


def survey(config: Config, tracker: Tracker | None, digest: Digest | None = None) -> list[Planned]:
    """Every step of a chain as it stands in the store (None: there is none); ``digest``: of splits, where known."""
    planned: dict[Step, Planned] = {}
    digest = digest or cache(ScenarioData(config, data_root(config)).digest)
    for step in plan(config):
        needs = {name: planned[need] for name, need in step.needs.items()}
        inputs = {name: need.run.tags[DIGEST] if need.run else need.key for name, need in needs.items()}
        parts = key_parts(config, step.stage, step.round, inputs, digest)
        key, made = key_of(parts), all(need.run for need in needs.values())
        planned[step] = Planned(step, parts, key, tracker.finished(key, pruned=True) if tracker and made else None)
    return list(planned.values())


def finished_chain(config: Config, tracker: Tracker, digest: Digest | None = None) -> Any | None:
    """The newest parent run that has recorded the finished runs of every step; None where one is to do."""
    planned = survey(config, tracker, digest)
    if not all(each.run for each in planned):
        return None
    done = {**comparison.finished(), "method": config.method.name, "seed": str(config.seed)}
    done |= {step_tag(each.step.stage, each.step.round): each.run.run_id for each in planned[-1:] if each.run}
    return next(iter(tracker.search(done, most=1)), None)


def forecast(requests: Sequence[Request], tracker: Tracker | None, at_once: int = 1) -> Iterator[str]:
    """Lines for people: the steps of every chain, which are reused, why the others are not, and how long they take."""
    seen: set[str] = set()
    total, unknown = 0.0, 0
    for request in requests:
        config = request.resolve()
        yield f"{request.title()}:"
        for each in survey(config, tracker):
            if each.run:
                state = f"reused: run {each.run.run_id}"
            elif each.key in seen:
                state = "shared with a chain above"
            else:
                took = _seconds(tracker, each.step.stage, config.profile.name, config.method.name) if tracker else None
                total, unknown = total + (took or 0), unknown + (took is None)
                why = changes(tracker, config, each.step, each.parts) if tracker else ""
                state = f"to do, {'time unknown' if took is None else f'about {took:.0f} s'}" + (why and f" ({why})")
            seen.add(each.key)
            yield f"  {each.step!s:16} {state}"
    spread = f" with {at_once} chains at once" if at_once > 1 else ""
    known = [f"about {total / at_once / 60:.1f} min{spread}"] if total or not unknown else []
    yield f"to do: {', and '.join([*known, *([f'{unknown} steps of unknown time'] if unknown else [])])}"


@cache
def _seconds(tracker: Tracker, stage: str, profile: str, method: str) -> float | None:
    """What a stage has taken: median of its newest runs, of the method where it has any."""
    for same in ({"stage": stage, "profile": profile, "method": method}, {"stage": stage, "profile": profile}):
        runs = [run for run in tracker.search(same, most=20) if DIGEST in run.data.tags]
        if runs:
            return statistics.median((run.info.end_time - run.info.start_time) / 1000 for run in runs)
    return None
