"""Rows of a comparison as text: for a terminal, Markdown, LaTeX, CSV, JSON."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from udamlf.config.labels import LabelSpace
from udamlf.report import comparison
from udamlf.report.comparison import ABSENT, CONTROL, SOURCE_ONLY, Estimate, Row, baselines, difference, titled

NOT_IN_SOURCE, OTHER_SEEDS = "not in source", "other seeds"
Cells = Sequence[Sequence[str]]


def render(rows: Sequence[Row], form: str, baseline: str = "") -> str:
    """Rows as table, markdown, latex, csv or json: a table for each scenario, data, profile and split, for a terminal
    with a line for every class, else for every method; with a ``baseline`` each score has its difference from it."""
    if form == "json":
        return json.dumps(comparison.plain(rows, baseline), indent=2)
    if form == "csv":
        lines = comparison.frame(rows, baseline)
        if len(lines):
            means = lines["mean"].map("{:.4f}".format, na_action="ignore")
            lines["mean"] = means.where(lines.pop("in_source"), NOT_IN_SOURCE)
        return lines.to_csv(index=False, float_format="%.4f", lineterminator="\n").rstrip("\n")

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
        own, over = (_line(row, each) for each in (None, other))
        scores = [_cell(value, name, space, gain=over.get(name)) for name, value in own.items()]
        cells.append([row.label(group), " ".join(map(str, row.seeds)), *scores])
    return f", difference from {baseline} (* its 95 % interval is without 0)" if baseline else "", cells


def _line(row: Row, other: Row | str | None) -> dict[str, Estimate | None]:
    values = {} if isinstance(other, str) else row.estimates(other)
    return {**values["miou"], **values["iou"], "source": values["source"][row.space.headline]} if values else {}


def render_summary(rows: Sequence[Row], form: str, baseline: str = "") -> str:
    """A line a method: headline mIoU with its 95 % interval over the runs, and its paired difference from the
    ``baseline`` (default: ``source_only`` and the matched control) with interval and test."""
    single = dict.fromkeys(row.label(group) for _, group in titled(rows) for row in group if len(row.seeds) == 1)
    note = f"one seed, so neither interval nor test (more: udamlf run --seed 1): {', '.join(single)}"
    text = _tables(rows, form, lambda group: summary_cells(group, baseline))
    return "\n\n".join([text, *([f"% {note}" if form == "latex" else note] if single else [])])


def render_gains(rows: Sequence[Row], form: str) -> str:
    """Headline mIoU seed by seed, what it gained over ``source_only`` and the matched control, and the mIoU at home, on
    the source's held-out frames, and its change: mean (every seed), paired by seed, or what is missing for it."""
    return _tables(rows, form, lambda group: summary_cells(group, by_seed=True))


def summary_cells(group: Sequence[Row], baseline: str = "", by_seed: bool = False) -> tuple[str, Cells]:
    """Cells of ``render_summary``, or, by seed, of ``render_gains``."""
    headline, gained = group[0].space.headline, _by_seed if by_seed else _tested
    names = [f"over {'its control' if n == CONTROL else n}" for n in baselines(group[0], group, baseline)]
    cells = [["method", *(("mIoU by seed", "mean ± std") if by_seed else ("runs", "mean")), *names, "at home"]]
    for row in group:
        miou, home = (row.estimates()[kind][headline] for kind in ("miou", "source"))
        others, source_only = baselines(row, group, baseline), baselines(row, group, SOURCE_ONLY)[SOURCE_ONLY]
        gains = [each if isinstance(each, str) else gained(row, each, "miou") for each in others.values()]
        own = [" / ".join(f"{score:.1f}" for score in row.headline().values()), _cell(miou, "", row.space, "± ")]
        own = own if by_seed else [str(len(row.seeds)), _interval(miou, ".1f") if miou else ABSENT]
        at_home = _cell(home, "", row.space, "± ")
        if row.headline("source") and isinstance(source_only, Row):
            at_home += f", {gained(row, source_only, 'source')}"
        cells.append([row.label(group), *own, *gains, at_home])
    return f": mIoU-{headline}" + ("" if by_seed else " with 95 % interval, p of paired t-tests"), cells


def render_cost(rows: Sequence[Row], form: str) -> str:
    """What every method costs beside its headline mIoU, in any form."""
    if form == "json":
        return json.dumps(comparison.costs(rows), indent=2)
    if form == "csv":
        return pd.DataFrame(comparison.costs(rows)).to_csv(index=False, float_format="%.6g").rstrip("\n")
    return _tables(rows, form, cost_cells)


def cost_cells(group: Sequence[Row]) -> tuple[str, Cells]:
    """Cells of ``render_cost``; empty where nothing is recorded."""
    cells = [["method", "mIoU", "parameters, M", "GFLOPs a frame", "frames/s", "training hours", "on"]]
    for row, line in zip(group, comparison.costs(group), strict=True):
        values = [line[name] for name in ("miou", *comparison.COSTS)]
        scaled = [values[0], values[1] and values[1] / 1e6, *values[2:]]
        numbers = ["" if v is None else f"{v:.{digits}f}" for v, digits in zip(scaled, (1, 2, 2, 1, 3), strict=True)]
        cells.append([row.label(group), *numbers, line["device"]])
    return f": mIoU-{group[0].space.headline} and cost", cells


def _by_seed(row: Row, other: Row, kind: str) -> str:
    reference = other.headline(kind)
    gains = [score - reference[run] for run, score in row.headline(kind).items() if run in reference]
    seeds = " / ".join(f"{gain:+.1f}" for gain in gains)
    return f"{sum(gains) / len(gains):+.1f} ({seeds})" if gains else OTHER_SEEDS


def _tested(row: Row, other: Row, kind: str) -> str:
    gain = difference(row.headline(kind), other.headline(kind))
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
        done = f"round {tags.get(comparison.SCORED)} of {tags.get('rounds')}"
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
    for title, group in titled(rows):
        note, cells = content(group)
        tables.append(_latex(title + note, cells) if form == "latex" else f"{title}{note}\n\n{_aligned(cells, form)}")
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
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    first, *others = ([text.rjust(w) for text, w in zip(line, widths, strict=True)] for line in cells)
    lines = [[line[0].strip().ljust(widths[0]), *line[1:]] for line in (first, *others)]
    if form != "markdown":
        return "\n".join("  ".join(line).rstrip() for line in lines)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rule, *lines[1:]))
