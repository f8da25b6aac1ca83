"""Reading ProDA's golden vectors: ignore labels, views, the toy network, and a check that no array is left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.conftest import Golden
from udamlf.config.labels import IGNORE
from udamlf.data.geometry import Geometry
from udamlf.data.strong_view import GEOMETRIC, StrongView, gather_maps, strong_index
from udamlf.losses import cross_entropy
from udamlf.methods.proda import reverse_cross_entropy


class Arrays(dict[str, np.ndarray]):
    """Arrays that remember which of them were looked at."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read.add(name)
        return super().__getitem__(name)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(np.asarray(self[name]))


@contextmanager
def every_array(golden: Golden, stem: str, method: str = "proda") -> Iterator[tuple[Arrays, dict[str, Any]]]:
    """(arrays, hyper-parameters) of a file; fails at the end if a test left an array out."""
    arrays = Arrays(golden.arrays(method, stem))
    yield arrays, golden.hparams(method, stem)
    assert arrays.read == set(arrays), f"arrays never checked: {sorted(set(arrays) - arrays.read)}"


def close(actual: Any, expected: Any, atol: float = 0.0, rtol: float = 0.0) -> None:
    if isinstance(actual, Tensor):
        actual = actual.detach().numpy()
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)


def train_ids(label: np.ndarray, hparams: dict[str, Any]) -> Tensor:
    """int64 labels with our IGNORE for the file's ignore label."""
    ids = torch.from_numpy(label.astype(np.int64))
    return ids.masked_fill(ids == hparams["ignore_label"], IGNORE)


def file_ids(label: Tensor, ignore_label: int) -> np.ndarray:
    """Labels with the file's ignore label for our IGNORE."""
    return label.masked_fill(label == IGNORE, ignore_label).numpy()


def weak_views(arrays: Arrays, suffix: str = "") -> list[Geometry]:
    rows = zip(*(arrays[f"weak_{n}{suffix}"].tolist() for n in ("size_hw", "crop_y1y2x1x2", "hflip")), strict=True)
    return [
        Geometry(y1, x1, y2 - y1, x2 - x1, (y2 - y1, x2 - x1), bool(flip), resized_hw=(h, w))
        for (h, w), (y1, y2, x1, x2), flip in rows
    ]


def strong_views(arrays: Arrays, hparams: dict[str, Any], suffix: str = "") -> list[StrongView]:
    values = {name: arrays[f"strong_{name.lower()}{suffix}"] for name in GEOMETRIC}
    hflips, boxes = arrays[f"strong_hflip{suffix}"], arrays[f"strong_cutout_x0y0x1y1{suffix}"]
    return [
        StrongView(
            bool(hflips[k]),
            tuple((name, float(values[name][k])) for name in GEOMETRIC if values[name][k] != hparams["not_applied"]),
            None if boxes[k][0] == hparams["no_cutout"] else tuple(boxes[k].tolist()),
        )
        for k in range(len(hflips))
    ]


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, h: dict[str, Any]) -> Tensor:
    """alpha x cross-entropy + beta x reverse cross-entropy (ProDA, section 7.5)."""
    floors = (h["rce_probability_clamp_min"], h["rce_label_clamp_min"], h["rce_count_eps"])
    return h["alpha"] * cross_entropy(logits, labels) + h["beta"] * reverse_cross_entropy(logits, labels, *floors)


def move(maps: Tensor, views: list[StrongView], hparams: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Maps [N,C,h,w] in the strong view as the released code moves them, and which cells are valid [N,h,w]."""
    hw = (maps.shape[2], maps.shape[3])
    index = torch.stack([torch.from_numpy(strong_index(v, hw, hparams["scale"], released=True)) for v in views])
    return gather_maps(maps, index, hparams["padding"]), index >= 0


def _convolution(arrays: Arrays, name: str, stride: int, padding: int) -> nn.Conv2d:
    weight = arrays.tensor(f"{name}_weight")
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], stride, padding, bias=f"{name}_bias" in arrays)
    layer.weight.data = weight
    if layer.bias is not None:
        layer.bias.data = arrays.tensor(f"{name}_bias")
    return layer


class Toy(nn.Module):
    """The toy network of 14-16; strides and paddings from the hyper-parameters, sizes from the weights."""

    def __init__(self, arrays: Arrays, prefix: str, h: dict[str, Any]) -> None:
        super().__init__()
        self.c1 = _convolution(arrays, f"{prefix}_c1", h["toy_c1_stride"], h["toy_c1_padding"])
        self.c2 = _convolution(arrays, f"{prefix}_c2", h["toy_c2_stride"], h["toy_c2_padding"])
        self.head = _convolution(arrays, f"{prefix}_head", 1, 0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(features, logits)."""
        features = self.c2(torch.relu(self.c1(images)))
        return features, self.head(features)

    def check(self, arrays: Arrays, prefix: str, atol: float) -> None:
        for name, value in self.named_parameters():
            close(value, arrays[f"{prefix}_{name.replace('.', '_')}"], atol=atol)
