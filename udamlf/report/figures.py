"""Pictures that a stage publishes: figures as PNG, and the images, truths and predictions themselves. Every figure says
which data its numbers are of (``kind``, a key of ``KINDS``). No pyplot: its state is global."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from udamlf.common.files import atomic_file
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.report import KINDS

LONGEST_SIDE = 1024  # pixels: what a page shows


def colour(labels: np.ndarray, space: LabelSpace) -> np.ndarray:
    """uint8 RGB [H, W, 3] of train ids uint8 [H, W]; IGNORE is black."""
    palette = np.zeros((IGNORE + 1, 3), np.uint8)
    palette[: space.num_classes] = space.palette
    return palette[labels]


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, 100 pixels an inch."""
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def grid(
    heading: str, pictures: Sequence[tuple[str, np.ndarray | None]], space: LabelSpace, path: Path, width: float = 12
) -> None:
    """Write titled pictures (RGB, or train ids [h, w]; None: a gap), three in a line of ``width`` inches (100 pixels
    each), above the colours of the classes."""
    count = max(-(-len(pictures) // 3), 1)
    figure = Figure(figsize=(width, 0.184 * width * count + 1.4), layout="constrained")
    figure.suptitle(heading)
    axes = figure.subplots(count, 3, squeeze=False, subplot_kw={"frame_on": False, "xticks": [], "yticks": []})
    for axis, (title, pixels) in zip(axes.ravel(), pictures, strict=False):
        if pixels is None:
            continue
        axis.imshow(colour(pixels, space) if pixels.ndim == 2 else pixels, interpolation="nearest")
        axis.set_title(title, fontsize=8)
    classes = zip(space.classes, space.palette, strict=True)
    handles = [Patch(color=f"#{bytes(rgb).hex()}", label=name) for name, rgb in classes]
    figure.legend(handles=handles, loc="outside lower center", ncols=int(width / 1.5), fontsize=8, frameon=False)
    save(figure, path)


def predictions_figure(
    images: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]], space: LabelSpace, kind: str, path: Path
) -> None:
    """Write images beside truth and prediction: (name, uint8 RGB [H, W, 3], two uint8 [h, w] of train ids) of each."""
    pictures = []
    for name, image, truth, prediction in images:
        pictures += [(f"image  {name}", image), ("truth", truth), ("prediction", prediction)]
    grid(f"Predictions {KINDS[kind]}; black: not labelled", pictures, space, path)


def examples_figure(
    images: Sequence[tuple[str, np.ndarray, np.ndarray]], space: LabelSpace, kind: str, path: Path
) -> None:
    """Write images, the easiest first, beside their predictions and entropies: (title, uint8 RGB [H, W, 3],
    probabilities float32 [C, h, w]) of each."""
    pictures = []
    for title, image, probabilities in images:
        surprise = -probabilities * np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
        entropy = surprise.sum(0) / np.log(len(probabilities))
        pictures += [(title, image), ("", probabilities.argmax(0)), ("", colormaps["magma"](entropy))]
    heading = f"Easiest to hardest images of the target {KINDS[kind]}: image, prediction, entropy (0..1)"
    grid(heading, pictures, space, path)


def confusion_figure(confusion: np.ndarray, space: LabelSpace, kind: str, path: Path) -> None:
    """Write a confusion matrix, int64 [C, C], rows = truth, in percent of the row's pixels; an empty row stays so."""
    totals = confusion.sum(1, keepdims=True)
    percent = np.divide(100.0 * confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0)
    figure = Figure(figsize=(9, 8.5), layout="constrained")
    axis = figure.subplots()
    figure.colorbar(axis.imshow(percent, cmap="Blues", vmin=0, vmax=100), ax=axis, shrink=0.7)
    axis.set(title=f"Confusion, % of each true class, {KINDS[kind]}", xlabel="predicted", ylabel="true")
    axis.set_xticks(range(space.num_classes), space.classes, rotation=90, fontsize=8)
    axis.set_yticks(range(space.num_classes), space.classes, fontsize=8)
    for row, column in np.argwhere(percent >= 0.5):
        value = percent[row, column]
        ink = "white" if value > 60 else "black"
        axis.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6, color=ink)
    save(figure, path)


def reliability_figure(table: np.ndarray, error: float, kind: str, path: Path) -> None:
    """Write a reliability diagram: accuracy of pseudo-labels by confidence, and the share of the pixels there, from
    float64 [3, bins] (pixels, right ones, sum of confidence) and the expected calibration error in per cent."""
    pixels, right, _ = table
    accuracy = np.divide(100.0 * right, pixels, out=np.full(len(pixels), np.nan), where=pixels > 0)
    places, width = (np.arange(len(pixels)) + 0.5) * 100 / len(pixels), 90 / len(pixels)
    figure = Figure(figsize=(6, 5), layout="constrained")
    axis = figure.subplots()
    axis.bar(places, accuracy, width, label="right, % of the pixels there")
    axis.plot(places, 100 * pixels / pixels.sum(), "o-", color="grey", label="pixels, % of all")
    axis.plot((0, 100), (0, 100), "k--", linewidth=1, label="calibrated")
    title = f"Calibration of pseudo-labels: ECE {error:.1f} %\n{KINDS[kind]}"
    axis.set(title=title, xlabel="confidence, %", ylabel="%", xlim=(0, 100), ylim=(0, 100))
    axis.legend(fontsize=8, loc="upper left")
    save(figure, path)


def write_examples(folder: Path, frames: Iterable[Mapping[str, np.ndarray]], space: LabelSpace) -> None:
    """Write ``<frame>-<name>`` of every picture: uint8 RGB [H, W, 3] as JPEG; uint8 train ids [h, w] as PNG."""
    folder.mkdir(parents=True)
    for number, (name, pixels) in ((n, entry) for n, frame in enumerate(frames, 1) for entry in frame.items()):
        is_map = pixels.ndim == 2
        picture = Image.fromarray(colour(pixels, space) if is_map else pixels)
        picture.thumbnail((LONGEST_SIDE,) * 2, Image.Resampling.NEAREST if is_map else Image.Resampling.LANCZOS)
        picture.save(folder / f"{number}-{name}.{'png' if is_map else 'jpeg'}")


def read_examples(folder: Path) -> dict[str, dict[str, str]]:
    """Frame -> name of a picture -> its file as a data URI; empty where nothing was published."""
    frames: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*-*")):
        number, _, name = path.stem.partition("-")
        data = b64encode(path.read_bytes()).decode()
        frames.setdefault(number, {})[name] = f"data:image/{path.suffix[1:]};base64,{data}"
    return frames
