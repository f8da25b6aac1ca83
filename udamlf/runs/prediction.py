"""Masks of a user's own images and videos, from a run's checkpoint or a registered model."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from udamlf.common.errors import UserError
from udamlf.common.files import write_json
from udamlf.data.raster import write_pixels
from udamlf.runs.runner import trained
from udamlf.runs.serving import Image, Prediction, Segmenter, load_model, read_image
from udamlf.runs.tags import MODEL
from udamlf.runs.tracker import Tracker

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
IMAGES_AND_VIDEOS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", *VIDEOS)


def segmenter(run_id: str = "", model: str = "") -> Segmenter:
    """The network of a run, a chain's last one, under its own protocol; or of a model's MLflow address. UserError:
    neither or both, or no such run or model."""
    if bool(run_id) == bool(model):
        raise UserError("a prediction takes exactly one network", "a run's id, or a model's address")
    tracker = Tracker.existing()
    if model:
        return load_model(model)
    inputs, config = trained(tracker, run_id)
    folders = [each.path / "checkpoint" for each in inputs.values()]
    return Segmenter(folders, config.space, config.protocol(config.report_split))


def predict(images: Sequence[Image], run_id: str = "", model: str = "") -> list[Prediction]:
    """Class map, confidence and colour mask of each image (uint8 RGB [H, W, 3], the content of a file, or its path) at
    its own size. UserError: see ``segmenter``; an image cannot be read."""
    return list(map(segmenter(run_id, model), images))


def register(run_id: str, name: str = "", alias: str = "") -> str:
    """Make the checkpoint of a run, a chain's last one, a version of a registered model; its address."""
    tracker = Tracker.existing()
    inputs, config = trained(tracker, run_id)
    if (model_id := inputs["training"].tags.get(MODEL)) is None:
        raise UserError(f"run {run_id} has no model", "a training of a later version of udamlf")
    tags = {"scenario": config.scenario.name, "method": config.method.name, "seed": str(config.seed)}
    return tracker.register(model_id, name or f"{config.scenario.name}-{config.method.name}", alias, tags)


def predict_files(network: Segmenter, inputs: Sequence[str], out: Path) -> list[str]:
    """Write, for every image, image in a folder and frame of a video, ``labels/NAME.png`` (grey: train ids),
    ``colour/NAME.png`` and ``overlay/NAME.jpg``, and ``classes.json``. Returns what is wrong with those that cannot be
    read; the others are done. UserError: a folder without any, or two that would be written to one place."""
    files, bad, console = _listed(inputs, out), list[str](), Console(stderr=True)
    colours = [list(rgb) for rgb in network.space.palette]
    write_json(out / "classes.json", {"classes": network.space.classes, "colours": colours})
    images, total = _images(files, bad), sum(_length(path) for path in files.values())
    for name, image in track(images, "images", total, console=console, disable=not console.is_terminal):
        labels, _, colour, _ = network(image)
        write_pixels(out / "labels" / f"{name}.png", labels)
        write_pixels(out / "colour" / f"{name}.png", colour[..., ::-1])
        write_pixels(out / "overlay" / f"{name}.jpg", cv2.addWeighted(image, 0.5, colour, 0.5, 0)[..., ::-1])
    return bad


def _listed(inputs: Sequence[str], out: Path) -> dict[str, Path]:
    """Name of the output -> file."""
    files: dict[str, Path] = {}
    for path in map(Path, inputs):
        below = (p for p in sorted(path.rglob("*")) if not p.is_relative_to(out))
        inside = [p for p in below if p.suffix.lower() in IMAGES_AND_VIDEOS]
        if path.is_dir() and not inside:
            raise UserError(f"no image or video in {path}", f"files that end in {' '.join(IMAGES_AND_VIDEOS)}")
        for file in inside or [path]:
            name = str(file.relative_to(path if inside else path.parent).with_suffix(""))
            if files.setdefault(name, file) != file:
                raise UserError(f"{files[name]} and {file} would both become {name}.png", "names that differ")
    return files


def _length(path: Path) -> int:
    """Number of images in a file, by its header."""
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)) if path.suffix.lower() in VIDEOS else 1


def _images(files: dict[str, Path], bad: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels of every image; a file that cannot be read is added to ``bad``."""
    for name, path in files.items():
        try:
            if path.suffix.lower() not in VIDEOS:
                yield name, read_image(path)
                continue
            video, count = cv2.VideoCapture(str(path)), 0
            while (frame := video.read()[1]) is not None:
                yield f"{name}/{count:06d}", np.ascontiguousarray(frame[..., ::-1])
                count += 1
            if count < max(1, _length(path) - 1):  # some formats only estimate it
                raise UserError(f"cannot decode {path}: {count} of {_length(path)} frames")
        except UserError as error:
            bad.append(error.message)
