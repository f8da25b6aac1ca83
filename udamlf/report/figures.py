"""Figures: masks beside image and truth, confusion matrix, IoU per class beside a reference.

Every figure says which data its numbers are of. Nothing here touches pyplot, whose state is global.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from udamlf.data.dataset import Sample
from udamlf.data.labels import IGNORE, LabelSpace
from udamlf.files import atomic_file

KINDS = {"miniature": "on the miniature (procedural scenes)", "real": "on real data"}


def colour(labels: np.ndarray, space: LabelSpace) -> np.ndarray:
    """uint8 RGB [H, W, 3] of train ids uint8 [H, W]; IGNORE is black."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: space.num_classes] = space.palette
    palette[IGNORE] = 0
    return palette[labels]


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


class Gallery:
    """Collects the first images of an evaluation: image, truth and prediction side by side.

    Args:
        kind: key of ``KINDS``.
        shown: number of images kept in memory.
    """

    def __init__(self, space: LabelSpace, kind: str, shown: int) -> None:
        self.space, self.kind, self.shown = space, kind, shown
        self.rows: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Offer one image: uint8 RGB [H, W, 3], truth and prediction uint8 [H, W] (their size may differ from it)."""
        if len(self.rows) < self.shown:
            self.rows.append((sample.name, image, truth, prediction))

    def save(self, path: Path) -> None:
        """Write the figure as PNG."""
        count = max(len(self.rows), 1)
        figure = Figure(figsize=(12, 2.2 * count + 1.4), layout="constrained")
        figure.suptitle(f"Predictions {KINDS[self.kind]}; black: not labelled")
        axes = figure.subplots(count, 3, squeeze=False)
        for row, (name, image, truth, prediction) in zip(axes, self.rows, strict=False):
            shown = (("image", image), ("truth", colour(truth, self.space)))
            for axis, (title, picture) in zip(
                row, (*shown, ("prediction", colour(prediction, self.space))), strict=True
            ):
                axis.imshow(picture, interpolation="nearest")
                axis.set_title(f"{title}  {name}" if title == "image" else title, fontsize=8)
        for axis in axes.ravel():
            axis.set_axis_off()
        colours = ((r / 255, g / 255, b / 255) for r, g, b in self.space.palette)
        handles = [Patch(color=rgb, label=name) for name, rgb in zip(self.space.classes, colours, strict=True)]
        figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=8, frameon=False)
        _save(figure, path)


def confusion_figure(confusion: np.ndarray, space: LabelSpace, kind: str, path: Path) -> None:
    """Write a confusion matrix as PNG, each row in percent of the truth's pixels.

    Args:
        confusion: int64 [C, C], rows = truth, columns = prediction; an empty row stays empty.
    """
    totals = confusion.sum(1, keepdims=True)
    percent = np.divide(100.0 * confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0)
    figure = Figure(figsize=(9, 8.5), layout="constrained")
    axis = figure.subplots()
    shown = axis.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    axis.set_title(f"Confusion, % of each true class, {KINDS[kind]}")
    axis.set_xticks(range(space.num_classes), space.classes, rotation=90, fontsize=8)
    axis.set_yticks(range(space.num_classes), space.classes, fontsize=8)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    for row, column in np.argwhere(percent >= 0.5):
        dark = percent[row, column] > 60
        axis.text(
            column, row, f"{percent[row, column]:.0f}", ha="center", va="center", fontsize=6,
            color="white" if dark else "black",
        )  # fmt: skip
    figure.colorbar(shown, ax=axis, shrink=0.7)
    _save(figure, path)


def class_bars(scores: Mapping[str, Mapping[str, float | None]], space: LabelSpace, kind: str, path: Path) -> None:
    """Write IoU per class as grouped bars, one group member per method, as PNG.

    Args:
        scores: method -> class -> IoU in percent; None has no bar.
    """
    names = [*space.classes, *space.not_in_source]
    figure = Figure(figsize=(max(8, 0.7 * len(names)), 4.5), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / max(len(scores), 1)
    positions = np.arange(len(names))
    for index, (method, values) in enumerate(scores.items()):
        heights = [values.get(name) for name in names]
        axis.bar(
            positions - 0.4 + (index + 0.5) * width,
            [np.nan if height is None else height for height in heights],
            width,
            label=method,
        )
    for position in positions[len(space.classes) :]:
        axis.text(position, 2, "not in source", rotation=90, ha="center", va="bottom", fontsize=7, color="grey")
    axis.set_xticks(positions, names, rotation=60, ha="right", fontsize=8)
    axis.set_ylabel("IoU, %")
    axis.set_ylim(0, 100)
    axis.set_title(f"IoU per class {KINDS[kind]}")
    axis.legend(fontsize=8)
    _save(figure, path)


def ranking_figure(
    rows: Sequence[tuple[str, np.ndarray, np.ndarray]], space: LabelSpace, kind: str, path: Path
) -> None:
    """Write images beside their predictions and entropies as PNG: the ends of a ranking, the easiest first.

    Args:
        rows: (title, uint8 RGB [H, W, 3], probabilities float32 [C, h, w]).
    """
    count = max(len(rows), 1)
    figure = Figure(figsize=(12, 2.2 * count + 0.6), layout="constrained")
    figure.suptitle(f"Easiest to hardest images of the target {KINDS[kind]}: image, prediction, entropy (0..1)")
    axes = figure.subplots(count, 3, squeeze=False)
    for row, (title, image, probabilities) in zip(axes, rows, strict=False):
        surprise = -probabilities * np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        row[0].imshow(image)
        row[0].set_title(title, fontsize=8)
        row[1].imshow(colour(probabilities.argmax(0).astype(np.uint8), space), interpolation="nearest")
        row[2].imshow(surprise.sum(0) / np.log(len(probabilities)), vmin=0, vmax=1, cmap="magma")
    for axis in axes.ravel():
        axis.set_axis_off()
    _save(figure, path)
