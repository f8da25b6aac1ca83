"""Finished chains as rows, one method on one scenario with the mean over its seeds, and rows as text.

Runs come as MLflow returns them, newest first: of each only ``info.run_id``, ``data.tags`` and ``data.metrics`` (the
values of the last step) are read. No store is asked anything."""

import json
import shlex
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import pandas as pd

from udamlf.config.custom import find_space
from udamlf.config.labels import LabelSpace
from udamlf.report import KINDS

# Tags of a chain: digests of its configuration, of its matched control's, of its protocol; the last round scored.
CONFIG, MATCHED, PROTOCOL, SCORED = "udamlf.config", "udamlf.control", "udamlf.protocol", "udamlf.scored"
DATA = "udamlf.data"  # digest of the listings of its splits
SOURCE_ONLY, CONTROL = "source_only", "control"
NOT_IN_SOURCE, ABSENT, NO_RUN = "not in source", "-", "no run"

_IDENTITY = ("scenario", "method", "recipe", "profile", "data", "split", "network", "overrides")
_GROUP = [*_IDENTITY, "role", "label_space", DATA, PROTOCOL, "of"]
_TABLE = attrgetter("scenario", "data", "profile", "split", "space.name", "files")  # what the rows of one table share
_ROLES = {"baseline": 0, "method": 1, "oracle": 2}
_FIRST = {"source_only": 0, "adabn": 1, "control": 2}

Mean = dict[str, float | None]  # over seeds, in percent: "mean", and "std", the sample deviation, None for one seed
Cells = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Row:
    """One line of a comparison.

    ``recipe`` is published or adapted, "" without a publication; ``data`` is miniature or real; ``overrides`` is what
    differs from the shipped configuration; ``files``, ``config`` and ``matched`` are digests of the data's listing, of
    the configuration and of the matched control's; ``run_ids`` has the parent run of each seed. ``miou`` and ``iou``:
    subset or class -> mean over seeds, None where it is undefined (class absent, or not in the source); ``source``:
    subset -> mean on the source's held-out frames. ``headline``, ``home``: seed -> headline mIoU on the reported split
    and on those frames."""

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
    seeds: list[int]
    run_ids: list[str]
    miou: dict[str, Mean | None]
    iou: dict[str, Mean | None]
    source: dict[str, Mean | None]
    headline: dict[int, float]
    home: dict[int, float]

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
    return {**chains(scenario), "udamlf.complete": "true"}


def rows(runs: Iterable[Any]) -> list[Row]:
    """Parent runs, newest first, grouped into rows. Of several runs of one seed the newest counts.

    Runs whose resolved configuration is not the newest run's are of an older state of the configuration files and left
    out: they would be averaged with what they cannot be compared to. A control has no file: each of its configurations
    is a row."""
    lines = []
    for run in runs:
        tags = {name: run.data.tags.get(name, "") for name in (*_GROUP, CONFIG, MATCHED)}
        tags["of"] = tags[CONFIG] if tags["method"] == CONTROL else ""
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
        protocol=tags[PROTOCOL],
        files=tags[DATA],
        config=scores[CONFIG].iloc[0],
        matched=scores[MATCHED].iloc[0],
        seeds=scores.index.tolist(),
        run_ids=scores["run_id"].tolist(),
        miou={name: mean(f"miou/{name}") for name in space.subsets},
        iou={name: mean(f"iou/{name}") for name in (*space.classes, *space.not_in_source)},
        source={name: mean(f"source/miou/{name}") for name in space.subsets},
        headline=by_seed.get(f"miou/{space.headline}", {}),
        home=by_seed.get(f"source/miou/{space.headline}", {}),
    )


def _order(row: Row) -> tuple[Any, ...]:
    place = (_ROLES.get(row.role, 3), _FIRST.get(row.method, 3), row.method, row.recipe)
    return (*_TABLE(row), *place, row.overrides, row.network, row.config)


def shared_overrides(rows: Sequence[Row]) -> list[str]:
    """Overrides that every row has, in the first row's order."""
    return [text for text in shlex.split(rows[0].overrides) if all(text in shlex.split(r.overrides) for r in rows)]


def render(rows: Sequence[Row], form: str) -> str:
    """Rows as table, markdown, csv or json. There is a table for each scenario, data, profile and split, for a terminal
    with a line for every subset and class, in Markdown, as in papers, with one for every method."""
    if form == "json":
        published = (*_IDENTITY, "seeds", "run_ids", "miou", "iou", "source")
        return json.dumps([{name: getattr(row, name) for name in published} for row in rows], indent=2)
    if form == "csv":
        return _csv(rows)

    def content(group: list[Row]) -> tuple[str, Cells]:
        space = group[0].space
        names = [*(f"mIoU {name}" for name in space.subsets), *space.classes, *space.not_in_source, "source mIoU"]
        cells = [["method" if form == "markdown" else "", "seeds", *names]]
        for row in group:
            scores = [_cell(value, name, space) for name, value in (row.miou | row.iou).items()]
            scores.append(_cell(row.source[space.headline], "", space))
            cells.append([row.label(group), " ".join(map(str, row.seeds)), *scores])
        return "", cells if form == "markdown" else list(zip(*cells, strict=True))

    return _tables(rows, form, content)


def render_gains(rows: Sequence[Row], form: str) -> str:
    """Headline mIoU seed by seed, what it gained over ``source_only`` and over the matched control, and the mIoU at
    home, on the source's held-out frames, with what ``source_only`` had there: as table or markdown, mean (every seed),
    paired by seed. A gain is a difference of runs of one network, protocol, split and data; else its cell says what is
    missing."""

    def content(group: list[Row]) -> tuple[str, Cells]:
        head = ["method", "mIoU by seed", "mean ± std", f"over {SOURCE_ONLY}", "over its control", "at home"]
        return f": mIoU-{group[0].space.headline}", [head, *(_gains_line(row, group) for row in group)]

    return _tables(rows, form, content)


def _gains_line(row: Row, group: Sequence[Row]) -> list[str]:
    headline = row.space.headline
    mean = _cell(row.miou[headline], headline, row.space).replace("±", "± ")
    source_only, control = source_only_of(row, group), control_of(row, group)
    home = _cell(row.source[headline], headline, row.space).replace("±", "± ")
    if row.home and isinstance(source_only, Row):
        home += f", {_gain(row.home, source_only.home)}"
    scores = " / ".join(f"{score:.1f}" for score in row.headline.values())
    gains = [o if isinstance(o, str) else _gain(row.headline, o.headline) for o in (source_only, control)]
    return [row.label(group), scores, mean, *gains, home]


def source_only_of(row: Row, group: Sequence[Row]) -> Row | str:
    """The run of ``source_only`` that a row's gain is measured from, or why there is none."""
    if row.method == SOURCE_ONLY:
        return ABSENT
    shared = [text for text in shlex.split(row.overrides) if not text.startswith(("method.", "rounds="))]
    others = [other for other in group if other.method == SOURCE_ONLY and shlex.split(other.overrides) == shared]
    alike = [other for other in others if other.network == row.network]
    if not others or not alike:
        return f"other network ({others[0].network})" if others else NO_RUN
    return next((other for other in alike if other.protocol == row.protocol), "other protocol")


def control_of(row: Row, group: Sequence[Row]) -> Row | str:
    """The run of the control that is matched to a row's method, or why there is none."""
    return next((other for other in group if other.config == row.matched), NO_RUN) if row.matched else ABSENT


def _gain(scores: Mapping[int, float], reference: Mapping[int, float]) -> str:
    """Mean difference and that of every seed."""
    gains = [score - reference[seed] for seed, score in scores.items() if seed in reference]
    seeds = " / ".join(f"{gain:+.1f}" for gain in gains)
    return f"{sum(gains) / len(gains):+.1f} ({seeds})" if gains else "other seeds"


def render_running(runs: Iterable[Any]) -> str:
    """A line for every chain that is running: its last scored round, of how many, and the mIoU there."""
    lines = []
    for run in runs:
        tags, miou = run.data.tags, run.data.metrics.get("miou")
        done = f"round {tags.get(SCORED)} of {tags.get('rounds')}"
        score = "not scored yet" if miou is None else f"{done}: mIoU {miou:.1f}"
        lines.append(f"\nrunning: {tags.get('scenario', '')} {run.info.run_name}, {score}")
    return "".join(lines)


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
    several = Counter(place[:-1] for place, _ in groupby(rows, _TABLE))
    for (*place, files), lines in groupby(rows, _TABLE):
        group = list(lines)
        (scenario, data, profile, split, _), (note, cells) = place, content(group)
        shared = shared_overrides(group)
        title = f"{scenario}, IoU in % {KINDS[data]}, split {split}, profile {profile}"
        title += f", data {files[:8]}" if several[tuple(place)] > 1 else ""
        title += f", with {shlex.join(shared)}" if shared else ""
        tables.append(f"{title}{note}\n\n{_aligned(cells, form)}")
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
    identity = ["scenario", "data", "profile", "split", "method", "recipe", "network", "overrides"]
    columns = [*identity, "seeds", "metric", "name", "mean", "std"]
    lines = []
    for row in rows:
        first = (*(getattr(row, name) for name in identity), " ".join(map(str, row.seeds)))
        for metric, values in (("miou", row.miou), ("iou", row.iou), ("source/miou", row.source)):
            for name, value in values.items():
                undefined = NOT_IN_SOURCE if name in row.space.not_in_source else None
                numbers = [n if n is None else f"{n:.4f}" for n in value.values()] if value else [undefined, None]
                lines.append((*first, metric, name, *numbers))
    return pd.DataFrame(lines, columns=columns).to_csv(index=False, lineterminator="\n").rstrip("\n")
