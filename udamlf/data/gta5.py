"""GTA5 (Playing for Data): images/*.png and labels/*.png, palette PNGs whose indices are Cityscapes label ids.

Frames come in several sizes (mostly 1914x1052); a few published labels differ in size from their image and must be
left out with a list.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.data.cityscapes import LABEL_IDS
from udamlf.data.dataset import DataSet, by_stem
from udamlf.data.labels import CITYSCAPES_19
from udamlf.data.raster import read_ids, write_palette

_COLOURS = np.zeros((256, 3), np.uint8)
for _raw, _name in LABEL_IDS.items():
    _COLOURS[_raw] = CITYSCAPES_19.palette[CITYSCAPES_19.classes.index(_name)]


class GTA5(DataSet):
    """24,966 frames; "train" is all of them."""

    name = "gta5"
    folder = "gta5"
    home = "https://download.visinf.tu-darmstadt.de/data/from_games"
    raw_classes = LABEL_IDS
    known_ids = frozenset(range(35))  # 34 is the licence plate

    def official_names(self, root: Path, split: str) -> list[str] | None:
        """All images for "train"; other splits need a list."""
        return by_stem(root / "images", ".png") if split == "train" else None

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """images/<name>.png, labels/<name>.png."""
        return root / "images" / f"{name}.png", root / "labels" / f"{name}.png"

    def read_raw(self, path: Path) -> np.ndarray:
        """Palette indices (or the values of an 8-bit single-channel PNG)."""
        return read_ids(path, ("P", "L"), "an 8-bit palette PNG whose indices are label ids")

    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """Palette PNG."""
        write_palette(path, raw, _COLOURS)


DATASET = GTA5()
