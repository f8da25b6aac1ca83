"""From names and overrides to a configuration. ``resolve`` reads the three files and sets, one after the other: the
profile's values for the scenario, the method's for the scenario, its budget at the profile, what is adapted there,
``--rounds`` and ``--set``. Keys are dotted paths into the result, e.g. ``profile.warmup.steps``. A file with
``extends`` gives what differs from another one of its kind, under a name of its own."""

import logging
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from udamlf.common.errors import UserError, nearest
from udamlf.config.budget import Profile
from udamlf.config.labels import find_space
from udamlf.config.parts import CONFIGS, assign, flatten, validated
from udamlf.config.reading import mapping, read_yaml
from udamlf.config.schema import Config, Method, Recipe, Scenario

_OWN_VALUES = ("scenarios", "profiles", "adapted")
# What a round may set for itself, and the block of the profile over which that wins.
_OF_ROUND = {"training": "profile.round", "labelling": "profile.labelling", "model": "profile.model"}
logger = logging.getLogger("udamlf")
_warn = lru_cache(maxsize=None)(logger.warning)  # once: the references of a chain are resolved too
_File = tuple[str, dict[str, Any]]  # path, content


class Layer(NamedTuple):
    """One value that is set, and where it comes from: a file and its block, or an option."""

    origin: str
    key: str
    value: Any

    def covers(self, leaf: str) -> bool:
        """Whether it sets a dotted key; a key without an entry's number is that of every entry of a list."""
        wanted, steps = self.key.split("."), leaf.split(".")
        return wanted in (steps[: len(wanted)], [step for step in steps if not step.isdecimal()][: len(wanted)])

    @property
    def is_shipped(self) -> bool:
        """Whether it is of a file in the folder of those that come with the package."""
        return self.origin.startswith(f"{CONFIGS}/")


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON schema of a kind's files, for editors. A file that extends another one gives what differs, some of it
    under dotted keys, so that only a name and a title are always required."""
    models: dict[str, type[BaseModel]] = {"scenarios": Scenario, "methods": Method, "profiles": Profile}
    return models[kind].model_json_schema() | {"required": ["name", "title"], "patternProperties": {r"\.": {}}}


def available(kind: str) -> list[str]:
    """Names of the shipped configurations of a kind (scenarios, methods, profiles)."""
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def name_of(kind: str, name: str) -> str:
    """The name that runs of a configuration have: of a YAML file its `name`. UserError: there is no such file."""
    return str(_read(kind, name)[1].get("name")) if name.endswith((".yaml", ".yml")) else name


def titles(kind: str) -> list[tuple[str, str]]:
    """Name and title of every shipped configuration of a kind, and its publication where there is one."""
    files = [(name, _read(kind, name)[1]) for name in available(kind)]
    return [(name, f"{f['title']} ({f['publication']})" if f.get("publication") else f["title"]) for name, f in files]


def _read(kind: str, name: str, folder: Path = Path()) -> _File:
    """The shipped file of that name, or the file at a path, which starts in ``folder``."""
    is_path = name.endswith((".yaml", ".yml"))
    path = folder / name if is_path else CONFIGS / kind / f"{name}.yaml"
    if not path.is_file():
        problem = f"no file {path.absolute()}" if is_path else f"unknown {kind[:-1]} {name!r}"
        known = [*map(str, path.parent.glob("*.y*ml"))] if is_path else available(kind)
        raise UserError(problem, "a name, or a YAML file", nearest(name, known) if known else "")
    return str(path), mapping(path.read_bytes(), str(path))


def _lineage(kind: str, name: str) -> list[_File]:
    """The named file and those it extends, the most general one first."""
    files = [_read(kind, name)]
    while base := files[0][1].get("extends"):
        if not {"name", "title"} <= files[0][1].keys():
            raise UserError(f"{files[0][0]} extends {base} without a `name` and a `title`", "a name of its own")
        files.insert(0, _read(kind, str(base), Path(files[0][0]).parent))
        if len({path for path, _ in files}) < len(files):
            raise UserError(f"{files[-1][0]} extends itself", "a file that extends another one")
    return files


def _merged(files: Sequence[_File], model: type[BaseModel]) -> dict[str, Any]:
    """The fields of a lineage, checked; without the blocks of values for scenarios and profiles."""
    tree: dict[str, Any] = {}
    for path, fields in files:
        for key, value in fields.items():
            if key in _OWN_VALUES and not isinstance(value, dict):
                raise UserError(f"{path}: {key} is {value!r}", "a block of names")
            assign(tree, str(key), value, path)
    if "publication" in tree:  # a file that extends a published method is not what was published
        tree["publication"] = files[-1][1].get("publication")
    checked: BaseModel = validated(model, tree, files[-1][0])
    return checked.model_dump(mode="json", exclude_unset=True, exclude={*_OWN_VALUES})


def _file_values(kind: str, files: Sequence[_File]) -> list[Layer]:
    """What the main part of a lineage's files sets."""
    named = [(path, key, value) for path, tree in files for key, value in tree.items()]
    return [Layer(path, f"{kind}.{key}", value) for path, key, value in named if key not in (*_OWN_VALUES, "extends")]


def _block_values(files: Sequence[_File], block: str, names: Sequence[str], prefix: str = "") -> list[Layer]:
    """What a lineage's files set in their block for these names, of a scenario or of profiles; the later ones win."""
    blocks = [(f"{path}, {block}.{n}", (tree.get(block) or {}).get(n) or {}) for n in names for path, tree in files]
    return [Layer(origin, f"{prefix}{key}", value) for origin, values in blocks for key, value in values.items()]


def _parse_override(text: str) -> Layer:
    key, equals, content = text.partition("=")
    if not equals or not key.strip():
        raise UserError(f"--set {text!r}", "key=value, for example --set profile.warmup.steps=100")
    kind, _, rest = key.strip().partition(".")
    if kind not in ("scenario", "method", "profile") or rest in ("name", "role"):
        known = "a key below scenario, method or profile that does not say what it is"
        raise UserError(f"--set {text!r}", known, "--seed, --recipe, --start, --data-root: options of their own")
    return Layer("--set", key.strip(), read_yaml(content, f"--set {text!r}"))


def resolve(
    scenario: str, method: str, profile: str = "", seed: int = 0, rounds: int | None = None,
    data_root: str | None = None, recipe: Recipe = "adapted", overrides: Sequence[str] = (),
) -> Config:  # fmt: skip
    """Read, merge and check a configuration; the building blocks' parameters are checked by the stages. UserError:
    unknown name or key (with the nearest valid one), or a value out of range.

    ``scenario``, ``method``, ``profile``: names in ``configs/`` or paths of YAML files; no profile = the scenario's.
    ``rounds`` replaces the method's number of rounds, ``overrides`` (``profile.round.steps=60``) any value."""
    if seed < 0:
        raise UserError(f"--seed {seed}", "a seed of 0 or more")
    pair = _merged(_lineage("scenarios", scenario), Scenario)
    methods = _lineage("methods", method)
    profiles = _lineage("profiles", profile or pair.get("profile", Scenario.model_fields["profile"].default))
    tree: dict[str, Any] = {"scenario": pair, "method": _merged(methods, Method), "profile": _merged(profiles, Profile)}
    tree |= {"seed": seed, "data_root": data_root or None}
    tree |= {"overrides": [*overrides, *([f"rounds={rounds}"] if rounds is not None else [])]}
    places = [name for _, each in profiles for name in (each["name"], f"{each['name']}/{pair['name']}")]

    def values(files: Sequence[_File]) -> list[Layer]:
        adapted = _block_values(files, "adapted", places) if recipe == "adapted" else []
        budget = [*_block_values(files, "scenarios", [pair["name"]]), *_block_values(files, "profiles", places)]
        return [*budget, *adapted]

    layers = [*_block_values(profiles, "scenarios", [pair["name"]], "profile."), *values(methods)]
    if tree["method"].get("publication") and tree["method"].get("role", "method") == "method":
        is_adapted = recipe == "adapted" and bool(_block_values(methods, "adapted", places))
        tree["recipe"] = "adapted" if is_adapted else "published"
    if rounds is not None:
        if rounds < 1:
            raise UserError(f"--rounds {rounds}", "at least 1 round", "--method source_only for no adaptation at all")
        if tree["method"].get("round") is None:
            raise UserError(f"--rounds {rounds}", f"a method with rounds; {method} has none")
        layers.append(Layer("--rounds", "method.rounds", rounds))
    layers += map(_parse_override, overrides)
    config = _assembled(tree, layers)
    every = [*_file_values("method", methods), *_file_values("profile", profiles), *layers]
    _check_network(profiles[-1], every, places[-2:])
    named = [_read("methods", fields["name"]) for _, fields in methods if fields["name"] in available("methods")]
    copied = [file for file in named if file not in methods]  # the shipped file of the same name
    theirs = [*_file_values("method", copied), *values(copied)]
    shipped = {f"{key}={value}" for layer in theirs for key, value in flatten(layer.value, layer.key)}
    for text in (*_overridden(every, dict(flatten(tree)), shipped, methods[-1][0]), *_outvoted(every, config)):
        _warn(text)
    return config


def _check_network(profile: _File, layers: Sequence[Layer], places: Sequence[str]) -> None:
    """UserError: a profile that extends another one has a network of its own, and so has the method, for that one."""
    path, fields = profile
    winner = _last(layers, "profile.model.name") if {"extends", "model"} <= fields.keys() else None
    if winner and winner.origin != path and not winner.origin.endswith((*(f".{place}" for place in places), "--set")):
        message = f"profile {fields['name']} has a network of its own, and so has {winner.origin}"
        raise UserError(message, "one of them", "--set profile.model='{name: NETWORK, ...}', or another profile")


def with_overrides(config: Config, overrides: Sequence[str]) -> Config:
    """A resolved configuration with further ``key=value`` overrides. UserError: as ``resolve``."""
    tree = config.model_dump(mode="json") | {"overrides": [*config.overrides, *overrides]}
    return _assembled(tree, list(map(_parse_override, overrides)))


def _assembled(tree: dict[str, Any], layers: Sequence[Layer]) -> Config:
    """The configuration of a tree in which the layers are set. UserError: a key, value or name that is none."""
    for layer in layers:
        assign(tree, layer.key, layer.value, layer.origin)
    config: Config = validated(Config, tree, "the resolved configuration")
    find_space(config.scenario.label_space)
    if config.report_split not in config.scenario.splits:
        message = f"reported split {config.report_split!r} is not in scenario {config.scenario.name}"
        raise UserError(message, "", nearest(config.report_split, list(config.scenario.splits)))
    if config.profile.evaluation.output_hw is not None:
        message = "a score is taken at the size of the truth"
        raise UserError("profile.evaluation.output_hw", message, "profile.labelling.output_hw")
    return config


def _last(layers: Sequence[Layer], leaf: str) -> Layer | None:
    return next((layer for layer in reversed(layers) if layer.covers(leaf)), None)


def _overridden(layers: Sequence[Layer], final: Mapping[str, Any], shipped: Set[str], method: str) -> Iterator[str]:
    """A line for every value of a user's file that a later file overrides, or of the ``method``'s file that one which
    it extends does, from the layers in the order in which they are set and the result by dotted key. What a copy of a
    shipped file has as that one, KEY=VALUE, is not named."""
    for position, layer in enumerate(layers):
        if layer.is_shipped and not layer.origin.startswith(method):
            continue
        for leaf, value in flatten(layer.value, layer.key):
            winner, text = _last(layers[position + 1 :], leaf), f"{leaf}={value}"
            counts = final.get(leaf, layer) == value or text in shipped
            if not winner or winner.origin.startswith("--") or counts:
                continue
            if not layer.is_shipped or not winner.origin.startswith(method):
                wins = winner.key if isinstance(winner.value, dict) else f"{winner.key}={winner.value}"
                yield f"not used: {text} of {layer.origin}; what counts is {wins} of {winner.origin}, or --set"


def _outvoted(layers: Sequence[Layer], config: Config) -> Iterator[str]:
    """A line for every value of the profile that a user sets in vain, as a shipped method's round has its own; a
    reference's round, which trains nothing, is not what it was set for."""
    numbers = range(1, config.method.rounds + 1) if config.method.role == "method" else ()
    every = [(number, *item) for number in numbers for item in _OF_ROUND.items()]
    for number, block, target in every:
        settings = getattr(config.method.round_at(number), block)
        for key, value in flatten(settings) if settings else ():
            asked, wins = _last(layers, f"{target}.{key}"), f"method.round.{number}.{block}.{key}"
            winner = _last(layers, wins)
            if asked and not asked.is_shipped and (winner is None or winner.is_shipped):
                yield f"not used in round {number}: {target}.{key} of {asked.origin}; what counts is {wins}={value}"
