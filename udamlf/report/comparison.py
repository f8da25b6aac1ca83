"""Finished chains as rows, one method on one scenario with the mean over its seeds, and rows as text.

Runs come as MLflow returns them, newest first: of each only ``info.run_id``, ``data.tags`` and ``data.metrics`` (the
values of the last step) are read. No store is asked anything."""

import json
import shlex
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd

from udamlf.config.labels import LabelSpace
from udamlf.config.own import find_space
from udamlf.report import KINDS

CONFIG = "udamlf.config"  # tag with the digest of a chain's resolved configuration
REFERENCES = ("source_only", "control")
NOT_IN_SOURCE, ABSENT = "not in source", "-"

_IDENTITY = ("scenario", "method", "profile", "data", "split", "overrides")
_GROUP = [*_IDENTITY, "role", "label_space", "udamlf.data"]
_TABLE = attrgetter("scenario", "data", "profile", "split", "space.name")  # what the rows of one table share
_ROLES = {"baseline": 0, "method": 1, "oracle": 2}
_FIRST = {"source_only": 0, "adabn": 1, "control": 2}

Mean = dict[str, float | None]  # over seeds, in percent: "mean", and "std", the sample deviation, None for one seed
Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    ``data`` is miniature or real; ``overrides`` is what differs from the shipped configuration; ``run_ids`` has the
    parent run of each seed. ``miou`` and ``iou``: subset or class -> mean over seeds, None where it is undefined (class
    absent, or not in the source). ``headline``: seed -> headline mIoU, for the seeds that have one."""

    scenario: str
    method: str
    profile: str
    data: str
    split: str
    overrides: str
    role: str
    space: LabelSpace
    seeds: list[int]
    run_ids: list[str]
    miou: dict[str, Mean | None]
    iou: dict[str, Mean | None]
    headline: dict[int, float]

    def label(self, shared: Sequence[str] = ()) -> str:
        """Method and what sets it apart, beside the overrides that all rows share."""
        rest = [text for text in shlex.split(self.overrides) if text not in shared]
        return f"{self.method} ({shlex.join(rest)})" if rest else self.method


def finished(scenario: str | None = None) -> dict[str, str]:
    """Tags of the runs that a comparison is made of."""
    return {"stage": "chain", "udamlf.complete": "true", **({"scenario": scenario} if scenario else {})}


def rows(runs: Iterable[Any]) -> list[Row]:
    """Parent runs, newest first, grouped into rows. Of several runs of one seed the newest counts.

    Runs whose resolved configuration is not the newest run's are of an older state of the configuration files and left
    out: they would be averaged with what they cannot be compared to."""
    lines = []
    for run in runs:
        tags = {name: run.data.tags.get(name, "") for name in (*_GROUP, CONFIG)}
        lines.append({**tags, "seed": int(run.data.tags["seed"]), "run_id": run.info.run_id, **run.data.metrics})
    if not lines:
        return []
    table = pd.DataFrame(lines)
    table = table[table[CONFIG] == table.groupby(_GROUP)[CONFIG].transform("first")]
    table = table.drop_duplicates([*_GROUP, "seed"]).set_index("seed").sort_index()
    return sorted((_row(names, scores) for names, scores in table.groupby(_GROUP, sort=False)), key=_order)


def _row(names: Sequence[str], scores: pd.DataFrame) -> Row:
    tags = dict(zip(_GROUP, names, strict=True))
    space = find_space(tags["label_space"])
    by_seed = {name: column.dropna().to_dict() for name, column in scores.items()}

    def mean(metric: str) -> Mean | None:
        numbers = list(by_seed.get(metric, {}).values())
        std = statistics.stdev(numbers) if len(numbers) > 1 else None
        return {"mean": statistics.fmean(numbers), "std": std} if numbers else None

    return Row(
        **{name: tags[name] for name in (*_IDENTITY, "role")},
        space=space,
        seeds=scores.index.tolist(),
        run_ids=scores["run_id"].tolist(),
        miou={name: mean(f"miou/{name}") for name in space.subsets},
        iou={name: mean(f"iou/{name}") for name in (*space.classes, *space.not_in_source)},
        headline=by_seed.get(f"miou/{space.headline}", {}),
    )


def _order(row: Row) -> tuple[Any, ...]:
    return (*_TABLE(row), _ROLES.get(row.role, 3), _FIRST.get(row.method, 3), row.method, row.overrides)


def shared_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that every row has, in the first row's order."""
    return [text for text in shlex.split(rows[0].overrides) if all(text in shlex.split(r.overrides) for r in rows)]


def render(rows: Sequence[Row], form: str) -> str:
    """Rows as table, markdown, csv or json. There is a table for each scenario, data, profile and split, for a terminal
    with a line for every subset and class, in Markdown, as in papers, with one for every method."""
    if form == "json":
        published = (*_IDENTITY, "seeds", "run_ids", "miou", "iou")
        return json.dumps([{name: getattr(row, name) for name in published} for row in rows], indent=2)
    if form == "csv":
        return _csv(rows)

    def content(group: list[Row]) -> tuple[str, Cells]:
        shared, space = shared_overrides(group), group[0].space
        names = [*(f"mIoU {name}" for name in space.subsets), *space.classes, *space.not_in_source]
        cells = [["method" if form == "markdown" else "", "seeds", *names]]
        for row in group:
            scores = [_cell(value, name, space) for name, value in (row.miou | row.iou).items()]
            cells.append([row.label(shared), " ".join(map(str, row.seeds)), *scores])
        note = f", with {shlex.join(shared)}" if shared else ""
        return note, cells if form == "markdown" else list(zip(*cells, strict=True))

    return _tables(rows, form, content)


def render_gains(rows: Sequence[Row], form: str) -> str:
    """Headline mIoU seed by seed, and what it gained over ``source_only`` and over the matched ``control``, as table
    or markdown: mean (every seed), paired by seed, as a method and its reference share the warm-up where they can."""

    def content(group: list[Row]) -> tuple[str, Cells]:
        references = {r.method: r.headline for r in group if r.method in REFERENCES and not r.overrides}
        head = ["method", "mIoU by seed", "mean ± std", *(f"over {name}" for name in REFERENCES)]
        return f": mIoU-{group[0].space.headline}", [head, *(_gains_line(row, references) for row in group)]

    return _tables(rows, form, content)


def _gains_line(row: Row, references: Mapping[str, dict[int, float]]) -> list[str]:
    mean = _cell(row.miou[row.space.headline], row.space.headline, row.space).replace("±", "± ")
    cells = [row.label(), " / ".join(f"{score:.1f}" for score in row.headline.values()), mean]
    for name in REFERENCES:
        reference = references.get(name, {}) if name != row.method else {}
        gains = [score - reference[seed] for seed, score in row.headline.items() if seed in reference]
        seeds = " / ".join(f"{gain:+.1f}" for gain in gains)
        cells.append(f"{sum(gains) / len(gains):+.1f} ({seeds})" if gains else ABSENT)
    return cells


def render_evaluation(result: Mapping[str, Any], space: LabelSpace) -> str:
    """One evaluation (the JSON of ``udamlf evaluate``) for a terminal."""
    scores = {f"mIoU {name}": value for name, value in result["miou"].items()} | result["iou"]
    means = {name: None if value is None else {"mean": value, "std": None} for name, value in scores.items()}
    cells = [["", "IoU, %"], *([name, _cell(value, name, space)] for name, value in means.items())]
    protocol = ", ".join(f"{name} {value}" for name, value in result["protocol"].items())
    head = f"run {result['run_id']}, split {result['split']}, {result['images']} images\nprotocol: {protocol}"
    return f"{head}\n\n{_aligned(cells, 'table')}"


def _tables(rows: Sequence[Row], form: str, content: Callable[[list[Row]], tuple[str, Cells]]) -> str:
    """``content``: rows of one table -> the end of its title, and its cells."""
    tables = []
    for (scenario, data, profile, split, _), group in groupby(rows, _TABLE):
        note, cells = content(list(group))
        title = f"{scenario}, IoU in % {KINDS[data]}, split {split}, profile {profile}{note}"
        tables.append(f"{title}\n\n{_aligned(cells, form)}")
    return "\n\n".join(tables) or "no finished chain in this store: start one with `udamlf run`"


def _cell(value: Mean | None, name: str, space: LabelSpace) -> str:
    """A number with its deviation over seeds, ``not in source``, or ``-`` for a class that does not occur."""
    if value is None or name in space.not_in_source:
        return NOT_IN_SOURCE if name in space.not_in_source else ABSENT
    return f"{value['mean']:.1f}" + (f" ±{value['std']:.1f}" if value["std"] is not None else "")


def _aligned(cells: Cells, form: str) -> str:
    """Lines of cells, the first one their head, with aligned columns: as Markdown, else for a terminal."""
    names, *scores = zip(*cells, strict=True)
    columns = [[text.ljust(max(map(len, names))) for text in names]]
    columns += [[text.rjust(max(map(len, column))) for text in column] for column in scores]
    head, *lines = zip(*columns, strict=True)
    if form != "markdown":
        return "\n".join("  ".join(line).rstrip() for line in [head, *lines])
    rule = ["-" * len(head[0]), *("-" * (len(text) - 1) + ":" for text in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])


def _csv(rows: Sequence[Row]) -> str:
    """One line per row and metric: machine-readable, whatever classes the scenarios have."""
    columns = ["scenario", "data", "profile", "split", "method", "overrides", "seeds", "metric", "name", "mean", "std"]
    lines = []
    for row in rows:
        first = (*(getattr(row, name) for name in columns[:6]), " ".join(map(str, row.seeds)))
        for metric, values in (("miou", row.miou), ("iou", row.iou)):
            for name, value in values.items():
                undefined = NOT_IN_SOURCE if name in row.space.not_in_source else None
                numbers = [n if n is None else f"{n:.4f}" for n in value.values()] if value else [undefined, None]
                lines.append((*first, metric, name, *numbers))
    return pd.DataFrame(lines, columns=columns).to_csv(index=False, lineterminator="\n").rstrip("\n")
