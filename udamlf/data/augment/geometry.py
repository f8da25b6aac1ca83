"""Geometry of a training sample: drawn once as a ``Geometry``, applied to an image and to any number of its maps.

A geometry is one box of the input, mirrored or not, resized to the output. Only the box is ever resized, which costs
as much as the output is large, not as the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udamlf.data.labels import IGNORE
from udamlf.data.resize import resize_image, resize_label
from udamlf.errors import UserError

MEAN_COLOUR = (124, 116, 104)
"""ImageNet's mean RGB: an image is padded with what normalisation turns into 0."""


@dataclass(frozen=True)
class Geometry:
    """A box of the input image, in the input's pixels, and what becomes of it.

    The box may reach beyond the image; what lies outside is padding. With ``flip`` the box is given in the mirrored
    image, that is: first mirror, then crop, then resize.
    """

    top: int
    left: int
    height: int
    width: int
    output_hw: tuple[int, int]
    flip: bool = False
    image_rule: str = "bilinear"
    label_rule: str = "opencv"


def crop(array: np.ndarray, geometry: Geometry, fill: int | Sequence[int]) -> np.ndarray:
    """The box of a [H,W] or [H,W,C] array at its own size, mirrored; ``fill`` (one value or one per channel) outside.

    Raises:
        UserError: the box does not meet the array.
    """
    g = geometry
    height, width = array.shape[:2]
    # A mirrored crop is cut from the unmirrored array: mirroring the box alone is cheaper and exact.
    left = width - g.left - g.width if g.flip else g.left
    rows = slice(max(g.top, 0), min(g.top + g.height, height))
    columns = slice(max(left, 0), min(left + g.width, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise UserError(f"a crop {g} outside of an array of {height}x{width}", "a box that meets the image")
    box = array[rows, columns]
    if box.shape[:2] != (g.height, g.width):
        padded = np.empty((g.height, g.width, *array.shape[2:]), array.dtype)
        padded[...] = fill
        padded[rows.start - g.top : rows.stop - g.top, columns.start - left : columns.stop - left] = box
        box = padded
    return np.array(box[:, ::-1] if g.flip else box, order="C")


def apply_geometry(
    geometry: Geometry, image: np.ndarray, *labels: np.ndarray, image_fill: Sequence[int] = MEAN_COLOUR
) -> tuple[np.ndarray, ...]:
    """The same geometry for an image (uint8 [H,W,3]) and any number of label maps (uint8 [H,W], padding ``IGNORE``).

    Returns:
        (image, *labels) at the output size: new arrays, never views of the arguments.
    """
    g = geometry
    maps = (resize_label(crop(label, g, IGNORE), g.output_hw, g.label_rule) for label in labels)
    return (resize_image(crop(image, g, image_fill), g.output_hw, g.image_rule), *maps)


def whole_image(image_hw: tuple[int, int], output_hw: tuple[int, int], flip: bool = False) -> Geometry:
    """The whole image, resized to ``output_hw``."""
    return Geometry(0, 0, *image_hw, output_hw, flip)


def crop_origin(free: int, u: float) -> int:
    """Where a crop starts: int(free * u) for ``free`` spare pixels and u in [0, 1); 0 if the crop does not fit."""
    return int(max(free, 0) * u)


def random_sized_crop(
    rng: np.random.Generator,
    image_hw: tuple[int, int],
    crop_height: tuple[int, int],
    output_hw: tuple[int, int],
    flip_probability: float = 0.5,
) -> Geometry:
    """IAST's and HIAST's crop (adversarial-warmup.md 3.4): height h an integer from ``crop_height``, both ends
    included; width int(h * r), r the output's width / height; origin int((H - h) * u), int((W - w) * v).

    A crop larger than the image starts at 0 and is padded at the bottom and right.
    """
    flip = bool(rng.random() < flip_probability)
    height = int(rng.integers(crop_height[0], crop_height[1], endpoint=True))
    width = max(1, int(height * (output_hw[1] / output_hw[0])))
    top = crop_origin(image_hw[0] - height, rng.random())
    left = crop_origin(image_hw[1] - width, rng.random())
    return Geometry(top, left, height, width, output_hw, flip)


def scale_crop(
    rng: np.random.Generator,
    image_hw: tuple[int, int],
    scale: tuple[float, float],
    output_hw: tuple[int, int],
    flip_probability: float = 0.5,
) -> Geometry:
    """Scale the image by a uniform factor from ``scale``, then crop ``output_hw`` anywhere in it.

    A scaled image smaller than the crop keeps its top left corner and is padded at the bottom and right.
    """
    flip = bool(rng.random() < flip_probability)
    factor = rng.uniform(*scale)
    height, width = (max(1, round(side / factor)) for side in output_hw)
    top = crop_origin(image_hw[0] - height + 1, rng.random())
    left = crop_origin(image_hw[1] - width + 1, rng.random())
    return Geometry(top, left, height, width, output_hw, flip)


def cbst_scale_crop(
    rng: np.random.Generator,
    image_hw: tuple[int, int],
    nominal_length: int,
    scale: tuple[float, float] = (0.7, 1.3),
    output_side: int = 504,
    flip_probability: float = 0.5,
    stride: int = 8,
) -> Geometry:
    """CBST's square crop (cbst.md 5), with Pillow's Lanczos where it shrinks and bicubic where it grows.

    Args:
        nominal_length: L, of which the target length T in [floor(a*L), floor(b*L)] is drawn; 2048, SYNTHIA 1280.
        scale: (a, b).
        output_side: the network's input; a multiple of ``stride``.
    """
    flip = bool(rng.random() < flip_probability)
    target = int(rng.integers(int(scale[0] * nominal_length), int(scale[1] * nominal_length), endpoint=True))
    rate = target / nominal_length
    side = int(output_side / rate)
    # The image lies at (offset, offset) of a padded canvas, in which the crop's origin is drawn.
    offset = max(1, int(stride / rate / 2))
    top, left = (
        int(rng.random() * max(1.0, stride / rate, offset + length - side + 1)) - offset for length in image_hw
    )
    image_rule = "lanczos" if side > output_side else "bicubic"
    return Geometry(top, left, side, side, (output_side, output_side), flip, image_rule, "pillow")
