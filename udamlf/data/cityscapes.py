"""Cityscapes: leftImg8bit/<split>/<city>/*_leftImg8bit.png, gtFine/<split>/<city>/*_gtFine_labelIds.png.

Names are the part before the suffix, e.g. ``aachen_000000_000019``. Labels are 8-bit label ids (not train ids).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.data.dataset import DataSet, Sample
from udamlf.data.raster import read_ids, write_pixels

LABEL_IDS = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic_light",
    20: "traffic_sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car", 27: "truck",
    28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
_SPLITS = ("train", "val", "test")
_IMAGE, _LABEL = "_leftImg8bit.png", "_gtFine_labelIds.png"


class Cityscapes(DataSet):
    """2975 / 500 / 1525 frames of 2048x1024; the official test labels are not public."""

    name = "cityscapes"
    folder = "cityscapes"
    home = "https://www.cityscapes-dataset.com (leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip)"
    raw_classes = LABEL_IDS
    known_ids = frozenset(range(34))

    def official_names(self, root: Path, split: str) -> list[str] | None:
        """Every frame of leftImg8bit/<split>."""
        if split not in _SPLITS:
            return None
        files = (root / "leftImg8bit" / split).glob(f"*/*{_IMAGE}")
        return [path.name.removesuffix(_IMAGE) for path in files]

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """In the split's folder; a frame of a list of its own is looked for in all official splits."""
        city = name.split("_")[0]
        folders = [split] if split in _SPLITS else _SPLITS
        paths = [
            (root / "leftImg8bit" / f / city / f"{name}{_IMAGE}", root / "gtFine" / f / city / f"{name}{_LABEL}")
            for f in folders
        ]
        return next((pair for pair in paths if pair[0].is_file()), paths[0])

    def read_raw(self, path: Path) -> np.ndarray:
        """8-bit single-channel label ids."""
        return read_ids(path, ("L",), "an 8-bit single-channel PNG of label ids (*_gtFine_labelIds.png)")

    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """8-bit single-channel label ids."""
        write_pixels(path, raw)

    def prediction_name(self, sample: Sample) -> str:
        """The test server wants the image's own name."""
        return f"{sample.name}{_IMAGE}"


DATASET = Cityscapes()
