"""GTA5 (Playing for Data): 24,966 frames, all "train", mostly 1914x1052; labels are palette PNGs of Cityscapes label
ids. A few published labels differ in size from their image and are resized to it, as the released code does."""

import numpy as np

from udamlf.config.labels import CITYSCAPES_19
from udamlf.data.dataset import DataSet
from udamlf.data.datasets.cityscapes import LABEL_IDS
from udamlf.data.raster import id_format, write_palette

_COLOURS = np.zeros((256, 3), np.uint8)
for _raw, _name in LABEL_IDS.items():
    _COLOURS[_raw] = CITYSCAPES_19.palette[CITYSCAPES_19.classes.index(_name)]

DATASET = DataSet(
    name="gta5",
    home="https://download.visinf.tu-darmstadt.de/data/from_games",
    raw_classes=LABEL_IDS,
    known_ids=range(35),  # 34 is the licence plate
    image="images/{name}.png",
    label="labels/{name}.png",
    splits=("train",),
    labels=id_format(
        ("P", "L"),
        "an 8-bit palette PNG whose indices are label ids",
        lambda path, ids: write_palette(path, ids, _COLOURS),
    ),
    resizes_labels=True,
)
