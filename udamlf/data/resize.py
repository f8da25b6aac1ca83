"""Resizing by named rules: implementations differ in pixels, so a rule is part of every result.

Shared foundation, section 3.5 (verified on golden vectors).
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from udamlf.errors import UserError

_OPENCV_FILTERS = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR}
_PILLOW_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
IMAGE_RULES = (*_OPENCV_FILTERS, *_PILLOW_FILTERS)
LABEL_RULES = ("opencv", "pillow")


def resize_image(image: np.ndarray, size_hw: tuple[int, int], rule: str) -> np.ndarray:
    """Resize uint8 [H, W, 3] to ``size_hw``.

    Args:
        rule: "area" (OpenCV, averages), "bilinear" (OpenCV, half-pixel centres, no antialias; HIAST), "bicubic"
            (Pillow, antialiased; AdvEnt) or "lanczos" (Pillow, antialiased; IAST).
    """
    height, width = size_hw
    if image.shape[:2] == (height, width):
        return image
    if rule in _PILLOW_FILTERS:
        return np.asarray(Image.fromarray(image).resize((width, height), _PILLOW_FILTERS[rule]))
    if rule not in _OPENCV_FILTERS:
        raise UserError(f"unknown interpolation {rule!r}", f"one of: {', '.join(IMAGE_RULES)}")
    return cv2.resize(image, (width, height), interpolation=_OPENCV_FILTERS[rule])


def _nearest(source: int, target: int, rule: str) -> np.ndarray:
    """Index into ``source`` samples for each of ``target`` samples, in exact integer arithmetic."""
    i = np.arange(target)
    if rule == "opencv":
        return i * source // target
    if rule == "pillow":
        return (2 * i + 1) * source // (2 * target)
    raise UserError(f"unknown label resize {rule!r}", f"one of: {', '.join(LABEL_RULES)}")


def resize_label(label: np.ndarray, size_hw: tuple[int, int], rule: str = "pillow") -> np.ndarray:
    """Nearest-neighbour resize of ids [H, W] to ``size_hw``.

    Args:
        rule: "opencv" picks source floor(i*n/N) (INTER_NEAREST, HIAST), "pillow" floor((i+0.5)*n/N), the pixel under
            the centre (IAST).
    """
    if label.shape == tuple(size_hw):
        return label
    rows, columns = (_nearest(n, big, rule) for n, big in zip(label.shape, size_hw, strict=True))
    return label[rows[:, None], columns[None, :]]
