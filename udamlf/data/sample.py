"""The carrier of images from file to device: a ``Sample`` is one image with its label, a ``Domain`` a batch of them."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from torch import Tensor

from udamlf.data.geometry import Geometry


class Cut(NamedTuple):
    frame_hw: tuple[int, int]
    geometry: Geometry


@dataclass
class Sample:
    image: np.ndarray  # uint8 RGB [H, W, 3]
    label: np.ndarray  # uint8 [H, W] train ids with IGNORE
    maps: dict[str, np.ndarray] = field(default_factory=dict)  # further uint8 [H, W] that take part in every geometry
    images: dict[str, np.ndarray] = field(default_factory=dict)  # further uint8 [h, w, 3], e.g. a crop's strong view
    arrays: dict[str, np.ndarray] = field(default_factory=dict)  # no geometry touches them: soft labels of the frame
    cut: Cut | None = None  # None for a whole frame


@dataclass
class Domain:
    """A domain's part of a batch: on the host as it was decoded, on the device as the network takes it."""

    images: Tensor  # host uint8 [N, H, W, 3]; device float32 [N, 3, H, W], normalised
    labels: Tensor  # host uint8, device int64 [N, H, W]: train ids with IGNORE
    maps: dict[str, Tensor]  # further ones as labels
    views: dict[str, Tensor]  # further ones as images
    index: list[int]  # positions of the samples in their split, [N]
    arrays: dict[str, Tensor] = field(default_factory=dict)  # further ones [N, ...]
    cuts: list[Cut] = field(default_factory=list)
