"""Confusion, IoU and multi-scale prediction equal the released ones on the golden vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.conftest import Golden
from udamlf.config.budget import EvalProtocol
from udamlf.config.labels import IGNORE
from udamlf.evaluation.predict import scores
from udamlf.evaluation.score import confusion_matrix, iou, miou
from udamlf.models.base import Output, SegmentationModel


def as_labels(array: np.ndarray, hparams: dict[str, Any]) -> np.ndarray:
    return np.where(array == hparams["ignore_label"], IGNORE, array).astype(np.uint8)


def test_cbst_confusion_and_three_conventions_of_absent_classes(golden: Golden) -> None:
    arrays, hp = golden.arrays("cbst", "iou"), golden.hparams("cbst", "iou")
    confusion = confusion_matrix(arrays["pred"], as_labels(arrays["label"], hp), hp["num_classes"])
    assert confusion.dtype == np.int64
    np.testing.assert_array_equal(confusion, arrays["confusion"])
    per_class = iou(confusion)
    np.testing.assert_allclose(per_class, arrays["iou"], rtol=0, atol=1e-12)
    assert miou(per_class) == pytest.approx(float(arrays["miou_nanmean"]), abs=1e-12)
    assert np.isnan(per_class).sum() == np.isnan(arrays["iou"]).sum()
    absent_as_zero = np.nan_to_num(per_class)
    np.testing.assert_allclose(absent_as_zero, arrays["iou_cbst"], rtol=0, atol=1e-12)
    for name in ("miou_nan_to_zero", "miou_cbst"):
        assert miou(absent_as_zero) == pytest.approx(float(arrays[name]), abs=1e-12)


def test_iast_iou_of_summed_batches(golden: Golden) -> None:
    arrays, hp = golden.arrays("iast", "miou"), golden.hparams("iast", "miou")
    labels = as_labels(arrays["label"], hp)
    batches = zip(arrays["pred"], labels, strict=True)
    confusion = sum(confusion_matrix(pred, label, hp["num_classes"]) for pred, label in batches)
    assert isinstance(confusion, np.ndarray)
    hits = np.diag(confusion)
    np.testing.assert_array_equal(hits, arrays["intersection"])
    np.testing.assert_array_equal(confusion.sum(0) + confusion.sum(1) - hits, arrays["union"])
    per_class = np.nan_to_num(iou(confusion))  # a class absent from both counts as 0
    np.testing.assert_allclose(per_class, arrays["iou"], rtol=0, atol=1e-6 + hp["iou_eps"])
    assert miou(per_class) == pytest.approx(float(arrays["miou19"]), abs=1e-6)
    # The released 16- and 13-class means divide the sum over all classes.
    of_13 = np.delete(per_class, hp["miou13_zeroed_classes"])
    assert per_class.sum() / hp["miou16_divisor"] == pytest.approx(float(arrays["miou16"]), abs=1e-6)
    assert of_13.sum() / hp["miou13_divisor"] == pytest.approx(float(arrays["miou13"]), abs=1e-6)


class Toy(SegmentationModel):
    """The vectors' network: one strided convolution."""

    align_corners = True

    def __init__(self, weight: np.ndarray, bias: np.ndarray, stride: int, padding: int) -> None:
        super().__init__(len(bias))
        self.weight, self.bias = nn.Parameter(torch.from_numpy(weight)), nn.Parameter(torch.from_numpy(bias))
        self.stride, self.padding = stride, padding

    def normalise(self, images: Tensor) -> Tensor:
        """The vectors hold images as the network sees them."""
        return images.permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Output:
        return Output(F.conv2d(images, self.weight, self.bias, self.stride, self.padding))


def test_hiast_multi_scale_and_flip(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "multiscale_eval"), golden.hparams("hiast", "multiscale_eval")
    toy = Toy(arrays["conv_weight"], arrays["conv_bias"], hp["conv_stride"], hp["conv_padding"])
    toy.align_corners = hp["align_corners"]
    assert toy.num_classes == hp["num_classes"]
    images = arrays["image"].transpose(0, 2, 3, 1)
    assert list(images.shape[1:3]) == hp["native_size_hw"]
    cases = [name.removesuffix(".argmax") for name in arrays if name.endswith(".argmax")]
    assert cases
    for case in cases:
        sizes, flip = arrays[f"{case}.sizes_hw"].tolist(), bool(arrays[f"{case}.flip"])
        assert (hp[f"{case}_sizes_hw"], hp[f"{case}_flip"]) == (sizes, flip)
        protocol = EvalProtocol(scales=sizes, flip=flip, align_corners=hp["align_corners"])
        mean = scores(toy, images, protocol)
        passes = len(sizes) * (1 + flip)  # ours is the mean, the released one the sum
        step = hp["score_sum_subsample"]
        expected = arrays[f"{case}.score_sum"]
        np.testing.assert_allclose(passes * mean[:, :, ::step, ::step].numpy(), expected, rtol=0, atol=1e-5)
        assert (mean.argmax(1).numpy() == arrays[f"{case}.argmax"]).mean() >= 0.999
