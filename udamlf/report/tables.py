"""Rows of a comparison as text: for a terminal, Markdown, LaTeX, CSV, JSON."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import zip_longest
from textwrap import wrap
from typing import Any

import pandas as pd

from udamlf.config.labels import LabelSpace
from udamlf.report import comparison
from udamlf.report.comparison import ABSENT, CONTROL, SOURCE_ONLY, Estimate, Estimates, Row, baselines, difference

NOT_IN_SOURCE, OTHER_SEEDS = "not in source", "other seeds"
OTHER_CODE = "The code that scores has changed between these chains: the same commands again score all with the newest."
Cells = Sequence[Sequence[str]]


def render(rows: Sequence[Row], form: str, baseline: str = "", content: str = "classes") -> str:
    """Rows as table, markdown, latex, csv or json: a table for each scenario, data, profile and split; of csv and json
    ``cost`` alone is another one. What differences are from: ``baseline``, else ``source_only`` and the control.

    - ``classes``: every subset and class, a line each for a terminal, else a line for every method;
    - ``summary``: headline mIoU with its 95 % interval, paired differences with interval and test;
    - ``gains``: headline mIoU seed by seed, what it gained over the baselines, and the mIoU at home and its change;
    - ``cost``: what every method costs beside its headline mIoU."""
    if form == "json":
        return json.dumps(comparison.costs(rows) if content == "cost" else comparison.plain(rows, baseline), indent=2)
    if form == "csv":
        lines = pd.DataFrame(comparison.costs(rows)) if content == "cost" else comparison.frame(rows, baseline)
        if "in_source" in lines:
            means = lines["mean"].map("{:.4f}".format, na_action="ignore")
            lines["mean"] = means.where(lines.pop("in_source"), NOT_IN_SOURCE)
        digits = "%.6g" if content == "cost" else "%.4f"
        return lines.to_csv(index=False, float_format=digits, lineterminator="\n").rstrip("\n")
    texts, single = [], dict[str, None]()
    for title, group in comparison.titled(rows):
        note, cells = CELLS[content](group, baseline)
        if content == "classes" and form == "table":
            (_, *head), *lines = zip(*cells, strict=True)
            heads = zip_longest(*(wrap(text, 16, break_long_words=False) for text in head), fillvalue="")
            cells = [*(["", *line] for line in heads), *lines]
        texts.append(_latex(title + note, cells) if form == "latex" else f"{title}{note}\n\n{_aligned(cells, form)}")
        single |= dict.fromkeys(row.label(group) for row in group if len(row.seeds) == 1)
        if form != "latex" and len({code for row in group for code in row.codes}) > 1:
            texts.append(OTHER_CODE)
    if content == "summary" and single:
        note = f"one seed, so neither interval nor test (more: udamlf run --seed 1): {', '.join(single)}"
        texts.append(f"% {note}" if form == "latex" else note)
    return "\n\n".join(texts) or "no finished chain in this store: start one with `udamlf run`"


def class_cells(group: Sequence[Row], baseline: str = "") -> tuple[str, Cells]:
    """The end of a title, and cells: mean ± deviation of every subset and class, with differences if asked."""
    space = group[0].space

    def line(estimates: Estimates) -> dict[str, Estimate | None]:
        return {**estimates["miou"], **estimates["iou"], "source": estimates["source"][space.headline]}

    names = [*(f"mIoU {name}" for name in space.subsets), *space.classes, *space.not_in_source, "source mIoU"]
    cells = [["method", "seeds", *names]]
    for row in group:
        other = baselines(row, group, baseline)[baseline] if baseline else ABSENT
        gains = line(row.estimates(other)) if isinstance(other, Row) else {}
        scores = [_cell(value, name, space, gain=gains.get(name)) for name, value in line(row.estimates()).items()]
        cells.append([row.label(group), " ".join(map(str, row.seeds)), *scores])
    return f", difference from {baseline} (* its 95 % interval is without 0)" if baseline else "", cells


def summary_cells(group: Sequence[Row], baseline: str = "", by_seed: bool = False) -> tuple[str, Cells]:
    """As ``class_cells``: the summary, or, by seed, the gains."""
    headline, gained = group[0].space.headline, _by_seed if by_seed else _tested
    names = [f"over {'its control' if n == CONTROL else n}" for n in baselines(group[0], group, baseline)]
    cells = [["method", *(("mIoU by seed", "mean ± std") if by_seed else ("runs", "mean")), *names, "at home"]]
    for row in group:
        miou, home = (row.estimates()[kind][headline] for kind in ("miou", "source"))
        others, source_only = baselines(row, group, baseline), baselines(row, group, SOURCE_ONLY)[SOURCE_ONLY]
        gains = [each if isinstance(each, str) else gained(row, each, "miou") for each in others.values()]
        values = [" / ".join(f"{score:.1f}" for score in row.headline().values()), _cell(miou, "", row.space, "± ")]
        values = values if by_seed else [str(len(row.seeds)), _interval(miou, ".1f") if miou else ABSENT]
        at_home = _cell(home, "", row.space, "± ")
        if row.headline("source") and isinstance(source_only, Row):
            at_home += f", {gained(row, source_only, 'source')}"
        cells.append([row.label(group), *values, *gains, at_home])
    return f": mIoU-{headline}" + ("" if by_seed else " with 95 % interval, p of paired t-tests"), cells


def cost_cells(group: Sequence[Row], baseline: str = "") -> tuple[str, Cells]:
    """As ``class_cells``; empty where nothing is recorded."""
    cells = [["method", "mIoU", "parameters, M", "GFLOPs a frame", "frames/s", "training hours", "on"]]
    for row, line in zip(group, comparison.costs(group), strict=True):
        values = [line[name] for name in ("miou", *comparison.COSTS)]
        scaled = [values[0], values[1] and values[1] / 1e6, *values[2:]]
        numbers = ["" if v is None else f"{v:.{digits}f}" for v, digits in zip(scaled, (1, 2, 2, 1, 3), strict=True)]
        cells.append([row.label(group), *numbers, line["device"]])
    return f": mIoU-{group[0].space.headline} and cost", cells


CELLS: dict[str, Callable[..., tuple[str, Cells]]] = {
    "classes": class_cells, "summary": summary_cells, "gains": partial(summary_cells, by_seed=True), "cost": cost_cells,
}  # fmt: skip


def _by_seed(row: Row, other: Row, kind: str) -> str:
    reference = other.headline(kind)
    gains = {run: score - reference[run] for run, score in row.headline(kind).items() if run in reference}
    seeds = " / ".join(f"{gains[run]:+.1f}" if run in gains else ABSENT for run in row.headline(kind))
    return f"{sum(gains.values()) / len(gains):+.1f} ({seeds})" if gains else OTHER_SEEDS


def _tested(row: Row, other: Row, kind: str) -> str:
    gain = difference(row.headline(kind), other.headline(kind))
    test = f" p={gain['p']:.2g}" if gain and gain["p"] is not None else ""
    test += f" n={gain['n']}" if gain and gain["n"] < len(row.headline(kind)) else ""
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


def _latex(title: str, cells: Cells) -> str:
    (caption,), head, *lines = ([re.sub(r"([&%_#$])", r"\\\1", text) for text in line] for line in [[title], *cells])
    style = pd.DataFrame(lines, columns=head).style.hide(axis="index")
    return str(style.to_latex(hrules=True, caption=caption, column_format="l" + "r" * (len(head) - 1))).rstrip()


def _cell(value: Estimate | None, name: str, space: LabelSpace, sign: str = "±", gain: Estimate | None = None) -> str:
    """A number with its deviation and what it gained; ``not in source``, or ``-`` for a class that never occurs."""
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
