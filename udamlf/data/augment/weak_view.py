"""The weak view of a training image (resize, crop, mirror) and the same view of maps of the full image.

Bilinear resizing, cropping and mirroring are linear in rows and in columns, so any chain of them is one matrix per
axis: a map on the network's coarse grid goes straight to the view, with the values of the step-by-step path and
without its full-resolution intermediates (348 MB a feature map in the released ProDA).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from udamlf.data.augment.geometry import Geometry


class WeakView(NamedTuple):
    """Resize an image to (height, width), cut the box that starts at (top, left), mirror it if ``hflip``."""

    height: int
    width: int
    top: int
    left: int
    crop_height: int
    crop_width: int
    hflip: bool

    def reduced(self, scale: int) -> WeakView:
        """The view on a grid ``scale`` times coarser; every length is rounded down (ProDA, section 7.3)."""
        height, width, top, left, crop_height, crop_width = (length // scale for length in self[:-1])
        return WeakView(height, width, top, left, crop_height, crop_width, self.hflip)


def draw_weak_view(
    generator: np.random.Generator,
    image_hw: tuple[int, int],
    crop_hw: tuple[int, int],
    nominal_width: int,
    factor: tuple[float, float] = (0.5, 1.5),
) -> WeakView:
    """A random view: width = floor(factor x nominal width), the image's aspect, uniform crop, mirror at 0.5.

    An image that would be smaller than the crop is enlarged to it (the released code fails there).
    """
    height, width = image_hw
    crop_height, crop_width = crop_hw
    new_width = int(generator.uniform(*factor) * nominal_width)
    new_width = max(new_width, crop_width, -(-crop_height * width // height))
    new_height = max(new_width * height // width, crop_height)
    top = int(generator.integers(new_height - crop_height + 1))
    left = int(generator.integers(new_width - crop_width + 1))
    return WeakView(new_height, new_width, top, left, crop_height, crop_width, bool(generator.random() < 0.5))


def weak_image(image: np.ndarray, view: WeakView) -> np.ndarray:
    """View of an RGB image, uint8 [H,W,3] -> uint8 [crop_height,crop_width,3], bilinear and antialiased.

    Only the crop is computed, at the positions that resizing the whole image would give it.
    """
    rows, columns = image.shape[0] / view.height, image.shape[1] / view.width
    box = (
        view.left * columns,
        view.top * rows,
        min((view.left + view.crop_width) * columns, image.shape[1]),
        min((view.top + view.crop_height) * rows, image.shape[0]),
    )
    size = (view.crop_width, view.crop_height)
    crop = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=box))
    return np.ascontiguousarray(crop[:, ::-1]) if view.hflip else crop


def weak_label(label: np.ndarray, view: WeakView) -> np.ndarray:
    """View of a label map, uint8 [H,W] -> uint8 [crop_height,crop_width], Pillow's nearest."""

    def positions(start: int, count: int, size: int, resized: int) -> np.ndarray:
        # Pillow adds up its step, so that exact ties fall to either side: let it resize the positions themselves.
        line = Image.fromarray(np.arange(size, dtype=np.int32)[None])
        return np.asarray(line.resize((resized, 1), Image.Resampling.NEAREST))[0, start : start + count]

    rows = positions(view.top, view.crop_height, label.shape[0], view.height)
    columns = positions(view.left, view.crop_width, label.shape[1], view.width)
    return label[rows[:, None], columns[::-1] if view.hflip else columns]


def sampling_matrix(positions: Tensor, size: int, like: Tensor | None = None) -> Tensor:
    """Bilinear sampling of one axis as a matrix [positions, size], each row summing to 1.

    Args:
        positions: float64 [n] in units of samples, 0 = the first one's centre; clamped to the ends.
        size: number of samples.
        like: gives the device and dtype of the result (default float32 on the CPU).
    """
    positions = positions.clamp(0, size - 1)
    low = positions.long().clamp(max=max(size - 2, 0))
    fraction = (positions - low).float()
    # Built on the CPU, where float64 positions exist for every device; at most 1 MB to copy.
    matrix = torch.zeros(len(positions), size)
    index = torch.arange(len(positions))
    matrix[index, low] = 1 - fraction
    matrix[index, (low + 1).clamp(max=size - 1)] += fraction
    return matrix if like is None else matrix.to(like)


def resize_matrix(size_in: int, size_out: int, like: Tensor | None = None, align_corners: bool = True) -> Tensor:
    """Bilinear resize of one axis, [size_out, size_in]; ``like`` as in ``sampling_matrix``."""
    positions = torch.arange(size_out, dtype=torch.float64)
    if align_corners:
        positions = positions * ((size_in - 1) / max(size_out - 1, 1))
    else:
        positions = (positions + 0.5) * (size_in / size_out) - 0.5
    return sampling_matrix(positions, size_in, like)


def _apply(maps: Tensor, rows: Sequence[Tensor], columns: Sequence[Tensor]) -> Tensor:
    """rows[n] @ maps[n] @ columns[n].T for every image n."""
    return torch.stack(list(rows)).unsqueeze(1) @ maps @ torch.stack(list(columns)).unsqueeze(1).transpose(2, 3)


def _crop(matrix: Tensor, axis: int, view: WeakView) -> Tensor:
    start, count = (view.top, view.crop_height) if axis == 0 else (view.left, view.crop_width)
    cropped = matrix[start : start + count]
    return cropped.flip(0) if axis == 1 and view.hflip else cropped


def weak_features(features: Tensor, full_hw: tuple[int, int], views: Sequence[WeakView], scale: int = 4) -> Tensor:
    """Features of full images in the view's coarse grid (ProDA, section 7.3).

    The path: upsample to full/scale, resize to the view's size/scale, crop, mirror; bilinear, corners aligned.

    Args:
        features: float [N,D,h,w] on the network's grid.
        full_hw: size of the full images, pixels.
        views: one per image, same crop size.

    Returns:
        float [N, D, crop_height//scale, crop_width//scale].
    """

    def axis(which: int, size: int, view: WeakView) -> Tensor:
        coarse = view.reduced(scale)
        up = resize_matrix(size, full_hw[which] // scale, features)
        return _crop(resize_matrix(full_hw[which] // scale, coarse[which], features), which, coarse) @ up

    rows, columns = ([axis(which, features.shape[2 + which], view) for view in views] for which in (0, 1))
    return _apply(features, rows, columns)


def weak_probabilities(soft: Tensor, full_hw: tuple[int, int], views: Sequence[WeakView], scale: int = 4) -> Tensor:
    """Stored soft labels of full images in the view's coarse grid (ProDA, section 5).

    The path: upsample to the full image, resize to the view's size, crop, mirror, reduce by ``scale``; bilinear,
    corners aligned.

    Args:
        soft: float [N,C,h,w] probabilities on the stored grid.
        full_hw: size of the full images, pixels.
        views: one per image, same crop size.

    Returns:
        float [N, C, crop_height//scale, crop_width//scale], summing to 1 over C.
    """

    def axis(which: int, size: int, view: WeakView) -> Tensor:
        up = resize_matrix(size, full_hw[which], soft)
        crop = _crop(resize_matrix(full_hw[which], view[which], soft), which, view)
        return resize_matrix(crop.shape[0], crop.shape[0] // scale, soft) @ crop @ up

    rows, columns = ([axis(which, soft.shape[2 + which], view) for view in views] for which in (0, 1))
    return _apply(soft, rows, columns)


def geometry_maps(
    maps: Tensor,
    full_hw: tuple[int, int],
    geometries: Sequence[Geometry],
    output_hw: tuple[int, int],
    align_corners: bool,
) -> Tensor:
    """Maps of full images in the boxes of ``Geometry``s: one direct bilinear sampling at the output cells' centres.

    For every crop of ``geometry.py``; ProDA's own view keeps the released path above. Outside the image the border is
    repeated: the labels of such pixels are ``IGNORE``, so mask with them.

    Args:
        maps: float [N,C,h,w] on the network's grid of the unmirrored images.
        full_hw: size of the images, pixels.
        output_hw: cells of the result; the geometries' own output size or a coarser grid.
        align_corners: convention of the network's grid.

    Returns:
        float [N,C,*output_hw].
    """

    def axis(which: int, g: Geometry) -> Tensor:
        start, length, full = ((g.top, g.height, full_hw[0]), (g.left, g.width, full_hw[1]))[which]
        size, count = maps.shape[2 + which], output_hw[which]
        pixels = start + (torch.arange(count, dtype=torch.float64) + 0.5) * (length / count) - 0.5
        if which == 1 and g.flip:
            pixels = full - 1 - pixels
        cells = pixels * ((size - 1) / max(full - 1, 1)) if align_corners else (pixels + 0.5) * (size / full) - 0.5
        return sampling_matrix(cells, size, maps)

    return _apply(maps, [axis(0, g) for g in geometries], [axis(1, g) for g in geometries])
