"""Pictures that an evaluation publishes, to be laid over each other: an image, its truth, and what was predicted."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from udamlf.config.labels import LabelSpace
from udamlf.report.figures import colour

LONGEST_SIDE = 1024  # pixels: what a page shows


def write_examples(folder: Path, frames: Iterable[Mapping[str, np.ndarray]], space: LabelSpace) -> None:
    """Write ``<frame>-<name>`` of every picture of every frame: uint8 RGB [H, W, 3] as JPEG; uint8 train ids [h, w] in
    their colours as PNG."""
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
