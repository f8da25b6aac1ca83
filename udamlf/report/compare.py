"""Finished chains of a store as rows: one method on one scenario, mean over its seeds."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from udamlf.data.labels import LABEL_SPACES, LabelSpace
from udamlf.tracking import CHAIN, MlflowRun, Tracker

_ROLES = ("baseline", "method", "oracle")
_FIRST = ("source_only", "adabn", "control")


@dataclass(frozen=True)
class Mean:
    """Mean over seeds in percent; ``std`` is the sample deviation, None for one seed."""

    mean: float
    std: float | None

    def to_json(self) -> dict[str, float | None]:
        """The published form."""
        return {"mean": self.mean, "std": self.std}


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    Attributes:
        data: ``miniature`` or ``real``.
        overrides: what differs from the shipped configuration; empty for none.
        miou, iou: subset or class -> mean over seeds; None where it is undefined (class absent, or not in the source).
    """

    scenario: str
    method: str
    role: str
    profile: str
    data: str
    split: str
    overrides: str
    space: LabelSpace
    seeds: list[int]
    run_ids: list[str]
    miou: dict[str, Mean | None]
    iou: dict[str, Mean | None]

    def label(self, shared: Sequence[str] = ()) -> str:
        """Method and what sets it apart, beside the overrides that all rows share."""
        own = [text for text in shlex.split(self.overrides) if text not in shared]
        return f"{self.method} ({shlex.join(own)})" if own else self.method

    def to_json(self) -> dict[str, Any]:
        """The published form."""
        return {
            "scenario": self.scenario,
            "method": self.method,
            "profile": self.profile,
            "data": self.data,
            "split": self.split,
            "overrides": self.overrides,
            "seeds": self.seeds,
            "run_ids": self.run_ids,
            "miou": {name: value.to_json() if value else None for name, value in self.miou.items()},
            "iou": {name: value.to_json() if value else None for name, value in self.iou.items()},
        }


def shared_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that every row has, in the first row's order."""
    return [text for text in shlex.split(rows[0].overrides) if all(text in shlex.split(r.overrides) for r in rows)]


def collect(tracker: Tracker, scenario: str | None = None) -> list[Row]:
    """Rows of every complete chain in the store."""
    conditions = {"stage": CHAIN, "udamlf.complete": "true", **({"scenario": scenario} if scenario else {})}
    return rows(tracker.search(conditions))


def rows(runs: Sequence[MlflowRun]) -> list[Row]:
    """Group parent runs, newest first, into rows.

    Of several runs of one seed the newest counts. Runs whose resolved configuration is not the newest run's are of an
    older state of the configuration files and left out: they would be averaged with what they cannot be compared to.
    """
    groups: dict[tuple[str, ...], dict[int, MlflowRun]] = {}
    config: dict[tuple[str, ...], str] = {}
    for run in runs:
        tags = run.data.tags
        names = ("scenario", "method", "role", "profile", "data", "split", "overrides", "label_space", "udamlf.data")
        group = tuple(tags.get(name, "") for name in names)
        if config.setdefault(group, tags.get("udamlf.config", "")) == tags.get("udamlf.config", ""):
            groups.setdefault(group, {}).setdefault(int(tags["seed"]), run)
    return sorted((_row(group, by_seed) for group, by_seed in groups.items()), key=_order)


def _row(group: tuple[str, ...], by_seed: dict[int, MlflowRun]) -> Row:
    scenario, method, role, profile, data, split, overrides, label_space, _ = group
    space = LABEL_SPACES[label_space]
    chosen = [by_seed[seed] for seed in sorted(by_seed)]
    return Row(
        scenario,
        method,
        role,
        profile,
        data,
        split,
        overrides,
        space,
        sorted(by_seed),
        [run.info.run_id for run in chosen],
        {name: _mean(chosen, f"miou/{name}") for name in space.subsets},
        {name: _mean(chosen, f"iou/{name}") for name in (*space.classes, *space.not_in_source)},
    )


def _mean(runs: Sequence[MlflowRun], metric: str) -> Mean | None:
    """Mean of a metric's last step over the runs that have it."""
    values = [run.data.metrics[metric] for run in runs if metric in run.data.metrics]
    if not values:
        return None
    return Mean(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


def _order(row: Row) -> tuple[Any, ...]:
    first = _FIRST.index(row.method) if row.method in _FIRST else len(_FIRST)
    role = _ROLES.index(row.role) if row.role in _ROLES else len(_ROLES)
    return (row.scenario, row.data, row.profile, row.split, role, first, row.method, row.overrides)
