"""Rows of a comparison as text: for a terminal, Markdown, LaTeX, CSV, JSON; and as a table of pandas."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from udamlf.config.labels import LabelSpace
from udamlf.report.comparison import ABSENT, CONTROL, IDENTITY, METRICS, SCORED, SOURCE_ONLY, Row, baselines, titled
from udamlf.report.statistics import Estimate, Estimates, difference

NOT_IN_SOURCE, OTHER_SEEDS = "not in source", "other seeds"
_NOTHING = dict.fromkeys(("mean", "std", "low", "high", "n", "p"))
Cells = Sequence[Sequence[str]]


# --- for people ------------------------------------------------------------------------------------------------------


def render(rows: Sequence[Row], form: str, baseline: str = "") -> str:
    """Rows as table, markdown, latex, csv or json. There is a table for each scenario, data, profile and split, for a
    terminal with a line for every subset and class, in the others, as in papers, with one for every method; with a
    ``baseline`` each score has its difference from that one's."""
    if form == "json":
        return json.dumps(plain(rows, baseline), indent=2)
    if form == "csv":
        return _csv(rows, baseline)

    def content(group: list[Row]) -> tuple[str, Cells]:
        note, cells = class_cells(group, baseline)
        return note, cells if form != "table" else list(zip(*[["", *cells[0][1:]], *cells[1:]], strict=True))

    return _tables(rows, form, content)


def class_cells(group: Sequence[Row], baseline: str = "") -> tuple[str, Cells]:
    """Mean ± deviation over seeds of every subset and class; with a ``baseline``, the difference from it."""
    space = group[0].space
    names = [*(f"mIoU {name}" for name in space.subsets), *space.classes, *space.not_in_source, "source mIoU"]
    cells = [["method", "seeds", *names]]
    for row in group:
        other = baselines(row, group, baseline)[baseline] if baseline else ABSENT
        gains = {} if isinstance(other, str) else _line(row.estimates(other), space)
        own = _line(row.estimates(), space)
        scores = [_cell(value, name, space, gain=gains.get(name)) for name, value in own.items()]
        cells.append([row.label(group), " ".join(map(str, row.seeds)), *scores])
    return f", difference from {baseline} (* its 95 % interval is without 0)" if baseline else "", cells


def _line(estimates: Estimates, space: LabelSpace) -> dict[str, Estimate | None]:
    return {**estimates["miou"], **estimates["iou"], "source": estimates["source"][space.headline]}


def render_summary(rows: Sequence[Row], form: str, baseline: str = "") -> str:
    """The answer in a line a method: headline mIoU with its 95 % interval over the runs, and its paired difference from
    the ``baseline`` (default: ``source_only`` and the matched control) with interval and test."""
    single = dict.fromkeys(row.label(group) for _, group in titled(rows) for row in group if len(row.seeds) == 1)
    note = f"one seed, so neither interval nor test (more: udamlf run --seed 1): {', '.join(single)}"
    text = _tables(rows, form, lambda group: summary_cells(group, baseline))
    return "\n\n".join([text, *([f"% {note}" if form == "latex" else note] if single else [])])


def render_gains(rows: Sequence[Row], form: str) -> str:
    """Headline mIoU seed by seed, what it gained over ``source_only`` and over the matched control, and the mIoU at
    home, on the source's held-out frames, with what ``source_only`` had there: mean (every seed), paired by seed. A
    gain is a difference of runs of one network, protocol, split and data; else its cell says what is missing."""
    return _tables(rows, form, lambda group: summary_cells(group, by_seed=True))


def summary_cells(group: Sequence[Row], baseline: str = "", by_seed: bool = False) -> tuple[str, Cells]:
    """Cells of ``render_summary``, or, by seed, of ``render_gains``."""
    headline, gained = group[0].space.headline, _by_seed if by_seed else _tested
    names = [f"over {'its control' if n == CONTROL else n}" for n in baselines(group[0], group, baseline)]
    cells = [["method", *(("mIoU by seed", "mean ± std") if by_seed else ("runs", "mean")), *names, "at home"]]
    for row in group:
        miou, home = (row.estimates()[kind][headline] for kind in ("miou", "source"))
        others, source_only = baselines(row, group, baseline), baselines(row, group, SOURCE_ONLY)[SOURCE_ONLY]
        gains = [other if isinstance(other, str) else gained(row.headline, other.headline) for other in others.values()]
        own = [" / ".join(f"{score:.1f}" for score in row.headline.values()), _cell(miou, "", row.space, "± ")]
        own = own if by_seed else [str(len(row.seeds)), _interval(miou, ".1f") if miou else ABSENT]
        at_home = _cell(home, "", row.space, "± ")
        if row.home and isinstance(source_only, Row):
            at_home += f", {gained(row.home, source_only.home)}"
        cells.append([row.label(group), *own, *gains, at_home])
    return f": mIoU-{headline}" + ("" if by_seed else " with 95 % interval, p of paired t-tests"), cells


def _by_seed(scores: Mapping[Any, float], reference: Mapping[Any, float]) -> str:
    gains = [score - reference[run] for run, score in scores.items() if run in reference]
    seeds = " / ".join(f"{gain:+.1f}" for gain in gains)
    return f"{sum(gains) / len(gains):+.1f} ({seeds})" if gains else OTHER_SEEDS


def _tested(scores: Mapping[Any, float], reference: Mapping[Any, float]) -> str:
    gain = difference(scores, reference)
    test = f" p={gain['p']:.2g}" if gain and gain["p"] is not None else ""
    return _interval(gain, "+.1f") + test if gain else OTHER_SEEDS


def _interval(value: Estimate, form: str) -> str:
    ends = f" [{value['low']:{form}}, {value['high']:{form}}]" if value["n"] > 1 else ""
    return f"{value['mean']:{form}}{ends}"


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
    contents = [(title, *content(group)) for title, group in titled(rows)]
    tables = [
        _latex(title + note, cells) if form == "latex" else f"{title}{note}\n\n{_aligned(cells, form)}"
        for title, note, cells in contents
    ]
    return "\n\n".join(tables) or "no finished chain in this store: start one with `udamlf run`"


def _latex(title: str, cells: Cells) -> str:
    (caption,), head, *lines = ([re.sub(r"([&%_#$])", r"\\\1", text) for text in line] for line in [[title], *cells])
    style = pd.DataFrame(lines, columns=head).style.hide(axis="index")
    return str(style.to_latex(hrules=True, caption=caption, column_format="l" + "r" * (len(head) - 1))).rstrip()


def _cell(value: Estimate | None, name: str, space: LabelSpace, sign: str = "±", gain: Estimate | None = None) -> str:
    """A number with its deviation over seeds and what it gained, ``not in source``, or ``-`` for a class that does not
    occur."""
    if value is None or name in space.not_in_source:
        return NOT_IN_SOURCE if name in space.not_in_source else ABSENT
    clear = gain is not None and gain["n"] > 1 and not gain["low"] <= 0 <= gain["high"]
    gained = f" ({gain['mean']:+.1f}{'*' if clear else ''})" if gain else ""
    return f"{value['mean']:.1f}" + (f" {sign}{value['std']:.1f}" if value["std"] is not None else "") + gained


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


# --- for machines ----------------------------------------------------------------------------------------------------


def plain(rows: Sequence[Row], baseline: str = "") -> list[dict[str, Any]]:
    """What is published of every row: what identifies it, its runs, its estimates, and as ``delta`` those of the
    difference from each baseline, or why that is missing."""
    lines = []
    for row, group in ((row, group) for _, group in titled(rows) for row in group):  # noqa: B020
        identity = {name: getattr(row, name) for name in (*IDENTITY, "seeds", "worlds", "run_ids")}
        delta = {
            name: {"missing": other} if isinstance(other, str) else {"run_ids": other.run_ids, **row.estimates(other)}
            for name, other in baselines(row, group, baseline).items()
        }
        lines.append({**identity, **row.estimates(), "delta": delta})
    return lines


def frame(rows: Sequence[Row], baseline: str = "") -> pd.DataFrame:
    """A line per row, metric and subset or class, whatever classes the scenarios have: what identifies the row; mean,
    std, low, high (the 95 % interval) and n; and the same of the difference from each baseline B as over_B_mean ...,
    with over_B_p of the paired t-test. A number that is undefined is NaN."""
    lines = []
    for row, found in zip(rows, plain(rows, baseline), strict=True):
        identity = {name: found[name] for name in IDENTITY} | {"seeds": " ".join(map(str, row.seeds))}
        for kind, name, value in ((k, *item) for k in METRICS for item in found[k].items()):
            known = {"metric": METRICS[kind], "name": name, "in_source": name not in row.space.not_in_source}
            gains = {f"over_{b}": _NOTHING | (d.get(kind, {}).get(name) or {}) for b, d in found["delta"].items()}
            lines.append({**identity, **known, **(value or {}), **gains})
    table = pd.json_normalize(lines, sep="_")
    numbers = {column: kind for column in table if (kind := column.rpartition("_")[2]) in _NOTHING}
    return table.astype({column: "Int64" if kind == "n" else float for column, kind in numbers.items()})


def _csv(rows: Sequence[Row], baseline: str) -> str:
    table = frame(rows, baseline)
    if len(table):
        means = table["mean"].map("{:.4f}".format, na_action="ignore")
        table["mean"] = means.where(table.pop("in_source"), NOT_IN_SOURCE)
    return table.to_csv(index=False, float_format="%.4f", lineterminator="\n").rstrip("\n")
