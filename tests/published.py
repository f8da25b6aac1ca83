"""Renders docs/published.md from docs/published.yaml and the resolved configurations:

python -m tests.published

A row says what a release used (``released``) and where that stands (``source``). ``key`` names our value at profile
paper (``effective``), ``constant`` a number in the code (module:NAME); ``ours`` says what no number does, with the
``test`` that shows it. Values are equal, or ``deviation`` says why they are not."""

from __future__ import annotations

import importlib
import json
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from udamlf.common.rounds import per_round
from udamlf.config.compose import resolve
from udamlf.config.parts import flatten
from udamlf.config.schema import Config
from udamlf.models.base import NETWORKS
from udamlf.selection.base import SELECTORS
from udamlf.training.objective import OBJECTIVES

ROOT = Path(__file__).resolve().parents[1]
ROWS, PAGE = ROOT / "docs" / "published.yaml", ROOT / "docs" / "published.md"
OF_ROUND = ("source", "target", "start", "generator", "reestimate_bn", "source_policy", "ensemble")
HEAD = """# Published hyper-parameters

What the release of each method used, and what a run of the published recipe uses here on GTA5 to Cityscapes:
`udamlf run --scenario gta2city --method METHOD --profile paper --recipe published`. A key begins with the objective of
the training that it belongs to; a value for each training, where they differ. *code* is the release; where the paper
says otherwise the method's YAML names it. Made by `python -m tests.published` from `docs/published.yaml` and the
resolved configurations; a test compares every row.
"""


def effective(config: Config) -> dict[str, Any]:
    """Every setting with its default, of a training under the name of its objective; a list where trainings differ."""
    columns: dict[str, list[Any]] = defaultdict(list)
    for number in range(config.method.rounds + 1):
        tree = config.training(number).model_dump(mode="json")
        entry: Any = config.method.round_at(number) if number else config.method.warmup
        parts = {"objective": (OBJECTIVES, entry.objective), "model": (NETWORKS, config.backbone(number))}
        if number:
            tree |= {name: getattr(entry, name) for name in OF_ROUND}
            tree["source_portion"] = per_round(entry.source_portion, number)
            if entry.selector:
                parts["selector"] = (SELECTORS, entry.selector)
                tree["labelling"] = config.labelling(number).model_dump(mode="json")
        for name, (kind, part) in parts.items():
            tree[name] = {"name": part.name, **kind.params(part).model_dump(mode="json")}
        for key, value in flatten(tree):
            columns[f"{entry.objective.name}.{key}"].append(value)
    values = {key: column[0] if all(v == column[0] for v in column) else column for key, column in columns.items()}
    whole = {"rounds": config.method.rounds, "classes": config.space.num_classes, "precision": config.profile.precision}
    whole |= {name: getattr(config.profile, name) for name in ("frames_hw", "source_frames_hw", "frames_interpolation")}
    whole |= {"target_subset": config.method.target_subset and config.method.target_subset.top_k}
    whole |= {f"evaluation.{key}": value for key, value in flatten(config.profile.evaluation.model_dump(mode="json"))}
    plain: dict[str, Any] = json.loads(json.dumps(values | whole))
    return plain


def equal(released: Any, ours: Any) -> bool:
    """Numbers to four digits."""
    if isinstance(released, list) and isinstance(ours, list):
        return len(released) == len(ours) and all(map(equal, released, ours))
    if isinstance(released, (int, float)) and isinstance(ours, (int, float)):
        return abs(released - ours) <= 2e-4 * abs(released)
    return bool(released == ours)


@cache
def _effective(method: str, scenario: str) -> dict[str, Any]:
    return effective(resolve(scenario, method, "paper", recipe="published"))


def our_value(method: str, row: dict[str, Any]) -> Any:
    """The value that a row is about. KeyError: there is no such key."""
    if "key" in row:
        return _effective(method, row.get("scenario", "gta2city"))[row["key"]]
    if "constant" in row:
        module, name = row["constant"].split(":")
        value = getattr(importlib.import_module(f"udamlf.{module}"), name)
        return list(value) if isinstance(value, tuple) else value
    return row["ours"]


def read() -> dict[str, list[dict[str, Any]]]:
    """Method -> its rows; a list among them is a group that methods share."""
    methods = yaml.safe_load(ROWS.read_text(encoding="utf-8"))
    groups = {name: [row if isinstance(row, list) else [row] for row in rows] for name, rows in methods.items()}
    return {name: [row for group in of_method for row in group] for name, of_method in groups.items()}


def page() -> str:
    """docs/published.md."""
    blocks = [HEAD]
    for method, rows in read().items():
        described = resolve("gta2city", method, "paper", recipe="published").method
        lines = [f"## {described.title} (`{method}`; {described.publication})", ""]
        lines += ["| | released | source | ours | key | |", "|---|---|---|---|---|---|"]
        lines += [_line(method, row) for row in rows]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _line(method: str, row: dict[str, Any]) -> str:
    place = row.get("key") or row.get("constant") or row.get("test", "")
    place += f" ({row['scenario']})" if "scenario" in row else ""
    cells = [row["what"], _text(row["released"]), row.get("source", "code"), _text(our_value(method, row))]
    cells += [f"`{place}`" if place else "", row.get("deviation", "equal")]
    return "| " + " | ".join(cells) + " |"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(f"({_text(v)})" if isinstance(v, list) else _text(v) for v in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
