"""CBST's upsampling of probability maps (cbst.md, 4.1): three Pillow resamplings per class plane."""

from __future__ import annotations

import numpy as np
from PIL import Image

Size = tuple[int, int]


def _resized(planes: np.ndarray, size_hw: Size, method: Image.Resampling) -> np.ndarray:
    height, width = size_hw
    images = (Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in planes)
    return np.stack([np.asarray(image.resize((width, height), method), np.float32) for image in images])


def upsample_probabilities(planes: np.ndarray, stride: int, image_hw: Size, size_hw: Size) -> np.ndarray:
    """Probabilities of the network's grid at the size of the original image.

    Bicubic by ``stride``, cropped to the resized input image, then to the original size: Lanczos when it shrinks in
    both directions, bicubic when it grows in both, bilinear otherwise; nothing when it is that size already. The result
    sums to 1 over the classes but may leave [0, 1].

    Args:
        planes: float32 [C, h, w].
        stride: of the network.
        image_hw: height and width of the network's input without its padding.
        size_hw: height and width of the original image.

    Returns:
        float32 [C, *size_hw].
    """
    h, w = planes.shape[1:]
    full = _resized(planes, (h * stride, w * stride), Image.Resampling.BICUBIC)[:, : image_hw[0], : image_hw[1]]
    if size_hw == image_hw:
        return full
    grows = (size_hw[0] > image_hw[0], size_hw[1] > image_hw[1])
    shrinks = (size_hw[0] < image_hw[0], size_hw[1] < image_hw[1])
    if all(grows):
        return _resized(full, size_hw, Image.Resampling.BICUBIC)
    return _resized(full, size_hw, Image.Resampling.LANCZOS if all(shrinks) else Image.Resampling.BILINEAR)
