"""The tags of a run: their names, and whether they are what this program writes.

Tags with a plain name (``method``, ``scenario``, ``stage`` …) are for people and filters; ``udamlf.*`` is machinery."""

import logging
import shlex
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from udamlf.common.errors import CONTROL_CHARACTER, UserError
from udamlf.config.labels import find_space

KEY, DIGEST, PROCESS, HEARTBEAT = "udamlf.key", "udamlf.artifacts_digest", "udamlf.process", "udamlf.heartbeat"
TRACKING, ERROR, REQUEST = "udamlf.tracking", "udamlf.error", "udamlf.request"
DESCRIPTION, COMMIT = "mlflow.note.content", "mlflow.source.git.commit"
CHAIN = "chain"  # tag ``stage`` of a chain's parent run
COMMAND, _STEP = "udamlf.command", "udamlf.run."  # of a chain: what repeats it; before STAGE.ROUND, its runs
MODEL, NETWORKS = "udamlf.model", "networks"  # id of the LoggedModel; the model's folder of checkpoint folders
HOURS, DEVICE = "udamlf.hours", "device"  # how long a stage worked, all its processes together, and where the last did
PRUNED = "udamlf.pruned"  # of a training whose checkpoint was deleted
INTERRUPTED = "interrupted by a signal"  # the error of a run that a signal ended
KEY_FILE = "key.json"  # artifact of a stage's run: the parts of its key
_warn = cache(logging.getLogger("udamlf").warning)  # one line a run


def step_tag(stage: str, round: int) -> str:
    """The tag of a chain that names the run of a step."""
    return f"{_STEP}{stage}.{round}"


def step_runs(tags: Mapping[str, str]) -> dict[tuple[str, int], str]:
    """(stage, round) -> id of its run, from the tags of a chain."""
    names = {tag: tag.removeprefix(_STEP).rsplit(".", 1) for tag in tags if tag.startswith(_STEP)}
    return {(stage, int(round)): tags[tag] for tag, (stage, round) in sorted(names.items())}


# Tags that are more than text, with what reads them.
_READ: dict[str, Callable[[str], Any]] = {
    "seed": int, "round": int, "udamlf.scored": int, HEARTBEAT: float, HOURS: float, "label_space": find_space,
    "overrides": shlex.split, "data": ("real", "miniature").index,
}  # fmt: skip
_OF_A_CHAIN = {"scenario", "method", "seed", "data", "label_space"}


def damage(run: Any) -> str:
    """The tag or param that makes a run unreadable, empty where all are fine: who shares a store may write anything."""
    tags = run.data.tags
    if "udamlf.complete" in tags and (missing := _OF_A_CHAIN - tags.keys()):
        return f"without {', '.join(sorted(missing))}"
    for name, value in tags.items():
        try:
            _READ.get(name, str)(value)
            step_runs({name: value})
        except (ValueError, UserError):
            return f"{name}={value!r}"
    if tags.get("udamlf.complete") == "true" and "evaluate" not in {stage for stage, _ in step_runs(tags)}:
        return "a whole chain without an evaluation"
    shown = {name: value for name, value in {**run.data.params, **tags}.items() if not name.startswith("mlflow.")}
    return next((f"{name}={value!r}" for name, value in shown.items() if CONTROL_CHARACTER.search(name + value)), "")


def readable(run: Any) -> bool:
    """Whether a run can be read; of one that cannot, one line tells that it is left out."""
    if why := damage(run):
        _warn("run %s is left out: %s", run.info.run_id, why)
    return not why
