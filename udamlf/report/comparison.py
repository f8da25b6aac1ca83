"""Finished chains as rows, one method on one scenario with its runs over seeds, and what a row is compared to.

Runs come as MLflow returns them, newest first: of each only ``info.run_id``, ``data.tags`` and ``data.metrics`` (the
values of the last step) are read. No store is asked anything."""

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd

from udamlf.config.labels import LabelSpace, find_space
from udamlf.report import KINDS
from udamlf.report.statistics import Estimate, Estimates, difference, estimate

# Tags of a chain: digests of its configuration, of its matched control's, of its protocol; the last round scored.
CONFIG, MATCHED, PROTOCOL, SCORED = "udamlf.config", "udamlf.control", "udamlf.protocol", "udamlf.scored"
REFERENCE = "udamlf.source_only"  # digest of the configuration of the source_only that a chain's gain is over
COMPLETE = "udamlf.complete"  # "true" of a whole chain, "superseded" once another one has taken its place
DATA = "udamlf.data"  # digest of the listings of its splits
SOURCE_ONLY, CONTROL = "source_only", "control"
ABSENT, NO_RUN = "-", "no run"
OVER = ("seeds", "worlds")
METRICS = {"miou": "miou", "iou": "iou", "source": "source/miou"}
"""What a row has, by subset, class and, on the source's held-out frames, subset -> how its metrics begin."""

IDENTITY = ("scenario", "method", "recipe", "profile", "data", "split", "network", "overrides")
_GROUP = [*IDENTITY, "role", "label_space", "files", PROTOCOL, "of"]
_TABLE = attrgetter("scenario", "data", "profile", "split", "space.name", "files")  # what the rows of one table share
_ROLES = {"baseline": 0, "method": 1, "oracle": 2}
_FIRST = {"source_only": 0, "adabn": 1, "control": 2}

Run = tuple[str, int]
"""Digest of the data's listing, which tells worlds apart, and seed: what runs of two methods are paired by."""


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    ``recipe`` is published or adapted, "" without a publication; ``data`` is miniature or real; ``overrides`` is what
    differs from the shipped configuration; ``files``, ``config``, ``matched`` and ``reference`` are digests of the
    data's listing ("" where worlds are pooled), of the configuration, of its matched control's and of its
    ``source_only``'s; ``run_ids``, ``seeds`` and ``worlds`` have an entry for each parent run, ``scores`` the metrics
    of each, in percent, without the undefined ones. ``headline``, ``home``: the headline mIoU on the reported split and
    on the source's held-out frames."""

    scenario: str
    method: str
    recipe: str
    profile: str
    data: str
    split: str
    network: str
    overrides: str
    role: str
    space: LabelSpace
    protocol: str
    files: str
    config: str
    matched: str
    reference: str
    worlds: list[str]
    seeds: list[int]
    run_ids: list[str]
    scores: dict[str, dict[Run, float]]
    headline: dict[Run, float]
    home: dict[Run, float]

    def estimates(self, over: "Row | None" = None) -> Estimates:
        """``miou``, ``iou`` and ``source``, each by subset or class: mean over the runs, or mean difference from the
        runs ``over`` of the same seed and world; None where it is undefined (class absent, or not in the source)."""
        classes = (*self.space.classes, *self.space.not_in_source)
        names = {kind: classes if kind == "iou" else (*self.space.subsets,) for kind in METRICS}
        return {k: {name: self._estimate(f"{METRICS[k]}/{name}", over) for name in names[k]} for k in METRICS}

    def _estimate(self, metric: str, over: "Row | None") -> Estimate | None:
        scores = self.scores.get(metric, {})
        return estimate(scores.values()) if over is None else difference(scores, over.scores.get(metric, {}))

    @property
    def title(self) -> str:
        """Method and recipe."""
        return f"{self.method} ({self.recipe})" if self.recipe else self.method

    def label(self, rows: Sequence["Row"]) -> str:
        """Method, recipe, and what sets the row apart among ``rows``, those of its table."""
        shared = shared_overrides(rows)
        apart = [text for text in shlex.split(self.overrides) if text not in shared]
        apart += [self.network] if len({row.network for row in rows}) > 1 else []
        title = self.title
        if self.method == CONTROL:
            matched = dict.fromkeys(row.title for row in rows if row.matched == self.config)
            title = f"control of {', '.join(matched)}" if matched else CONTROL
        return f"{title} ({shlex.join(apart)})" if apart else title


def chains(scenario: str | None = None) -> dict[str, str]:
    """Tags of the parent runs of chains."""
    return {"stage": "chain", **({"scenario": scenario} if scenario else {})}


def finished(scenario: str | None = None) -> dict[str, str]:
    """Tags of the runs that a comparison is made of."""
    return {**chains(scenario), COMPLETE: "true"}


def rows(runs: Iterable[Any], over: str = "seeds") -> list[Row]:
    """Parent runs, newest first, grouped into rows. Of several runs of one seed the newest counts. ``over`` "worlds":
    runs on different generated worlds of a scenario are one row; other data are never mixed.

    Runs whose resolved configuration is not the newest run's are of an older state of the configuration files and left
    out: they would be averaged with what they cannot be compared to. A control has no file: each of its configurations
    is a row."""
    lines = []
    for run in runs:
        tags = {name: run.data.tags.get(name, "") for name in (*_GROUP, DATA, CONFIG, MATCHED, REFERENCE)}
        tags["of"] = tags[CONFIG] if tags["method"] == CONTROL else ""
        tags["files"] = "" if over == "worlds" and tags["data"] == "miniature" else tags[DATA]
        lines.append({**tags, "seed": int(run.data.tags["seed"]), "run_id": run.info.run_id, **run.data.metrics})
    if not lines:
        return []
    table = pd.DataFrame(lines)
    # Overrides that make no other configuration make no other row; it has the shortest of them.
    same = table.groupby([name for name in (*_GROUP, CONFIG) if name != "overrides"])["overrides"]
    table["overrides"] = same.transform(lambda texts: min(texts, key=len))
    table = table[table[CONFIG] == table.groupby(_GROUP)[CONFIG].transform("first")]
    table = table.drop_duplicates([*_GROUP, DATA, "seed"]).set_index([DATA, "seed"]).sort_index()
    return sorted((_row(names, scores) for names, scores in table.groupby(_GROUP, sort=False)), key=_order)


def _row(names: Sequence[str], table: pd.DataFrame) -> Row:
    tags = dict(zip(_GROUP, names, strict=True))
    space = find_space(tags["label_space"])
    scores = {name: column.dropna().to_dict() for name, column in table.select_dtypes("number").items()}
    return Row(
        **{name: tags[name] for name in (*IDENTITY, "role", "files")},
        space=space,
        protocol=tags[PROTOCOL],
        config=table[CONFIG].iloc[0],
        matched=table[MATCHED].iloc[0],
        reference=table[REFERENCE].iloc[0],
        worlds=[world for world, _ in table.index],
        seeds=[seed for _, seed in table.index],
        run_ids=table["run_id"].tolist(),
        scores=scores,
        headline=scores.get(f"miou/{space.headline}", {}),
        home=scores.get(f"source/miou/{space.headline}", {}),
    )


def _order(row: Row) -> tuple[Any, ...]:
    place = (_ROLES.get(row.role, 3), _FIRST.get(row.method, 3), row.method, row.recipe)
    return (*_TABLE(row), *place, row.overrides, row.network, row.config)


def titled(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each table, those that can be compared, under what their numbers are of: scenario, miniature or real,
    split, profile; how many worlds are pooled, or the data's digest where a scenario has several; overrides that all
    have."""
    tables = [(place, list(group)) for place, group in groupby(rows, _TABLE)]
    several = Counter(place[:-1] for place, _ in tables)
    for place, group in tables:
        (scenario, data, profile, split, _, files), shared = place, shared_overrides(group)
        worlds = {world for row in group for world in row.worlds}
        title = f"{scenario}, IoU in % {KINDS[data]}, split {split}, profile {profile}"
        title += f", data {files[:8]}" if several[place[:-1]] > 1 else ""
        title += f", over {len(worlds)} worlds" if len(worlds) > 1 else ""
        yield title + (f", with {shlex.join(shared)}" if shared else ""), group


def shared_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that every row has, in the first row's order."""
    return [text for text in shlex.split(rows[0].overrides) if all(text in shlex.split(r.overrides) for r in rows)]


# --- what a row is compared to ---------------------------------------------------------------------------------------


def baselines(row: Row, group: Sequence[Row], name: str = "") -> dict[str, Row | str]:
    """What a row's differences are from, or why there is none: by default ``source_only`` and the matched control, else
    the row called ``name``; of several of that method, the one of the row's own overrides and recipe."""
    known = {SOURCE_ONLY: source_only_of, CONTROL: control_of}
    return {n: known[n](row, group) if n in known else _named(row, group, n) for n in ([name] if name else known)}


def _named(row: Row, group: Sequence[Row], name: str) -> Row | str:
    named = [other for other in group if name in (other.method, other.title, other.label(group))]
    if row in named:
        return ABSENT
    alike = [other for other in named if (other.network, other.protocol) == (row.network, row.protocol)]
    missing = "other network or protocol" if named else NO_RUN
    return min(alike, key=lambda o: (o.overrides != row.overrides, o.recipe != row.recipe)) if alike else missing


def source_only_of(row: Row, group: Sequence[Row]) -> Row | str:
    """The run of ``source_only`` that a row's gain is measured from, or why there is none."""
    if row.method == SOURCE_ONLY:
        return ABSENT
    others = [other for other in group if other.method == SOURCE_ONLY]
    if exact := [other for other in others if other.config == row.reference]:
        return exact[0]
    shared = [text for text in shlex.split(row.overrides) if not text.startswith(("method.", "rounds="))]
    others = [other for other in others if shlex.split(other.overrides) == shared]
    alike = [other for other in others if other.network == row.network]
    if not others or not alike:
        return f"other network ({others[0].network})" if others else NO_RUN
    return next((other for other in alike if other.protocol == row.protocol), "other protocol")


def control_of(row: Row, group: Sequence[Row]) -> Row | str:
    """The run of the control that is matched to a row's method, or why there is none."""
    return next((other for other in group if other.config == row.matched), NO_RUN) if row.matched else ABSENT
