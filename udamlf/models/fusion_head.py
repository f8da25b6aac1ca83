"""Heads that fuse four stages at the size of the first (mic-hrda.md 5). Tensor names are DAFormer's."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DILATIONS, DROPOUT = (6, 12, 18), 0.1


class ConvNorm(nn.Module):
    """Convolution, BatchNorm and ReLU that keep the size."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, 1, padding, dilation, groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


def _separable(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    """A dilated 3x3 convolution of each channel, then a 1x1 one across them."""
    depthwise, pointwise = ConvNorm(inputs, inputs, 3, dilation, groups=inputs), ConvNorm(inputs, outputs)
    return nn.Sequential(OrderedDict(depthwise_conv=depthwise, pointwise_conv=pointwise))


class SeparableASPP(nn.Module):
    """A 1x1 and three separable dilated convolutions side by side, joined by a 3x3 one; no image pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        separable = (_separable(inputs, outputs, dilation) for dilation in DILATIONS)
        self.aspp_modules = nn.ModuleList([ConvNorm(inputs, outputs), *separable])
        self.bottleneck = ConvNorm(outputs * len(self.aspp_modules), outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.bottleneck(torch.cat([module(x) for module in self.aspp_modules], 1))


class FusionHead(nn.Module):
    """Maps [N, inputs[i], h_i, w_i] -> logits [N, C, h_0, w_0]; ``context``: DAFormer's, else a 1x1 convolution."""

    def __init__(self, inputs: Sequence[int], channels: int, num_classes: int, context: bool) -> None:
        super().__init__()
        self.embed_layers = nn.ModuleList(nn.ModuleDict({"proj": nn.Linear(width, channels)}) for width in inputs)
        fuse = SeparableASPP if context else ConvNorm
        self.fuse_layer = fuse(channels * len(inputs), channels)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.conv_seg = nn.Conv2d(channels, num_classes, 1)
        nn.init.normal_(self.conv_seg.weight, std=0.01)
        nn.init.zeros_(self.conv_seg.bias)  # type: ignore[arg-type]

    def forward(self, stages: Sequence[Tensor]) -> Tensor:
        layers = zip(self.embed_layers, stages, strict=True)
        maps = [layer.get_submodule("proj")(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for layer, x in layers]
        maps = [F.interpolate(x, stages[0].shape[-2:], mode="bilinear", align_corners=False) for x in maps]
        return self.conv_seg(self.dropout(self.fuse_layer(torch.cat(maps, 1))))
