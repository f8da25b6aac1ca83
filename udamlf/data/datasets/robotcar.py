"""Oxford RobotCar as released with AdaptSegNet (adversarial-warmup.md 3.2): 894 unlabelled training and 271 labelled
validation frames of 1280x960. Labels are 4-channel PNGs; copies of a single channel are around as well."""

import numpy as np

from udamlf.data.dataset import DataSet
from udamlf.data.raster import id_format, write_pixels

DATASET = DataSet(
    name="robotcar",
    home="https://github.com/wasidennis/AdaptSegNet (Oxford RobotCar annotations)",
    raw_classes={
        1: "sky", 2: "person", 3: "two_wheeler", 4: "automobile", 5: "traffic_sign", 6: "traffic_light",
        7: "building", 10: "sidewalk", 11: "road", 12: "road", 13: "road", 14: "road", 17: "road",
    },
    known_ids=range(19),  # 8 grass, 9 parking, 15 rail, 16 obstacle, 18 other lane marking: ignored
    image="{split}/{name}.png",
    label="anno/{name}.png",
    splits=("val", "train"),
    labels=id_format(
        ("RGBA", "L"), "an 8-bit 4-channel PNG, the id in the first channel (anno/)",
        lambda path, ids: write_pixels(path, np.dstack([ids, ids, ids, np.full_like(ids, 255)])),
    ),
)  # fmt: skip
