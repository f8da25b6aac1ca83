"""Cityscapes: 2975 / 500 / 1525 frames of 2048x1024, e.g. ``aachen_000000_000019``; labels are 8-bit label ids (not
train ids), those of the official test split are not public."""

from udamlf.data.dataset import DataSet
from udamlf.data.raster import GREY

LABEL_IDS = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic_light",
    20: "traffic_sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car", 27: "truck",
    28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip

DATASET = DataSet(
    name="cityscapes",
    home="https://www.cityscapes-dataset.com (leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip)",
    raw_classes=LABEL_IDS,
    known_ids=range(34),
    image="leftImg8bit/{split}/{city}/{name}_leftImg8bit.png",
    label="gtFine/{split}/{city}/{name}_gtFine_labelIds.png",
    splits=("train", "val", "test"),
    labels=GREY,
    prediction="{name}_leftImg8bit.png",  # the test server wants the image's own name
)
