"""Oxford RobotCar, the annotated subset released with AdaptSegNet: train/*.png, val/*.png, labels in anno/*.png.

894 unlabelled training frames and 271 labelled validation frames of 1280x960. Labels are 4-channel PNGs, id in the
first channel; copies with a single 8-bit channel are around as well and are read too. A frame of a list of its own
is looked for in ``train`` and ``val``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.data.dataset import DataSet, by_stem
from udamlf.data.raster import read_ids, write_pixels

_FOLDERS = ("train", "val")

RAW_CLASSES = {
    1: "sky", 2: "person", 3: "two_wheeler", 4: "automobile", 5: "traffic_sign", 6: "traffic_light",
    7: "building", 10: "sidewalk", 11: "road", 12: "road", 13: "road", 14: "road", 17: "road",
}  # fmt: skip


class RobotCar(DataSet):
    """Rainy Oxford; nine coarse classes (adversarial-warmup specification, section 3.2)."""

    name = "robotcar"
    folder = "robotcar"
    home = "https://github.com/wasidennis/AdaptSegNet (Oxford RobotCar annotations)"
    raw_classes = RAW_CLASSES
    known_ids = frozenset(range(19))  # 8 grass, 9 parking, 15 rail, 16 obstacle, 18 other lane marking: ignored

    def official_names(self, root: Path, split: str) -> list[str] | None:
        """Every image of train/ or val/."""
        return by_stem(root / split, ".png") if split in _FOLDERS else None

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """<train or val>/<name>.png, anno/<name>.png."""
        images = [root / folder / f"{name}.png" for folder in ((split,) if split in _FOLDERS else ("val", "train"))]
        return next((path for path in images if path.is_file()), images[0]), root / "anno" / f"{name}.png"

    def read_raw(self, path: Path) -> np.ndarray:
        """First of the 8-bit channels."""
        return read_ids(path, ("RGBA", "L"), "an 8-bit 4-channel PNG, the class id in the first channel (anno/)")

    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """8-bit, 4 channels: id three times and opaque alpha."""
        write_pixels(path, np.dstack([raw, raw, raw, np.full_like(raw, 255)]))


DATASET = RobotCar()
