"""What can be run, and what a method computes at a profile: as text."""

from collections.abc import Iterator
from typing import Any

import yaml

from udamlf.config.compose import available, titles
from udamlf.config.parts import Part
from udamlf.config.schema import Config
from udamlf.selection.base import SELECTORS
from udamlf.training.objective import OBJECTIVES

_BLOCKS = ("scenarios", "profiles", "adapted")  # of a method's file: their values are in the resolved ones


def listing() -> str:
    """A line for every shipped scenario, method and profile: its name, its title, its publication."""
    blocks = []
    for kind in ("scenarios", "methods", "profiles"):
        width = max(map(len, available(kind)))
        blocks.append("\n".join([f"{kind}:", *(f"  {name:{width}}  {title}" for name, title in titles(kind))]))
    return "\n\n".join(blocks)


def recipe_text(config: Config, published: Config) -> str:
    """The resolved method and its budget as YAML, and every value that differs from the published recipe."""
    method, profile = config.method, config.profile
    of_files = {*_BLOCKS, "extends", "publication", "name", "title"}
    blocks = {"method": method, "profile": profile}
    tree = {k: v.model_dump(mode="json", exclude=of_files, exclude_defaults=True) for k, v in blocks.items()}
    kind = f"{config.recipe} recipe" if config.recipe else method.role
    head = f"# {method.title} on {config.scenario.name} with profile {profile.name}: {kind}"
    lines = [f"{head} ({method.publication or 'no publication'})"]
    lines += [yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=110).rstrip("\n")]
    if changed := differences(published, config):
        change = "published -> adapted" if method.publication else "without -> with the method's `adapted` block"
        lines += ["", f"# {change}, beyond the budget of the profile:"]
        lines += [f"  {key}: {theirs} -> {ours}" for key, theirs, ours in changed]
    return "\n".join(lines)


def differences(published: Config, config: Config) -> list[tuple[str, str, str]]:
    """(dotted key, published value, value) of every difference; a building block, or a round, is one; "-" = none."""
    by_round = any(isinstance(each.method.round, tuple) for each in (published, config))
    return list(differing(_tree(published, by_round), _tree(config, by_round)))


def differing(left: Any, right: Any, key: str = "") -> Iterator[tuple[str, str, str]]:
    """(dotted key, value, value) wherever two trees differ; a block of another name is one difference."""
    if isinstance(left, dict) and isinstance(right, dict) and left.get("name") == right.get("name"):
        for name in {**left, **right}:
            yield from differing(left.get(name), right.get(name), f"{key}.{name}" if key else name)
    elif left != right:
        yield key, _short(left), _short(right)


def _short(value: Any) -> str:
    """A value in a line; of a building block its name."""
    if isinstance(value, dict):
        value = value.get("name", value.get("objective", {}).get("name", "-"))
    return "-" if value is None or value == {} else str(value)


def _tree(config: Config, by_round: bool) -> dict[str, Any]:
    """``by_round``: a block ``method.round.N`` for every round, else one that holds for all."""
    tree = {name: getattr(config, name).model_dump(mode="json", exclude={*_BLOCKS}) for name in ("method", "profile")}
    method, numbers = tree["method"], range(1, config.method.rounds + 1)
    rounds = {str(number): config.method.round_at(number).model_dump(mode="json") for number in numbers}
    method["round"] = rounds if by_round or not rounds else rounds["1"]
    for entry in (method["warmup"], *rounds.values(), *(entry["pretrain"] or {} for entry in rounds.values())):
        for key, kind in (("objective", OBJECTIVES), ("selector", SELECTORS)):
            if entry.get(key):
                part = Part(**entry[key])
                entry[key] = {"name": part.name, **kind.params(part).model_dump(mode="json")}
    return tree
