"""Windows that slide over an image, and the mean of what they say (mic-hrda.md 3)."""

from collections.abc import Sequence

from torch import Tensor

Box = tuple[int, int, int, int]  # y1, y2, x1, x2, the ends outside


def sliding_boxes(hw: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> list[Box]:
    """Windows row by row, ``stride`` apart; the last ones are shifted back into the image, or as large as it is."""

    def starts(size: int, side: int, step: int) -> list[int]:
        count = max(size - side + step - 1, 0) // step + 1
        return [min(number * step, max(size - side, 0)) for number in range(count)]

    rows, columns = (starts(*axis) for axis in zip(hw, window, stride, strict=True))
    height, width = (min(sides) for sides in zip(hw, window, strict=True))
    return [(y, y + height, x, x + width) for y in rows for x in columns]


def mean_of_windows(maps: Sequence[Tensor], boxes: Sequence[Box], hw: Sequence[int], stride: int = 1) -> Tensor:
    """Maps [N, C, h, w] of each window placed at its box / ``stride`` in [N, C, *hw], averaged where they overlap."""
    total = maps[0].new_zeros(*maps[0].shape[:2], *hw)
    count = maps[0].new_zeros(1, 1, *hw)
    for values, (top, bottom, left, right) in zip(maps, boxes, strict=True):
        height, width = values.shape[2:]
        row = hw[0] - height if bottom == boxes[-1][1] else top // stride
        column = hw[1] - width if right == boxes[-1][3] else left // stride
        place = (..., slice(row, row + height), slice(column, column + width))
        total[place] += values
        count[place] += 1
    return total / count


def crop_of(images: Tensor, box: Box) -> Tensor:
    return images[..., box[0] : box[1], box[2] : box[3]]
