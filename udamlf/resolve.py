"""From names and overrides to a checked configuration.

``resolve`` merges, in this order: the three files, the method's own values for the scenario and then for the profile
(its ``scenarios`` and ``profiles`` blocks), ``--rounds`` and the ``--set key=value`` overrides. Keys are dotted paths
into the result, e.g. ``profile.warmup.steps`` or ``method.round.selector.portion``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from udamlf.config import PROJECT_ROOT, Config, Method, Part, Profile, Scenario, Training
from udamlf.data.labels import LABEL_SPACES
from udamlf.errors import UserError, nearest
from udamlf.methods import base as methods
from udamlf.models import base as models
from udamlf.selection import base as selection
from udamlf.trees import assign, validated

CONFIGS = PROJECT_ROOT / "configs"


def available(kind: str) -> list[str]:
    """Names of the shipped configurations of a kind (scenarios, methods, profiles)."""
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def _read(kind: str, name: str) -> tuple[dict[str, Any], str]:
    path = Path(name) if name.endswith((".yaml", ".yml")) else CONFIGS / kind / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"unknown {kind[:-1]} {name!r}", f"a file {path}", nearest(name, available(kind)))
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {error}", "a YAML mapping") from error
    if not isinstance(tree, dict):
        raise UserError(f"{path} holds {type(tree).__name__}", "a YAML mapping")
    return tree, str(path)


def _to_lists(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _to_lists(value) for key, value in tree.items()}
    return [_to_lists(value) for value in tree] if isinstance(tree, (list, tuple)) else tree


def _parse_override(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text!r}", "key=value, for example --set profile.warmup.steps=100")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text!r}: the value is not YAML", "key=value") from error


def _check_training(objective: Part, backbone: Part, training: Training, where: str) -> None:
    methods.check(objective, where)
    models.find(backbone.name, backbone.params)
    missing = [name for name in methods.domains(objective) if not getattr(training.batch, name)]
    if training.steps and missing:
        found = f"{where}: {objective.name} with batch.{missing[0]} = 0"
        raise UserError(found, f"at least one {missing[0]} image in a batch")


def _check_parts(config: Config) -> None:
    """Have every building block check its own parameters, so that a typo fails before the first stage."""
    where = f"method {config.method.name}"
    _check_training(config.method.warmup.objective, config.backbone(0), config.training(0), f"{where}, warm-up")
    for number in range(1, config.method.rounds + 1):
        described, backbone = config.method.round_at(number), config.backbone(number)
        _check_training(described.objective, backbone, config.training(number), f"{where}, round {number}")
        if described.selector:
            selection.build(described.selector.name, described.selector.params, config.space, number)
        if described.pretrain:
            pretraining = config.pretraining(number)
            _check_training(described.pretrain.objective, backbone, pretraining, f"{where}, pre-training {number}")
        config.labelling(number)


def _own_values(trees: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Blocks of a method's file that hold for this scenario and profile, the later ones winning."""
    scenario, profile = trees["scenario"]["name"], trees["profile"]
    names = [name for name in (profile.get("extends"), profile["name"]) if name]
    return [("scenarios", scenario), *(("profiles", n) for name in names for n in (name, f"{name}/{scenario}"))]


def resolve(
    scenario: str,
    method: str,
    profile: str = "",
    seed: int = 0,
    rounds: int | None = None,
    data_root: str | None = None,
    overrides: Sequence[str] = (),
) -> Config:
    """Read, merge and check a configuration.

    Args:
        scenario, method, profile: names in ``configs/`` or paths of YAML files; no profile = the scenario's.
        seed: non-negative.
        rounds: replaces the method's number of rounds (at least 1).
        data_root: folder that holds the data sets; none = the embedded miniature.
        overrides: ``key=value`` texts, keys are dotted paths (``profile.round.steps=60``).

    Raises:
        UserError: unknown name or key (with the nearest valid one), or a value out of range.
    """
    if seed < 0:
        raise UserError(f"--seed {seed}", "a seed of 0 or more")
    trees: dict[str, Any] = {"seed": seed, "data_root": data_root or None, "overrides": list(overrides)}
    models: dict[str, type[BaseModel]] = {"scenario": Scenario, "method": Method, "profile": Profile}
    for kind, name in (("scenario", scenario), ("method", method), ("profile", profile)):
        name = name or trees["scenario"].get("profile", Scenario.model_fields["profile"].default)
        tree, path = _read(f"{kind}s", name)
        if kind == "profile" and tree.get("extends"):
            base, changes = _read("profiles", tree["extends"])[0], tree
            tree = base
            for key, value in changes.items():
                assign(tree, key, value, path)
        trees[kind] = _to_lists(validated(models[kind], tree, path).model_dump(exclude_unset=True))
    for block, name in _own_values(trees):
        for key, value in ((trees["method"].get(block) or {}).get(name) or {}).items():
            assign(trees, key, value, f"method {method}, {block}.{name}")
    if rounds is not None:
        if rounds < 1:
            raise UserError(f"--rounds {rounds}", "at least 1 round", "--method source_only for no adaptation at all")
        if trees["method"].get("round") is None:
            raise UserError(f"--rounds {rounds}", f"a method with rounds; {method} has none")
        trees["method"]["rounds"] = rounds
    for text in overrides:
        assign(trees, *_parse_override(text), where="--set")
    config: Config = validated(Config, trees, "the resolved configuration")
    if config.scenario.label_space not in LABEL_SPACES:
        space = config.scenario.label_space
        raise UserError(f"scenario {scenario}: unknown label space {space!r}", "", nearest(space, list(LABEL_SPACES)))
    if config.profile.evaluation.output_hw is not None:
        raise UserError(
            "profile.evaluation.output_hw", "a score is taken at the size of the truth", "profile.labelling.output_hw"
        )
    if config.report_split not in config.scenario.lists:
        message = f"reported list {config.report_split!r} is not in scenario {config.scenario.name}"
        raise UserError(message, "", nearest(config.report_split, list(config.scenario.lists)))
    _check_parts(config)
    return config
