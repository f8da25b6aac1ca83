"""Tiny data sets in every real format, for the tests of the data floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udamlf.common.seeding import rng
from udamlf.config.labels import CAMVID_11, CITYSCAPES_16, CITYSCAPES_19, IGNORE, ROBOTCAR_9, LabelSpace
from udamlf.data.dataset import SHIPPED, DataSet

# data set -> (a space its labels can be written in, a labelled split, frame names)
FORMATS: dict[str, tuple[LabelSpace, str, tuple[str, ...]]] = {
    "cityscapes": (CITYSCAPES_19, "val", ("ulm_000001_000019", "bonn_000000_000019")),
    "gta5": (CITYSCAPES_19, "train", ("00002", "00001")),
    "synthia": (CITYSCAPES_16, "train", ("0000002", "0000001")),
    "robotcar": (ROBOTCAR_9, "val", ("b_000001", "a_000001")),
    "kitti": (CAMVID_11, "training", ("000001_10", "000000_10")),
    "camvid": (CAMVID_11, "source_train", ("0006R0_f00930", "0001TP_006690")),
}


def random_frame(seed: int, space: LabelSpace, size_hw: tuple[int, int] = (12, 20)) -> tuple[np.ndarray, np.ndarray]:
    """A noise image and train ids of ``space`` with ignored pixels."""
    generator = rng(seed, "frame", space.name)
    image = generator.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    ids = generator.integers(0, space.num_classes + 1, size_hw)
    return image, np.where(ids == space.num_classes, IGNORE, ids).astype(np.uint8)


def write_data_set(root: Path, name: str) -> tuple[DataSet, LabelSpace, str]:
    """Two frames of a data set in its official layout under the data root ``root``."""
    data_set, (space, split, names) = SHIPPED[name], FORMATS[name]
    for seed, frame in enumerate(names):
        data_set.write(root, split, frame, *random_frame(seed, space), space)
    if name == "camvid":
        data_set.write_list(root, split, names)
    return data_set, space, split
