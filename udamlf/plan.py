"""What a chain is to do, before anything is done: the request, the steps of its method, the key of each step.

A step's *key* is a hash of everything its result depends on: a finished run with the same key is its result.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from udamlf.config import PROJECT_ROOT, Config
from udamlf.errors import UserError
from udamlf.files import digest_bytes, digest_json
from udamlf.resolve import resolve

SHARD = "shard"
"""Parameter and tag of a pseudo_label stage that observes a part of the list, "i/n"; prefix of such inputs' names."""
_CODE = PROJECT_ROOT / "udamlf"
# Code that decides how stages are started and shown, not what they compute.
_CODE_LEFT_OUT = ("chain.py", "cli.py", "commands.py", "doctor.py", "journal.py", "launch.py", "plan.py",
                  "recording.py", "report", "serving.py", "tracking.py", "upkeep.py")  # fmt: skip
_VERSIONS = ("torch", "numpy", "opencv-python")


@dataclass(frozen=True)
class Request:
    """What a user asked for: the arguments of ``udamlf.resolve.resolve``."""

    scenario: str
    method: str
    profile: str = ""
    seed: int = 0
    rounds: int | None = None
    data_root: str | None = None
    overrides: tuple[str, ...] = ()

    def resolve(self) -> Config:
        """The checked configuration. UserError: see ``udamlf.resolve.resolve``; a file of weights that is not there."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        config = resolve(**{**fields, "data_root": self._absolute_root()})
        _check_weight_files(config)
        return config

    def _absolute_root(self) -> str | None:
        """The data root in a form that other processes and later commands find."""
        return str(Path(self.data_root).expanduser().absolute()) if self.data_root else None

    def parameters(self) -> dict[str, str]:
        """As parameters of the MLproject, valid in any folder."""
        values = {
            "scenario": _absolute_yaml(self.scenario),
            "method": _absolute_yaml(self.method),
            "profile": _absolute_yaml(self.profile),
            "seed": str(self.seed),
            "rounds": "" if self.rounds is None else str(self.rounds),
            "data_root": self._absolute_root() or "",
            "set": shlex.join(self.overrides),
        }
        return {name: value for name, value in values.items() if value}

    def command(self) -> str:
        """The command line that repeats it."""
        parts = ["udamlf", "run"]
        for name, value in self.parameters().items():
            pairs = [("set", text) for text in self.overrides] if name == "set" else [(name, value)]
            parts += [text for key, shown in pairs for text in (f"--{key.replace('_', '-')}", shown)]
        return shlex.join(parts)

    def reference(self, method: str) -> Request:
        """The same budget and data for another method: what was set for the method itself falls away."""
        shared = tuple(o for o in self.overrides if not o.strip().startswith("method."))
        return replace(self, method=method, rounds=None, overrides=shared)


def _absolute_yaml(name: str) -> str:
    return str(Path(name).absolute()) if name.endswith((".yaml", ".yml")) else name


def _check_weight_files(config: Config) -> None:
    """Initial weights are there before the first stage starts, not only when a later one wants them.

    Raises:
        UserError: a local file is missing, or named by a path that means another file in a stage's own folder.
    """
    for number in range(config.method.rounds + 1):
        described = config.method.round_at(number) if number else None
        if described and (described.start == "last" or described.pretrain):
            continue
        given = config.backbone(number).params.get("weights")
        if given is None or given == "imagenet" or "://" in str(given):
            continue
        path = Path(given).expanduser()
        if not path.is_absolute() or not path.is_file():
            where = f"round {number}" if number else "the warm-up"
            key = f"method.round.{number}.model.weights" if number else "profile.model.weights"
            found = str(path.absolute()) if path.is_file() else f"/path/to/{path.name}"
            problem = "a relative path" if path.is_file() else "no such file"
            raise UserError(
                f"initial weights of {where}, {given}: {problem}", "an absolute path", f"--set {key}={found}"
            )


# --- plan ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One stage of one round; ``needs`` maps the names of its inputs to the steps that make them."""

    stage: str
    round: int
    needs: Mapping[str, Step] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.stage} {self.round}" if self.stage not in ("warmup", "target_subset", "evaluate") else self.stage


def plan(config: Config) -> list[Step]:
    """Warm-up, the choice of target images (where the method asks for one), then for each round pseudo-labels (where it
    has a selector) and a training, then one evaluation of all trainings; in an order in which they can run."""
    training = Step("warmup", 0)
    steps, evaluated, subset = [training], {"round0": training}, {}
    if config.method.target_subset and config.method.rounds:
        subset = {"subset": Step("target_subset", 1, {"generator": training})}
        steps.append(subset["subset"])
    for number in range(1, config.method.rounds + 1):
        needs = {"start": training, **subset}
        described = config.method.round_at(number)
        if described.selector:
            labels = Step("pseudo_label", number, {"generator": training, **subset})
            steps.append(labels)
            needs["labels"] = evaluated[f"labels{number}"] = labels
        if described.pretrain and described.start == "initial":
            needs["pretrain"] = Step("pretrain", number)
            steps.append(needs["pretrain"])
        training = Step("self_train", number, needs)
        steps.append(training)
        evaluated[f"round{number}"] = training
    return [*steps, Step("evaluate", config.method.rounds, evaluated)]


def until(steps: Sequence[Step], stage: str, round: int) -> list[Step]:
    """The plan up to and including one step. UserError when it has no such step."""
    for position, step in enumerate(steps):
        if (step.stage, step.round) == (stage, round):
            return list(steps[: position + 1])
    raise UserError(f"the method has no stage {stage} in round {round}", f"one of: {', '.join(map(str, steps))}")


# --- key -------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Hash of the package's sources that decide a result (not of a commit: edits count, comments elsewhere do not)."""
    files = sorted(p for p in _CODE.rglob("*.py") if p.relative_to(_CODE).parts[0] not in _CODE_LEFT_OUT)
    return digest_json({p.relative_to(_CODE).as_posix(): digest_bytes(p.read_bytes()) for p in files})


def lists_of(config: Config, stage: str, round: int) -> list[str]:
    """Lists of the scenario that a stage may read."""
    if stage == "evaluate":
        return [config.report_split, *(["target_train"] if config.profile.audit else [])]
    if stage == "target_subset":
        return ["target_train"]
    if stage == "pseudo_label":
        selector = config.method.round_at(round).selector
        from_source = selector is not None and selector.params.get("prior") == "source"
        return ["target_train", *(["source_train"] if from_source else [])]
    return ["source_train", "target_train"]


def step_key(config: Config, stage: str, round: int, inputs: Mapping[str, str], digest: Callable[[str], str]) -> str:
    """SHA-256 of everything the step's result depends on.

    Args:
        inputs: input name -> digest of its artifacts.
        digest: list name -> digest of the list.
    """
    return digest_json(
        {
            "stage": stage,
            "config": json.loads(json.dumps(config.stage_part(stage, round), default=str)),
            "inputs": dict(inputs),
            "data": {name: digest(name) for name in lists_of(config, stage, round)},
            "code": code_digest(),
            "versions": {name: version(name) for name in _VERSIONS},
        }
    )


def shard_key(key: str, shard: str | None) -> str:
    """Key of the stage that observes a part of what the step with ``key`` labels; ``key`` itself for no shard."""
    return digest_json([key, SHARD, shard]) if shard else key
