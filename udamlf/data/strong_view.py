"""ProDA's strong view, and where its pixels came from: one composed affine map for image, labels and maps."""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from udamlf.data.colour import PILLOW

FILL = 127  # grey level of what an operation uncovers and of the cutout
LEVELS = 10  # a level v in 1..9 stands for v/10 x maximum + bias of an operation's parameter


Strength = tuple[float, float]  # (maximum, bias); fractions of the side for translations, degrees for Rotate
Box = tuple[int, int, int, int]  # (x0, y0, x1, y1), pixels

OPERATIONS: dict[str, Strength | None] = {
    "AutoContrast": None, "Brightness": (0.9, 0.05), "Color": (0.9, 0.05), "Contrast": (0.9, 0.05), "Equalize": None,
    "Identity": None, "Posterize": (4, 4), "Rotate": (30, 0), "Sharpness": (0.9, 0.05), "ShearX": (0.3, 0),
    "ShearY": (0.3, 0), "Solarize": (256, 0), "TranslateX": (0.3, 0), "TranslateY": (0.3, 0),
}  # fmt: skip
GEOMETRIC = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")  # in the released code's order for labels


class StrongView(NamedTuple):
    hflip: bool  # before the operations
    operations: tuple[tuple[str, float], ...]  # (name, parameter) in this order; translations in pixels
    cutout: Box | None  # both ends inside


def level_parameter(name: str, level: int, hw: tuple[int, int], strength: Strength | None) -> float:
    """Parameter of an operation at an integer level 1..9, positive; 0 for one that has none (ProDA, section 3)."""
    if strength is None:
        return 0.0
    maximum, bias = strength
    value = level * maximum / LEVELS
    if name == "Posterize":
        return float(int(value) + bias)
    if name == "Solarize":
        return float(maximum - int(value))
    if name.startswith("Translate"):
        return float(int(value * hw["YX".index(name[-1])]))
    return value + bias


def cutout_box(centre_xy: tuple[float, float], side: int, hw: tuple[int, int]) -> Box:
    """Box about a centre; clipped at the left and top without getting smaller (released rule)."""
    x0, y0 = (int(max(0.0, centre - side / 2)) for centre in centre_xy)
    return x0, y0, min(hw[1], x0 + side), min(hw[0], y0 + side)


def draw_strong_view(generator: np.random.Generator, hw: tuple[int, int], cutout_share: float = 1 / 3) -> StrongView:
    """Two operations drawn with replacement, each applied at 0.5; the cutout's side is a share of the crop's height."""
    hflip, names = bool(generator.random() < 0.5), tuple(OPERATIONS)
    operations: list[tuple[str, float]] = []
    for _ in range(2):
        name, level = names[int(generator.integers(len(names)))], int(generator.integers(1, LEVELS))
        applied, negative = generator.random(2) < 0.5
        parameter = level_parameter(name, level, hw, OPERATIONS[name])
        if applied:
            operations.append((name, -parameter if negative and name in GEOMETRIC else parameter))
    side = int(hw[0] * cutout_share)
    centre = generator.uniform(0, hw[1]), generator.uniform(0, hw[0])
    return StrongView(hflip, tuple(operations), cutout_box(centre, side, hw) if side else None)


def _inverse_map(name: str, parameter: float, hw: tuple[int, int]) -> np.ndarray:
    """3x3 map from output to input position, in pixels with the image spanning [0,W] x [0,H] (Pillow's convention)."""
    if name == "Rotate":
        cos, sin = math.cos(math.radians(parameter)), math.sin(math.radians(parameter))
        y, x = hw[0] / 2, hw[1] / 2
        return np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    matrix, axis = np.eye(3), "XY".index(name[-1])
    matrix[axis, 1 - axis if name.startswith("Shear") else 2] = parameter
    return matrix


def inverse_matrix(view: StrongView, hw: tuple[int, int], scale: float = 1.0) -> np.ndarray:
    """The view's geometry: output position -> position in the crop, float64 [3,3], units of ``scale`` pixels."""
    matrix = np.array([[-1.0, 0, hw[1]], [0, 1, 0], [0, 0, 1]]) if view.hflip else np.eye(3)
    for name, parameter in view.operations:
        if name in GEOMETRIC:
            matrix = matrix @ _inverse_map(name, parameter, hw)
    units = np.diag([scale, scale, 1.0])
    return np.linalg.inv(units) @ matrix @ units


def strong_image(image: np.ndarray, view: StrongView, fill: int = FILL) -> np.ndarray:
    """The strong view of uint8 RGB [H,W,3]: colour operations in the order drawn, one bilinear warp, the cutout. (The
    released code resamples at every geometric operation; colours see the uncovered grey there.)"""
    pixels = Image.fromarray(np.ascontiguousarray(image[:, ::-1]) if view.hflip else image)
    for name, parameter in view.operations:
        if name not in GEOMETRIC:
            pixels = PILLOW[name](pixels, parameter)
    if any(name in GEOMETRIC for name, _ in view.operations):
        coefficients = tuple(inverse_matrix(view._replace(hflip=False), image.shape[:2])[:2].ravel())
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
    """As ``_nearest``, by the released code's chain of nearest resamplings in its fixed order: TranslateX is divided by
    the height, and of an operation drawn twice only the last parameter counts (proda.md 3)."""
    height, width = hw
    # Positions are carried as a float image, 0 = outside; float32 holds them exactly up to 4096 x 4096.
    carried = torch.arange(1, height * width + 1, dtype=torch.float32).view(1, 1, height, width)
    carried = carried.flip(3) if view.hflip else carried
    parameters = dict(view.operations)
    for name in (name for name in GEOMETRIC if name in parameters):
        value, axis, theta = parameters[name], "XY".find(name[-1]), np.eye(2, 3)
        if name == "Rotate":
            cos, sin = math.cos(math.radians(value)), math.sin(math.radians(value))
            theta[:, :2] = [[cos, -sin * height / width], [sin * width / height, cos]]
        elif name.startswith("Shear"):
            theta[axis, [1 - axis, 2]] = value * hw[axis] / hw[1 - axis]
        else:
            theta[axis, 2] = 2 * math.floor(value / scale) / height
        grid = F.affine_grid(torch.from_numpy(theta).float()[None], [1, 1, height, width], align_corners=False)
        carried = F.grid_sample(carried, grid, mode="nearest", align_corners=False)
    return carried[0, 0].long().numpy() - 1


def strong_index(view: StrongView, hw: tuple[int, int], scale: int = 4, released: bool = False) -> np.ndarray:
    """Flat index int64 [h,w] into the weak map of each cell of a strong map of size ``hw`` (1/``scale`` of the crop's);
    -1 where the image shows grey. ``released``: by the released code's geometry, whose errors proda.md (3) measures."""
    crop_hw = (hw[0] * scale, hw[1] * scale)
    index = _released(view, hw, scale) if released else _nearest(inverse_matrix(view, crop_hw, scale), hw)
    if view.cutout is not None:
        x0, y0, x1, y1 = (edge // scale for edge in view.cutout)
        index[y0:y1, x0:x1] = -1
    return index


def gather_maps(maps: Tensor, index: Tensor, padding: float) -> Tensor:
    """Maps [N,C,h,w] of the weak crop in the strong view, by ``strong_index`` [N,h,w]; ``padding`` where it is -1."""
    flat = index.flatten(1).unsqueeze(1)
    moved = maps.flatten(2).gather(2, flat.clamp(min=0).expand(-1, maps.shape[1], -1))
    return moved.masked_fill(flat < 0, padding).view_as(maps)
