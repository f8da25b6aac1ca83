"""SYNTHIA-RAND-CITYSCAPES: RAND_CITYSCAPES/{RGB,GT/LABELS}/*.png; the id is the first channel of a 16-bit PNG.

The data set's folder may be ``synthia/RAND_CITYSCAPES`` or ``synthia`` itself holding RGB and GT.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.data.dataset import DataSet, by_stem
from udamlf.data.raster import read_ids16, write_pixels


def _base(root: Path) -> Path:
    return root if (root / "RGB").is_dir() else root / "RAND_CITYSCAPES"


RAW_CLASSES = {
    1: "sky", 2: "building", 3: "road", 4: "sidewalk", 5: "fence", 6: "vegetation", 7: "pole", 8: "car",
    9: "traffic_sign", 10: "person", 11: "bicycle", 12: "motorcycle", 15: "traffic_light", 16: "terrain",
    17: "rider", 18: "truck", 19: "bus", 20: "train", 21: "wall",
}  # fmt: skip


class Synthia(DataSet):
    """9,400 frames of 1280x760; "train" is all of them."""

    name = "synthia"
    folder = "synthia"
    home = "https://synthia-dataset.net (SYNTHIA-RAND-CITYSCAPES)"
    raw_classes = RAW_CLASSES
    known_ids = frozenset(range(23))  # 0 void, 13 parking, 14 road work, 22 lane marking

    def official_names(self, root: Path, split: str) -> list[str] | None:
        """All images for "train"; other splits need a list."""
        return by_stem(_base(root) / "RGB", ".png") if split == "train" else None

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """RGB/<name>.png, GT/LABELS/<name>.png."""
        base = _base(root)
        return base / "RGB" / f"{name}.png", base / "GT" / "LABELS" / f"{name}.png"

    def read_raw(self, path: Path) -> np.ndarray:
        """First channel of a 16-bit multi-channel PNG."""
        return read_ids16(path, "a 16-bit multi-channel PNG, the class id in the first channel (GT/LABELS)")

    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """16-bit, 3 channels: id, instance, 0 in RGB order."""
        pixels = np.zeros((*raw.shape, 3), np.uint16)
        pixels[:, :, 2] = raw
        write_pixels(path, pixels)


DATASET = Synthia()
