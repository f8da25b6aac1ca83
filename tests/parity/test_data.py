"""Golden vectors of the data floor: label maps and the two resize rules of IAST and HIAST."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.conftest import Golden
from udamlf.config.labels import CITYSCAPES_16, CITYSCAPES_19, IGNORE, ROBOTCAR_9, LabelSpace, lookup_table
from udamlf.data.dataset import SHIPPED
from udamlf.data.geometry import resize_image, resize_label

# Array name -> reader's raw classes; the two Cityscapes spaces are told apart by the hyper-parameter num_classes_*.
_READERS = {"gta5": "gta5", "synthia": "synthia", "oxford9": "robotcar"}
_LABEL_RULES = {"pil_nearest": "pillow_ties", "opencv_nearest": "opencv"}
_IMAGE_RULES = {"pil_lanczos": "lanczos", "opencv_bilinear": "bilinear"}


def _space(num_classes: int) -> LabelSpace:
    spaces = {space.num_classes: space for space in (CITYSCAPES_19, CITYSCAPES_16, ROBOTCAR_9)}
    return spaces[num_classes]


@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_label_maps(golden: Golden, method: str) -> None:
    """Raw ids become the published train ids, exactly, for every data set of the folder."""
    arrays, hparams = golden.arrays(method, "label_maps"), golden.hparams(method, "label_maps")
    raw = arrays.pop("raw")
    assert arrays
    for name, expected in arrays.items():
        space = _space(hparams[f"num_classes_{name}"])
        if name.startswith("cityscapes"):  # its input is 19-class train ids
            table = lookup_table(dict(enumerate(CITYSCAPES_19.classes)), space)
        else:
            table = SHIPPED[_READERS[name]].train_ids(space)
        ours = np.where(table == IGNORE, hparams["ignore_label"], table)[raw]
        np.testing.assert_array_equal(ours, expected, err_msg=name)


@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_resize(golden: Golden, method: str) -> None:
    """Images within one grey level of the published filter; labels and masks exactly."""
    arrays, hparams = golden.arrays(method, "resize"), golden.hparams(method, "resize")
    image = resize_image(arrays["image"], tuple(hparams["image_resized_hw"]), _IMAGE_RULES[hparams["image_filter"]])
    assert np.abs(image.astype(int) - arrays["image_resized"]).max() <= 1
    up = resize_label(arrays["label"], tuple(hparams["label_upsampled_hw"]), _LABEL_RULES[hparams["label_filter"]])
    np.testing.assert_array_equal(up, arrays["label_upsampled"])
    if "mask" in arrays:
        down = resize_label(arrays["mask"], arrays["mask_resized"].shape, _LABEL_RULES[hparams["mask_filter"]])
        np.testing.assert_array_equal(down, arrays["mask_resized"])
