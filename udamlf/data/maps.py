"""Top-1 of class scores; and maps on the network's grid in the crops of a batch: bilinear resizing, cropping, mirroring
are one matrix per axis, without intermediates of full resolution (348 MB a feature map in the released ProDA)."""

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from udamlf.data.geometry import Geometry, Size

BAND_PIXELS = 1 << 16  # 19 classes of float32: 5 MB, whatever the size of the frame


def resize_matrix(
    size_in: int, size_out: int, like: Tensor | None = None, align_corners: bool = True, pixels: Tensor | None = None
) -> Tensor:
    """Bilinear resize of one axis, [size_out, size_in] (float32 on the CPU, or as ``like``), each row summing to 1;
    with ``pixels`` (float64 [n], clamped to the ends) the rows at those positions of the output instead."""
    where, kind = (torch.device("cpu"), torch.float32) if like is None else (like.device, like.dtype)
    if pixels is None:
        return _whole_matrix(size_in, size_out, align_corners, where, kind)
    return _rows(size_in, size_out, align_corners, pixels.to(where)).to(kind)


@lru_cache(maxsize=64)  # the same in every step
def _whole_matrix(size_in: int, size_out: int, align_corners: bool, where: torch.device, kind: torch.dtype) -> Tensor:
    pixels = torch.arange(size_out, dtype=torch.float64, device=where)
    return _rows(size_in, size_out, align_corners, pixels).to(kind)


def _rows(size_in: int, size_out: int, align_corners: bool, pixels: Tensor) -> Tensor:
    if align_corners:
        positions = pixels * ((size_in - 1) / max(size_out - 1, 1))
    else:
        positions = (pixels + 0.5) * (size_in / size_out) - 0.5
    positions = positions.clamp(0, size_in - 1)
    low = positions.long().clamp(max=max(size_in - 2, 0))
    fraction = (positions - low).float()
    matrix = torch.zeros(len(positions), size_in, device=pixels.device)
    index = torch.arange(len(positions), device=pixels.device)
    matrix[index, low] = 1 - fraction
    matrix[index, (low + 1).clamp(max=size_in - 1)] += fraction
    return matrix


def features_in_crops(
    maps: Tensor, frame_hw: Size, crops: list[Geometry], stride: int = 4, align_corners: bool = True, full: bool = False
) -> Tensor:
    """Maps float [N,C,h,w] of frames of ``frame_hw`` pixels on the grids of their crops (one per frame, of one size):
    float [N, C, crop height // stride, crop width // stride].
    ProDA's weak views follow the released path (proda.md 7.3): upsample to frame/stride (``full``: to the frame),
    resize to the view's size, crop, mirror; bilinear, corners aligned, lengths rounded down. Any other crop is sampled
    at its cells' centres, by the network's ``align_corners``; outside the border is repeated (the labels say where)."""
    unit = 1 if full else stride

    def matrix(g: Geometry, axis: int) -> Tensor:
        size, frame, cells = maps.shape[2 + axis], frame_hw[axis], g.output_hw[axis] // stride
        start, length = (g.left, g.width) if axis else (g.top, g.height)
        mirrored = g.flip and axis == 1
        if g.resized_hw is None:
            pixels = torch.arange(cells, dtype=torch.float64, device=maps.device)
            pixels = start + (pixels + 0.5) * (length / cells) - 0.5
            return resize_matrix(size, frame, maps, align_corners, pixels.flip(0) if mirrored else pixels)
        up = resize_matrix(size, frame // unit, maps)
        pixels = torch.arange(length // unit, dtype=torch.float64, device=maps.device) + start // unit
        box = resize_matrix(frame // unit, g.resized_hw[axis] // unit, maps, pixels=pixels)  # of a random length
        box = box.flip(0) if mirrored else box
        return box @ up if unit == stride else resize_matrix(length, cells, maps) @ box @ up

    rows, columns = (torch.stack([matrix(g, axis) for g in crops]).unsqueeze(1) for axis in (0, 1))
    return rows @ maps @ columns.transpose(2, 3)


probabilities_in_crops = partial(features_in_crops, full=True)
"""For soft labels; the released path (proda.md 5) upsamples to the frame and reduces by ``stride`` at the end."""


def slices(total: int, size: int = BAND_PIXELS) -> Iterator[slice]:
    """Slices of at most ``size`` that cover ``total``, so that temporary arrays stay small."""
    return (slice(start, start + size) for start in range(0, total, size))


def bands(height: int, width: int) -> Iterator[slice]:
    return slices(height, max(BAND_PIXELS // width, 1))


def top1(scores: Tensor, out: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Confidence and class of every pixel of scores float [C, H, W], C < 255: the maximum over the classes, float32
    [H, W], and its class, uint8 [H, W] (the lowest one on a tie); in ``out``, or new."""
    size_hw, where = scores.shape[1:], scores.device
    confidence, label = out or (torch.empty(size_hw, device=where), scores.new_empty(size_hw, dtype=torch.uint8))
    if scores.is_cuda:
        for result, values in zip((confidence, label), scores.max(0), strict=True):
            result.copy_(values)
        return confidence, label
    # Class by class in rows that stay in the cache, without a new array for each: 3 times as fast as max(0).
    planes, best, winner = scores.float().numpy(), confidence.numpy(), label.numpy()
    for rows in bands(*size_hw):
        best[rows], winner[rows] = planes[0, rows], 0
        higher = np.empty(best[rows].shape, bool)
        won = higher.view(np.uint8)
        for c, plane in enumerate(planes[1:, rows], 1):
            if np.greater(plane, best[rows], out=higher).any():  # of a street most classes are nowhere in such rows
                np.maximum(best[rows], plane, out=best[rows])
                np.maximum(winner[rows], np.multiply(won, c, out=won), out=winner[rows])
    return confidence, label
