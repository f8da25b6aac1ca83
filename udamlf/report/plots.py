"""A comparison as pictures. ``rounds`` has a line for every parent run and round: ``run_id``, ``round``, metrics."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from udamlf.report.comparison import Row, estimate, titled
from udamlf.report.figures import save

QUALITY = ["method", "round", "class", "coverage", "precision"]


def curves(group: Sequence[Row], rounds: pd.DataFrame) -> pd.DataFrame:
    """Headline mIoU in percent: ``method``, ``round``, and what ``estimate`` gives over the runs."""
    metric, lines = f"miou/{group[0].space.headline}", []
    for row in group:
        for number, scores in rounds[rounds["run_id"].isin(row.run_ids)].groupby("round")[metric]:
            lines.append({"method": row.label(group), "round": number, **(estimate(scores.dropna()) or {})})
    return pd.DataFrame(lines).astype({"low": float, "high": float})


def classes(group: Sequence[Row]) -> pd.DataFrame:
    """Mean IoU in percent: a line per method, a column per class; NaN where it is undefined."""
    values = {row.label(group): row.estimates()["iou"] for row in group}
    table = {label: {name: value and value["mean"] for name, value in iou.items()} for label, iou in values.items()}
    return pd.DataFrame.from_dict(table, orient="index", dtype=float)


def quality(group: Sequence[Row], rounds: pd.DataFrame) -> pd.DataFrame:
    """Pseudo-labels of every class and round, mean over the runs, in percent: ``coverage``, of the pixels predicted as
    the class those that are labelled, and ``precision``, of the labelled pixels those that are right."""
    lines = []
    for row in group:
        means = rounds[rounds["run_id"].isin(row.run_ids)].groupby("round").mean(numeric_only=True)
        for (number, scores), name in ((line, name) for line in means.iterrows() for name in row.space.classes):
            lines.append([row.label(group), number, name, *(scores.get(f"pl/{kind}/{name}") for kind in QUALITY[3:])])
    return pd.DataFrame(lines, columns=QUALITY).dropna()


def comparison_figure(rows: Sequence[Row], rounds: pd.DataFrame, path: Path) -> None:
    """Write a PNG with three pictures for every table of a comparison."""
    tables = list(titled(rows))
    figure = Figure(figsize=(22, 6.5 * len(tables)), layout="constrained")
    for part, (title, group) in zip(figure.subfigures(len(tables), squeeze=False)[:, 0], tables, strict=True):
        part.suptitle(title)
        left, middle, right = part.subplots(1, 3, width_ratios=(1, 1.6, 1.2))
        _draw_curves(left, curves(group, rounds))
        _draw_classes(middle, classes(group))
        _draw_quality(right, quality(group, rounds), group[0])
        for axis in (left, right):
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=8)
    save(figure, path)


def _draw_curves(axis: Axes, table: pd.DataFrame) -> None:
    for method, line in table.groupby("method", sort=False):
        (drawn,) = axis.plot(line["round"], line["mean"], marker="o", label=str(method))
        axis.errorbar(line["round"], line["mean"], line["high"] - line["mean"], color=drawn.get_color(), capsize=3)
        axis.fill_between(line["round"], line["low"], line["high"], color=drawn.get_color(), alpha=0.15)
    axis.set(title="mIoU over the rounds, 95 % intervals", xlabel="round", ylabel="mIoU, %")


def _draw_classes(axis: Axes, table: pd.DataFrame) -> None:
    axis.imshow(table, cmap="viridis", vmin=0, vmax=100, aspect="auto")
    axis.set_xticks(range(table.shape[1]), table.columns, rotation=60, ha="right", fontsize=8)
    axis.set_yticks(range(len(table)), table.index, fontsize=8)
    axis.set(title="IoU per class, %")
    for (line, column), value in np.ndenumerate(table.to_numpy()):
        text, ink = "" if np.isnan(value) else f"{value:.0f}", "black" if value > 60 else "white"
        axis.text(column, line, text, color=ink, ha="center", va="center", fontsize=7)


def _draw_quality(axis: Axes, table: pd.DataFrame, row: Row) -> None:
    colours = {name: f"#{bytes(rgb).hex()}" for name, rgb in zip(row.space.classes, row.space.palette, strict=True)}
    for (method, lines), marker in zip(table.groupby("method", sort=False), cycle("osD^vP*X"), strict=False):
        axis.plot([], [], marker, color="grey", label=method)
        for name, line in lines.groupby("class"):
            axis.plot(line["coverage"], line["precision"], f"{marker}-", color=colours[name], alpha=0.7, markersize=4)
            axis.annotate(name, line[["coverage", "precision"]].iloc[-1], fontsize=6)
    axis.set(title="Pseudo-labels by class and round", xlabel="coverage, %", ylabel="precision, %")
