"""Rows as text: for a terminal, Markdown, CSV."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from udamlf.data.labels import LabelSpace
from udamlf.report.compare import Mean, Row, shared_overrides
from udamlf.report.figures import KINDS

NOT_IN_SOURCE, ABSENT = "not in source", "-"


def render(rows: Sequence[Row], form: str) -> str:
    """Rows in one of the forms table, markdown, csv, json; one table for each scenario, data, profile and split."""
    if form == "json":
        return json.dumps([row.to_json() for row in rows], indent=2)
    if form == "csv":
        return _csv(rows)
    tables = []
    for _, group in groupby(rows, lambda row: (row.scenario, row.data, row.profile, row.split, row.space.name)):
        chosen = list(group)
        shared = shared_overrides(chosen)
        head = title(chosen[0]) + (f", with {shlex.join(shared)}" if shared else "")
        cells = _cells(chosen)
        tables.append(f"{head}\n\n{markdown(_as_published(cells)) if form == 'markdown' else text(cells)}")
    return "\n\n".join(tables) if tables else "no finished chain in this store: start one with `udamlf run`"


def title(row: Row) -> str:
    """What a table is of; the miniature is named, so that nobody mistakes its numbers for Cityscapes'."""
    return f"{row.scenario}, IoU in % {KINDS[row.data]}, list {row.split}, profile {row.profile}"


def cell(value: Mean | None, name: str, space: LabelSpace) -> str:
    """A number with its deviation over seeds, ``not in source``, or ``-`` for a class that does not occur."""
    if name in space.not_in_source:
        return NOT_IN_SOURCE
    if value is None:
        return ABSENT
    return f"{value.mean:.1f}" if value.std is None else f"{value.mean:.1f} ±{value.std:.1f}"


def render_evaluation(result: Mapping[str, Any], space: LabelSpace) -> str:
    """One evaluation (the JSON of ``udamlf evaluate``) for a terminal."""

    def shown(name: str, value: float | None) -> str:
        return cell(None if value is None else Mean(value, None), name, space)

    table = [["", "IoU, %"]]
    table += [[f"mIoU {name}", shown(name, value)] for name, value in result["miou"].items()]
    table += [[name, shown(name, value)] for name, value in result["iou"].items()]
    protocol = ", ".join(f"{name} {value}" for name, value in result["protocol"].items())
    head = f"run {result['run_id']}, list {result['split']}, {result['images']} images\nprotocol: {protocol}"
    return f"{head}\n\n{text(table)}"


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """A table with a line for every subset and class, and a column for every method."""
    space = rows[0].space
    shared = shared_overrides(rows)
    table = [["", *(row.label(shared) for row in rows)], ["seeds", *(" ".join(map(str, row.seeds)) for row in rows)]]
    for name in space.subsets:
        table.append([f"mIoU {name}", *(cell(row.miou[name], name, space) for row in rows)])
    for name in (*space.classes, *space.not_in_source):
        table.append([name, *(cell(row.iou[name], name, space) for row in rows)])
    return table


def _as_published(cells: list[list[str]]) -> list[list[str]]:
    """Methods as rows and classes as columns, as in papers and READMEs; long names of classes make it wide."""
    turned = [list(line) for line in zip(*cells, strict=True)]
    return [["method", *turned[0][1:]], *turned[1:]]


def _widths(table: list[list[str]]) -> list[int]:
    return [max(len(line[column]) for line in table) for column in range(len(table[0]))]


def _pad(line: list[str], widths: list[int]) -> list[str]:
    first, *rest = (
        value.ljust(w) if i == 0 else value.rjust(w) for i, (value, w) in enumerate(zip(line, widths, strict=True))
    )
    return [first, *rest]


def text(table: list[list[str]]) -> str:
    """Lines of cells with aligned columns, for a terminal."""
    widths = _widths(table)
    return "\n".join("  ".join(_pad(line, widths)).rstrip() for line in table)


def markdown(table: list[list[str]]) -> str:
    """Lines of cells as a Markdown table; the first line is its head."""
    widths = _widths(table)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_pad(table[0], widths), rule, *(_pad(line, widths) for line in table[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _csv(rows: Sequence[Row]) -> str:
    """One line per row and metric: machine-readable, whatever classes the scenarios have."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(
        ["scenario", "data", "profile", "split", "method", "overrides", "seeds", "metric", "name", "mean", "std"]
    )
    for row in rows:
        for metric, values in (("miou", row.miou), ("iou", row.iou)):
            for name, value in values.items():
                first = [row.scenario, row.data, row.profile, row.split, row.method, row.overrides]
                seeds = " ".join(map(str, row.seeds))
                if value is None:
                    numbers = [NOT_IN_SOURCE if name in row.space.not_in_source else "", ""]
                else:
                    numbers = [f"{value.mean:.4f}", "" if value.std is None else f"{value.std:.4f}"]
                writer.writerow([*first, seeds, metric, name, *numbers])
    return buffer.getvalue().rstrip("\n")
