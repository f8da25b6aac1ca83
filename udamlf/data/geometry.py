"""Geometry of a training sample: drawn once as a ``Geometry``, applied to an image and to its maps; resizing by rules,
which are part of every result, as implementations differ in pixels. Of a frame only the box of the crop is resized."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from udamlf.common.errors import UserError
from udamlf.config.budget import Augmentation, Size
from udamlf.config.labels import IGNORE

MEAN_COLOUR = (124, 116, 104)  # ImageNet's mean RGB: an image is padded with what normalisation turns into 0
CBST_STRIDE = 8  # output stride of the network for which CBST pads its crops
_OPENCV_FILTERS = {"area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR}
_PILLOW_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def resize_image(image: np.ndarray, size_hw: Size, rule: str) -> np.ndarray:
    """Resize uint8 [H, W, 3] by a rule: "area" (OpenCV, averages), "bilinear" (OpenCV, half-pixel centres, no
    antialias; HIAST), "bicubic" (Pillow, antialiased; AdvEnt) or "lanczos" (Pillow, antialiased; IAST)."""
    if image.shape[:2] == tuple(size_hw):
        return image
    if rule in _OPENCV_FILTERS:
        return cv2.resize(image, size_hw[::-1], interpolation=_OPENCV_FILTERS[rule])
    return np.asarray(Image.fromarray(image).resize(size_hw[::-1], _PILLOW_FILTERS[rule]))


_NEAREST: dict[str, Callable[[int, int], np.ndarray]] = {
    # As OpenCV computes floor(i*n/N), in doubles: an exact integer may come out one lower (one pair of sizes in 25).
    "opencv": lambda source, target: np.minimum((np.arange(target) * (1 / (target / source))).astype(int), source - 1),
    "pillow": lambda source, target: (2 * np.arange(target) + 1) * source // (2 * target),
    # Pillow adds up its step, so that exact ties fall to either side: let it resize the positions themselves.
    "pillow_ties": lambda source, target: np.asarray(
        Image.fromarray(np.arange(source, dtype=np.int32)[None]).resize((target, 1), Image.Resampling.NEAREST)
    )[0],
}


def resize_label(label: np.ndarray, size_hw: Size, rule: str = "pillow") -> np.ndarray:
    """Resize ids [H, W]: "opencv" picks floor(i*n/N) in its doubles (INTER_NEAREST; HIAST), "pillow" the sample under
    the centre, floor((i+0.5)*n/N) in integers (IAST), "pillow_ties" the same with Pillow's rounding of ties (ProDA)."""
    if label.shape == tuple(size_hw):
        return label
    axes = [_nearest(rule, *lengths) for lengths in zip(label.shape, size_hw, strict=True)]
    if label.dtype == np.uint8 and all(as_opencv for _, as_opencv in axes):
        return cv2.resize(label, size_hw[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return _taken(label, axes[0][0], axes[1][0])


@lru_cache(maxsize=64)
def _nearest(rule: str, source: int, target: int) -> tuple[np.ndarray, bool]:
    """Positions of an axis by a rule, and whether OpenCV, twice as fast, has the same: its steps are of 1/65536."""
    positions, line = _NEAREST[rule](source, target), np.arange(source, dtype=np.float32)[None]
    exact = cv2.resize(line, (target, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]
    return positions, np.array_equal(positions, exact)


def _taken(label: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """One axis after the other, of the fewer rows first, is seven times as fast as an index of both."""
    return label.take(rows, 0).take(columns, 1) if len(rows) < len(label) else label.take(columns, 1).take(rows, 0)


@dataclass(frozen=True)
class Geometry:
    """How a crop comes from a frame: cut a box, which may reach beyond into padding, mirror it, resize it. In ProDA's
    weak view the whole frame is resized to ``resized_hw`` first, bilinear with antialias and "pillow_ties"; the box,
    in pixels of that, then lies inside and has the crop's size."""

    top: int
    left: int
    height: int
    width: int
    output_hw: Size  # of the crop
    flip: bool = False
    image_rule: str = "bilinear"
    label_rule: str = "opencv"
    resized_hw: Size | None = None


def cut_image(image: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The crop of an image, uint8 [H,W,3] -> new uint8 [*output_hw, 3], padded with ``MEAN_COLOUR``."""
    g = geometry
    if g.resized_hw is None:
        return _new(resize_image(cut_box(image, g, MEAN_COLOUR), g.output_hw, g.image_rule), image)
    # Of the resized image only the crop is computed, at the positions that the whole would give it.
    height, width = image.shape[:2]
    rows, columns = height / g.resized_hw[0], width / g.resized_hw[1]
    right, bottom = min((g.left + g.width) * columns, width), min((g.top + g.height) * rows, height)
    box = (g.left * columns, g.top * rows, right, bottom)
    crop = np.asarray(Image.fromarray(image).resize((g.width, g.height), Image.Resampling.BILINEAR, box=box))
    return np.ascontiguousarray(crop[:, ::-1]) if g.flip else crop


def cut_label(label: np.ndarray, geometry: Geometry) -> np.ndarray:
    """The crop of a label map, uint8 [H,W] -> new uint8 [*output_hw], padded with ``IGNORE``."""
    g = geometry
    if g.resized_hw is None:
        return _new(resize_label(cut_box(label, g, IGNORE), g.output_hw, g.label_rule), label)
    rows, columns = map(_NEAREST["pillow_ties"], label.shape, g.resized_hw)
    columns = columns[g.left : g.left + g.width][:: -1 if g.flip else 1]
    return _taken(label, rows[g.top : g.top + g.height], columns)


def _new(crop: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return crop.copy() if np.may_share_memory(crop, frame) else crop


def cut_box(array: np.ndarray, g: Geometry, fill: int | tuple[int, ...]) -> np.ndarray:
    """The box at its own size, mirrored; ``fill`` (one value a channel) outside of the array; a view of it or new."""
    height, width = array.shape[:2]
    top, bottom = max(g.top, 0), min(g.top + g.height, height)
    left, right = max(g.left, 0), min(g.left + g.width, width)
    if top >= bottom or left >= right:
        raise UserError(f"a crop {g} outside of an array of {height}x{width}", "a box that meets the image")
    box = array[top:bottom, left:right]
    if box.shape[:2] != (g.height, g.width):
        edges = (top - g.top, g.top + g.height - bottom, left - g.left, g.left + g.width - right)
        box = cv2.copyMakeBorder(box, *edges, cv2.BORDER_CONSTANT, value=fill)
    return cv2.flip(box, 1) if g.flip else box


def draw_geometry(rng: np.random.Generator, image_hw: Size, augmentation: Augmentation) -> Geometry:
    """Geometry of a training crop of an image of ``image_hw``, by the rule that the augmentation configures."""
    a, output_hw, scale = augmentation, augmentation.crop_hw or image_hw, augmentation.scale_range or (1.0, 1.0)
    if a.nominal_width is not None:
        return weak_view(rng, image_hw, output_hw, a.nominal_width, scale, a.flip)
    flip = bool(rng.random() < a.flip)
    if a.crop_height_range is not None:
        geometry = random_sized_crop(rng, image_hw, a.crop_height_range, output_hw)
    elif a.scale_range is not None and a.cbst_length is not None:
        geometry = cbst_scale_crop(rng, image_hw, a.cbst_length, scale, output_hw[0])
    elif a.scale_range is None and output_hw == image_hw:
        geometry = Geometry(0, 0, *image_hw, output_hw)
    else:
        geometry = scale_crop(rng, image_hw, scale, output_hw)
    # These rules draw the box in the image as it is seen: mirrored, if it is.
    return replace(geometry, left=image_hw[1] - geometry.left - geometry.width, flip=True) if flip else geometry


def crop_origin(free: int, u: float) -> int:
    """Where a crop starts: int(free * u) for ``free`` spare pixels and u in [0, 1); 0 if the crop does not fit."""
    return int(max(free, 0) * u)


def random_sized_crop(
    rng: np.random.Generator, image_hw: Size, crop_height: tuple[int, int], output_hw: Size
) -> Geometry:
    """IAST's and HIAST's crop (adversarial-warmup.md 3.4): height h an integer from ``crop_height``, both ends
    included; width int(h * r), r the output's width / height; origin int((H - h) * u), int((W - w) * v). A crop larger
    than the image starts at 0 and is padded at the bottom and right."""
    height = int(rng.integers(*crop_height, endpoint=True))
    width = max(1, int(height * (output_hw[1] / output_hw[0])))
    top, left = crop_origin(image_hw[0] - height, rng.random()), crop_origin(image_hw[1] - width, rng.random())
    return Geometry(top, left, height, width, output_hw)


def scale_crop(rng: np.random.Generator, image_hw: Size, scale: tuple[float, float], output_hw: Size) -> Geometry:
    """Scale the image by a uniform factor, then crop ``output_hw`` anywhere in it, padded at the bottom and right."""
    factor = rng.uniform(*scale)
    height, width = (max(1, round(side / factor)) for side in output_hw)
    top, left = crop_origin(image_hw[0] - height + 1, rng.random()), crop_origin(image_hw[1] - width + 1, rng.random())
    return Geometry(top, left, height, width, output_hw)


def cbst_scale_crop(
    rng: np.random.Generator, image_hw: Size, nominal_length: int, scale: tuple[float, float], output_side: int
) -> Geometry:
    """CBST's square crop (cbst.md 5), with Pillow's Lanczos where it shrinks and bicubic where it grows: the target
    length T in [floor(a*L), floor(b*L)] is drawn of the ``nominal_length`` L (2048, SYNTHIA 1280) and ``scale`` (a, b);
    ``output_side``, the network's input, is a multiple of ``CBST_STRIDE``."""
    target = int(rng.integers(int(scale[0] * nominal_length), int(scale[1] * nominal_length), endpoint=True))
    rate = target / nominal_length
    side = int(output_side / rate)
    # The image lies at (offset, offset) of a padded canvas, in which the crop's origin is drawn.
    offset = max(1, int(CBST_STRIDE / rate / 2))
    top, left = (
        int(rng.random() * max(1.0, CBST_STRIDE / rate, offset + length - side + 1)) - offset for length in image_hw
    )
    image_rule = "lanczos" if side > output_side else "bicubic"
    return Geometry(top, left, side, side, (output_side, output_side), False, image_rule, "pillow")


def weak_view(
    rng: np.random.Generator, image_hw: Size, crop_hw: Size, nominal_width: int, factor: tuple[float, float],
    mirror: float = 0.5,
) -> Geometry:  # fmt: skip
    """ProDA's weak view (proda.md 3): the image resized to width floor(factor x ``nominal_width``), its aspect kept, or
    enlarged to the crop if smaller (the released code fails); a uniform crop, mirrored with probability ``mirror``."""
    (height, width), (crop_height, crop_width) = image_hw, crop_hw
    new_width = int(rng.uniform(*factor) * nominal_width)
    new_width = max(new_width, crop_width, -(-crop_height * width // height))
    new_height = max(new_width * height // width, crop_height)
    top, left = int(rng.integers(new_height - crop_height + 1)), int(rng.integers(new_width - crop_width + 1))
    flip = bool(rng.random() < mirror)
    return Geometry(top, left, *crop_hw, crop_hw, flip, resized_hw=(new_height, new_width))
