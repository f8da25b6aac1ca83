"""DeepLab-v2 on ResNet-101 at stride 8: the network of IAST, HIAST, ADVENT, IntraDA and CRST.

Four 3x3 convolutions with dilations 6, 12, 18 and 24 are summed into the logits; corners are aligned in every
interpolation. What differs between the published variants is one row of ``VARIANTS``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from udamlf.errors import UserError
from udamlf.models.base import Output, ParameterGroup, SegmentationModel, freeze_batchnorm_affine, parameter_groups
from udamlf.models.resnet import Geometry, ResNet

DILATIONS = (6, 12, 18, 24)
# AdaptSegNet's input: BGR, 0-255, this mean (listed here as RGB) subtracted and no division (advent.md 5).
CAFFE_MEAN = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)


class Variant(NamedTuple):
    """What the published code bases do differently with the same head."""

    geometry: Geometry
    caffe_input: bool
    frozen_affine: bool
    stored_statistics: bool


VARIANTS = {
    "iast": Variant("torchvision", caffe_input=False, frozen_affine=False, stored_statistics=False),
    "advent": Variant("caffe", caffe_input=True, frozen_affine=True, stored_statistics=False),
    "crst": Variant("caffe", caffe_input=False, frozen_affine=True, stored_statistics=True),
}


class SummedASPP(nn.Module):
    """Sum of four dilated 3x3 convolutions with bias; weights N(0, 0.01^2), no activation."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(inputs, num_classes, 3, padding=dilation, dilation=dilation) for dilation in DILATIONS]
        for conv in convs:
            nn.init.normal_(conv.weight, std=0.01)
        self.branches = nn.ModuleList(convs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, h, w] to logits [N, C, h, w]."""
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class DeepLabV2(SegmentationModel):
    """Backbone and head; with ``multi_level`` an auxiliary head on layer3. Features are layer4's 2048 channels."""

    align_corners = True

    def __init__(
        self,
        num_classes: int,
        variant: Variant,
        multi_level: bool,
        depth: int,
        width: int,
        head_lr_scale: float,
    ) -> None:
        super().__init__(num_classes)
        self.backbone = ResNet(depth, variant.geometry, width)
        middle, last = self.backbone.channels
        self.aux_head = SummedASPP(middle, num_classes) if multi_level else None
        self.head = SummedASPP(last, num_classes)
        self.head_lr_scale = head_lr_scale
        self.stored_statistics = variant.stored_statistics
        if variant.caffe_input:
            self.mean, self.std, self.bgr = CAFFE_MEAN, CAFFE_STD, True
        if variant.frozen_affine:
            freeze_batchnorm_affine(self)

    def forward(self, images: Tensor) -> Output:
        """Images [N, 3, H, W] to logits (and auxiliary logits) [N, C, h, w] at stride 8."""
        middle, last = self.backbone(images)
        aux = None if self.aux_head is None else self.aux_head(middle)
        return Output(self.head(last), aux, last)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Backbone at the base rate, heads at ``head_lr_scale`` times it."""
        heads = [p for head in (self.aux_head, self.head) if head is not None for p in head.parameters()]
        head_groups = parameter_groups([("head", heads, self.head_lr_scale, 1.0)])
        return self.backbone.parameter_groups() + head_groups


def build(
    num_classes: int,
    variant: str = "iast",
    multi_level: bool = False,
    depth: int = 101,
    width: int = 64,
    weights: str | Path | None = None,
    head_lr_scale: float = 10.0,
) -> DeepLabV2:
    """DeepLab-v2.

    Args:
        variant: ``iast`` (also HIAST), ``advent`` (also IntraDA) or ``crst``.
        multi_level: auxiliary head on layer3 (ADVENT, IntraDA).
        depth: 101, 50, or 26 for quick tests; 101 is the published one.
        width: stem channels; 64 is the published one.
        weights: initial backbone: ``imagenet``, a URL or a local file; see ``ResNet.load_imagenet``.
        head_lr_scale: learning rate of the heads relative to the backbone's.

    Raises:
        UserError: unknown variant or depth, or unusable weights.
    """
    if variant not in VARIANTS:
        raise UserError(f"unknown DeepLab-v2 variant {variant!r}", " | ".join(VARIANTS))
    model = DeepLabV2(num_classes, VARIANTS[variant], multi_level, depth, width, head_lr_scale)
    if weights is not None:
        model.backbone.load_imagenet(weights, VARIANTS[variant].caffe_input)
    return model
