"""SYNTHIA-RAND-CITYSCAPES: RAND_CITYSCAPES/{RGB,GT/LABELS}/*.png, or without that folder: 9,400 frames of 1280x760, all
of them "train". Labels are 16-bit PNGs: id, instance, 0."""

import numpy as np

from udamlf.data.dataset import DataSet
from udamlf.data.raster import DEEP_MODES, LabelFormat, read_ids16, write_pixels

_EXPECTED = "a 16-bit multi-channel PNG, the id in the first channel (GT/LABELS)"

DATASET = DataSet(
    name="synthia",
    home="https://synthia-dataset.net (SYNTHIA-RAND-CITYSCAPES)",
    raw_classes={
        1: "sky", 2: "building", 3: "road", 4: "sidewalk", 5: "fence", 6: "vegetation", 7: "pole", 8: "car",
        9: "traffic_sign", 10: "person", 11: "bicycle", 12: "motorcycle", 15: "traffic_light", 16: "terrain",
        17: "rider", 18: "truck", 19: "bus", 20: "train", 21: "wall",
    },
    known_ids=range(23),  # 0 void, 13 parking, 14 road work, 22 lane marking
    image="RGB/{name}.png",
    label="GT/LABELS/{name}.png",
    splits=("train",),
    release="RAND_CITYSCAPES",
    labels=LabelFormat(
        DEEP_MODES, _EXPECTED, lambda path: read_ids16(path, _EXPECTED),
        lambda path, ids: write_pixels(path, np.dstack([0 * ids, 0 * ids, ids]).astype(np.uint16)), bits=16,
    ),
)  # fmt: skip
