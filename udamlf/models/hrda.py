"""HRDA (Hoyer et al., ECCV 2022, arXiv 2204.13132; mic-hrda.md 3): context and detail, fused by a learnt attention."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.models import mit
from udamlf.models.base import Output
from udamlf.models.fusion_head import FusionHead
from udamlf.models.windows import Box, crop_of, mean_of_windows, sliding_boxes

SCALE, STRIDE, DIVISIBLE = 0.5, 4, 8  # of the context; of the logits; of the detail's place in training


class Fused(NamedTuple):
    """Logits at the detail's resolution, and the context's part in them at its own."""

    logits: Tensor
    context: Tensor


def box_choices(hw: Sequence[int], detail: Sequence[int], divisible: int = DIVISIBLE) -> tuple[int, int]:
    """How many places a detail crop can have along y and x; as released, the last one is never among them."""
    rows, columns = ((size - side + 1) // divisible for size, side in zip(hw, detail, strict=True))
    return max(rows, 1), max(columns, 1)


def detail_box(detail: Sequence[int], draws: Sequence[int], divisible: int = DIVISIBLE) -> Box:
    top, left = (divisible * draw for draw in draws)
    return top, top + detail[0], left, left + detail[1]


def upsampled(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear, corners not aligned."""
    return F.interpolate(maps, list(size), mode="bilinear", align_corners=False)


def fuse(
    context: Tensor, attention: Tensor, detail: Tensor, size: Sequence[int], box: Box | None, stride: int = STRIDE
) -> Fused:
    """(1 - a) x context + a x detail at ``size``, a = sigmoid(attention) [N, C or 1, h, w], outside of ``box`` 0."""
    share = torch.sigmoid(attention)
    if box is not None:
        top, bottom, left, right = (int(edge / (stride / SCALE)) for edge in box)
        inside = torch.zeros_like(share)
        inside[:, :, top:bottom, left:right] = 1
        share = share * inside
        row, column = box[0] // stride, box[2] // stride
        below, beside = size[0] - row - detail.shape[2], size[1] - column - detail.shape[3]
        detail = F.pad(detail, (column, beside, row, below))
    scaled = (1 - share) * context
    return Fused(upsampled(scaled, size) + upsampled(share, size) * detail, scaled)


class HrdaParams(mit.MitParams):
    detail: tuple[int, int] = (512, 512)  # height and width of the detail crop, half of the training's crop


class Network(mit.Network):
    """Fused logits at stride 4; in training with those of the detail crop and its box. Features are the context's."""

    Params = HrdaParams
    sees_windows = True

    def __init__(self, num_classes: int, params: HrdaParams) -> None:
        super().__init__(num_classes, params)
        self.detail = params.detail
        self.scale_attention = FusionHead(self.backbone.channels, params.channels, num_classes, context=False)

    def draw_box(self, hw: Sequence[int]) -> Box | None:
        """A place of the detail crop, one for the batch; None where it is the whole image (released: with losses)."""
        detail = [min(sides) for sides in zip(self.detail, hw, strict=True)]
        if detail == list(hw):
            return None
        return detail_box(detail, [int(torch.randint(choices, ())) for choices in box_choices(hw, detail)])

    def features(self, images: Tensor) -> Tensor:
        return self._context(images)[-1]

    def _context(self, images: Tensor) -> list[Tensor]:
        size = [-(-side // 2) for side in images.shape[-2:]]
        return self.backbone(upsampled(images, size))

    def forward(self, images: Tensor) -> Output:
        hw, stages = images.shape[-2:], self._context(images)
        context, attention = self.head(stages), self.scale_attention(stages)
        size = [-(-side // STRIDE) for side in hw]
        box = self.draw_box(hw) if self.training and not self.whole_view else None
        if box is None:
            boxes = sliding_boxes(hw, self.detail, [side // 2 for side in self.detail])
            crops = torch.cat([crop_of(images, place) for place in boxes])
            windows = self.head(self.backbone(crops)).split(len(images))
            detail = mean_of_windows(windows, boxes, size, STRIDE)
            return Output(fuse(context, attention, detail, size, None).logits, features=stages[-1])
        detail = self.head(self.backbone(crop_of(images, box)))
        fused = fuse(context, attention, detail, size, box).logits
        return Output(fused, features=stages[-1], detail=detail, box=box)
