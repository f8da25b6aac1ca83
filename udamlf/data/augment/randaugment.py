"""ProDA's strong view: a second mirror, two random operations, a cutout; and where each of its pixels came from.

Geometry is one composed affine map for the image and for every label or map beside it. ``released=True`` gives the
label counterpart of the released code instead, whose errors section 3 of the specification measures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor

FILL = 127
"""Grey level of what an operation uncovers and of the cutout."""
LEVELS = 10
"""A level v in 1..9 stands for v/10 of an operation's maximum."""


class Strength(NamedTuple):
    """Parameter of a level v: v/10 x maximum + bias; fractions of the side for translations, degrees for Rotate."""

    maximum: float
    bias: float = 0.0


OPERATIONS: dict[str, Strength | None] = {
    "AutoContrast": None,
    "Brightness": Strength(0.9, 0.05),
    "Color": Strength(0.9, 0.05),
    "Contrast": Strength(0.9, 0.05),
    "Equalize": None,
    "Identity": None,
    "Posterize": Strength(4, 4),
    "Rotate": Strength(30),
    "Sharpness": Strength(0.9, 0.05),
    "ShearX": Strength(0.3),
    "ShearY": Strength(0.3),
    "Solarize": Strength(256),
    "TranslateX": Strength(0.3),
    "TranslateY": Strength(0.3),
}
GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
"""In the fixed order in which the released code applies them to labels."""

Operation = tuple[str, float]
Box = tuple[int, int, int, int]


class StrongView(NamedTuple):
    """What was drawn for one crop.

    Attributes:
        hflip: mirror before the operations.
        operations: (name, parameter) in the order drawn; translations in pixels, Rotate in degrees.
        cutout: (x0, y0, x1, y1), pixels, both ends inside; None = no cutout.
    """

    hflip: bool
    operations: tuple[Operation, ...]
    cutout: Box | None


def level_parameter(name: str, level: int, hw: tuple[int, int], strength: Strength | None) -> float:
    """Parameter of an operation at an integer level 1..9, positive; 0 for one that has none (ProDA, section 3)."""
    if strength is None:
        return 0.0
    value = level * strength.maximum / LEVELS
    if name == "Posterize":
        return float(int(value) + strength.bias)
    if name == "Solarize":
        return float(strength.maximum - int(value))
    if name.startswith("Translate"):
        return float(int(value * hw["YX".index(name[-1])]))
    return value + strength.bias


def cutout_box(centre_xy: tuple[float, float], side: int, hw: tuple[int, int]) -> Box:
    """Box (x0, y0, x1, y1) about a centre; clipped at the left and top without getting smaller (released rule)."""
    x0, y0 = (int(max(0.0, centre - side / 2)) for centre in centre_xy)
    return x0, y0, min(hw[1], x0 + side), min(hw[0], y0 + side)


def draw_strong_view(
    generator: np.random.Generator,
    hw: tuple[int, int],
    count: int = 2,
    names: Sequence[str] = tuple(OPERATIONS),
    cutout_share: float = 1 / 3,
) -> StrongView:
    """A random strong view of a crop of size ``hw``.

    Args:
        count: operations drawn with replacement, each applied at 0.5.
        names: what may be drawn; without ``GEOMETRIC`` the view keeps its geometry.
        cutout_share: side of the cutout as a share of the crop's height; 0 = no cutout.
    """
    hflip = bool(generator.random() < 0.5)
    operations: list[Operation] = []
    for _ in range(count):
        name, level = names[int(generator.integers(len(names)))], int(generator.integers(1, LEVELS))
        applied, negative = generator.random(2) < 0.5
        parameter = level_parameter(name, level, hw, OPERATIONS[name])
        if applied:
            operations.append((name, -parameter if negative and name in GEOMETRIC else parameter))
    side = int(hw[0] * cutout_share)
    centre = generator.uniform(0, hw[1]), generator.uniform(0, hw[0])
    return StrongView(hflip, tuple(operations), cutout_box(centre, side, hw) if side else None)


_PHOTOMETRIC: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
    "Color": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
    "Contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
    "Equalize": lambda image, _: ImageOps.equalize(image),
    "Identity": lambda image, _: image,
    "Posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "Sharpness": lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor),
    "Solarize": lambda image, threshold: ImageOps.solarize(image, int(threshold)),
}


def _inverse_map(name: str, parameter: float, hw: tuple[int, int]) -> np.ndarray:
    """3x3 map from output to input position, in pixels with the image spanning [0,W] x [0,H] (Pillow's convention)."""
    if name == "Rotate":
        cos, sin = math.cos(math.radians(parameter)), math.sin(math.radians(parameter))
        y, x = hw[0] / 2, hw[1] / 2
        return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    matrix = np.eye(3)
    axis = "XY".index(name[-1])
    matrix[axis, 1 - axis if name.startswith("Shear") else 2] = parameter
    return matrix


def inverse_matrix(view: StrongView, hw: tuple[int, int], scale: float = 1.0) -> np.ndarray:
    """The view's whole geometry: output position -> position in the crop, float64 [3,3], units of ``scale`` pixels."""
    matrix = np.diag([-1.0, 1.0, 1.0]) if view.hflip else np.eye(3)
    matrix[0, 2] = hw[1] if view.hflip else 0
    for name, parameter in view.operations:
        if name in GEOMETRIC:
            matrix = matrix @ _inverse_map(name, parameter, hw)
    units = np.diag([scale, scale, 1.0])
    return np.linalg.inv(units) @ matrix @ units


def strong_image(image: np.ndarray, view: StrongView, fill: int = FILL) -> np.ndarray:
    """The strong view of a crop, uint8 RGB [H,W,3] -> uint8 [H,W,3].

    Colour operations in the order drawn, then one bilinear warp by ``inverse_matrix``, then the cutout. (The released
    code resamples at every geometric operation; colours see the uncovered grey there.)
    """
    pixels = Image.fromarray(np.ascontiguousarray(image[:, ::-1]) if view.hflip else image)
    for name, parameter in view.operations:
        if name not in GEOMETRIC:
            pixels = _PHOTOMETRIC[name](pixels, parameter)
    if any(name in GEOMETRIC for name, _ in view.operations):
        matrix = inverse_matrix(view._replace(hflip=False), image.shape[:2])
        coefficients = tuple(matrix[:2].ravel())
        affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        pixels = pixels.transform(pixels.size, affine, coefficients, bilinear, fillcolor=(fill,) * 3)
    result = np.array(pixels)
    if view.cutout is not None:
        x0, y0, x1, y1 = view.cutout
        result[y0 : y1 + 1, x0 : x1 + 1] = fill
    return result


def _nearest(matrix: np.ndarray, hw: tuple[int, int]) -> np.ndarray:
    """Flat index [h,w] of the cell that holds each output cell's centre; -1 outside."""
    height, width = hw
    y, x = np.mgrid[:height, :width] + 0.5
    column, row = (np.floor(a * x + b * y + c).astype(np.int64) for a, b, c in matrix[:2])
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.where(inside, row * width + column, -1)


def _released(view: StrongView, hw: tuple[int, int], scale: int) -> np.ndarray:
    """As ``_nearest``, by the released code's chain of nearest resamplings in its fixed order (section 3).

    TranslateX is divided by the height, and of an operation drawn twice only the last parameter counts.
    """
    height, width = hw
    # Positions are carried as a float image, 0 = outside; float32 holds them exactly up to 4096 x 4096.
    carried = torch.arange(1, height * width + 1, dtype=torch.float32).view(1, 1, height, width)
    carried = carried.flip(3) if view.hflip else carried
    parameters = dict(view.operations)
    for name in GEOMETRIC:
        if name not in parameters:
            continue
        value = parameters[name]
        shift = 2 * math.floor(value / scale) / height
        cos, sin = math.cos(math.radians(value)), math.sin(math.radians(value))
        to_x, to_y = value * height / width, value * width / height
        theta = {
            "ShearX": [[1, to_x, to_x], [0, 1, 0]],
            "ShearY": [[1, 0, 0], [to_y, 1, to_y]],
            "TranslateX": [[1, 0, shift], [0, 1, 0]],
            "TranslateY": [[1, 0, 0], [0, 1, shift]],
            "Rotate": [[cos, -sin * height / width, 0], [sin * width / height, cos, 0]],
        }[name]
        grid = F.affine_grid(torch.tensor([theta], dtype=torch.float32), [1, 1, height, width], align_corners=False)
        carried = F.grid_sample(carried, grid, mode="nearest", align_corners=False)
    return carried[0, 0].long().numpy() - 1


def strong_index(view: StrongView, hw: tuple[int, int], scale: int = 4, released: bool = False) -> np.ndarray:
    """Where each cell of a strong map comes from.

    Args:
        hw: size of the map; the crop is ``scale`` times as large.
        released: the released code's counterpart instead of the image's geometry.

    Returns:
        int64 [h,w]: flat index into the weak map; -1 where the strong image shows grey (outside, cutout).
    """
    crop_hw = (hw[0] * scale, hw[1] * scale)
    index = _released(view, hw, scale) if released else _nearest(inverse_matrix(view, crop_hw, scale), hw)
    if view.cutout is not None:
        x0, y0, x1, y1 = (edge // scale for edge in view.cutout)
        index[y0:y1, x0:x1] = -1
    return index


def gather_maps(maps: Tensor, index: Tensor, padding: float) -> Tensor:
    """Maps of the weak crop moved to the strong view.

    Args:
        maps: any dtype, [N,C,h,w].
        index: int64 [N,h,w] of ``strong_index``.
        padding: value where the index is -1.

    Returns:
        [N,C,h,w], dtype of ``maps``.
    """
    flat = index.flatten(1).unsqueeze(1)
    moved = maps.flatten(2).gather(2, flat.clamp(min=0).expand(-1, maps.shape[1], -1))
    return moved.masked_fill(flat < 0, padding).view_as(maps)
