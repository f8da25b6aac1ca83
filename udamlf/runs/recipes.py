"""What can be run, and what a method computes at a profile: as text."""

import yaml

from udamlf.config.compose import available, titles
from udamlf.config.parts import Part, flatten
from udamlf.config.schema import Config
from udamlf.selection.base import SELECTORS
from udamlf.training.objective import OBJECTIVES

KINDS = ("scenarios", "methods", "profiles")


def listing() -> str:
    """A line for every shipped scenario, method and profile: its name, its title, its publication."""
    blocks = []
    for kind in KINDS:
        width = max(map(len, available(kind)))
        blocks.append("\n".join([f"{kind}:", *(f"  {name:{width}}  {title}" for name, title in titles(kind))]))
    return "\n\n".join(blocks)


def recipe_text(config: Config, published: Config) -> str:
    """The resolved method and its budget as YAML, and, where it is adapted, every value that differs from the published
    recipe with the budget of the same profile."""
    method, profile = config.method, config.profile
    of_files = {"scenarios", "profiles", "adapted", "extends", "publication", "name", "title"}
    blocks = {"method": method, "profile": profile}
    tree = {k: v.model_dump(mode="json", exclude=of_files, exclude_defaults=True) for k, v in blocks.items()}
    head = f"# {method.title} on {config.scenario.name} with profile {profile.name}"
    head += f": {config.recipe} recipe ({method.publication})" if config.recipe else ": no publication"
    text = f"{head}\n{yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=110)}"
    changed = differences(published, config)
    if changed:
        lines = [f"  {key}: {theirs} -> {ours}" for key, theirs, ours in changed]
        text += "\n".join(["", "# published -> adapted, beyond the budget of the profile:", *lines])
    return text.rstrip("\n")


def differences(published: Config, config: Config) -> list[tuple[str, str, str]]:
    """(dotted key, published value, value) of every setting in which two configurations differ; "-" = none."""
    left, right = (_settings(each) for each in (published, config))
    keys = [key for key in {**left, **right} if left.get(key, "-") != right.get(key, "-")]
    return [(key, left.get(key, "-"), right.get(key, "-")) for key in keys]


def _settings(config: Config) -> dict[str, str]:
    """Dotted key -> value of a method and a profile, with the values that the building blocks take by default."""
    method = config.method.model_dump(mode="json", exclude={"scenarios", "profiles", "adapted"})
    tree = {"method": method, "profile": config.profile.model_dump(mode="json")}
    rounds = method["round"] if isinstance(method["round"], list) else [method["round"] or {}]
    for entry in (method["warmup"], *rounds, *(entry.get("pretrain") or {} for entry in rounds)):
        for key, kind in (("objective", OBJECTIVES), ("selector", SELECTORS)):
            if entry.get(key):
                part = Part(**entry[key])
                entry[key] = {"name": part.name, **kind.params(part).model_dump(mode="json")}
    return {key: str(value) for key, value in flatten(tree)}
