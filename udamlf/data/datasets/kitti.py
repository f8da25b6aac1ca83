"""KITTI semantics 2015: 200 frames with labels (``training``; 8-bit Cityscapes label ids) and 200 without (``testing``)
of about 1242x375; names like ``000000_10``."""

from udamlf.data.dataset import DataSet
from udamlf.data.datasets.cityscapes import LABEL_IDS
from udamlf.data.raster import GREY

DATASET = DataSet(
    name="kitti",
    home="https://www.cvlibs.net/datasets/kitti (data_semantics.zip)",
    raw_classes={**LABEL_IDS, 9: "parking", 14: "guard_rail", 15: "bridge", 16: "tunnel", 18: "polegroup",
                 29: "caravan", 30: "trailer"},
    known_ids=range(34),
    image="{split}/image_2/{name}.png",
    label="{split}/semantic/{name}.png",
    splits=("training", "testing"),
    labels=GREY,
)  # fmt: skip
