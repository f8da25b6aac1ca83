"""A small network for CPUs: the backbone of the ``miniature`` profile.

Stem at stride 2, residual stages at strides 4, 8 and 8 (dilated), a summed three-branch ASPP, one low-level skip at
stride 4; 0.42 M parameters for 19 classes. BatchNorm, because GroupNorm's backward is four times slower on a CPU.
One training step of 8 images of 128x256 takes about 50-65 ms with two threads (channels_last, AdamW, half-size loss).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.models.base import Output, SegmentationModel

WIDTHS = (16, 32, 64, 96)
ASPP_RATES = (1, 3, 6)
HEAD_WIDTH = 64


def _conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """Two 3x3 convolutions and a projection shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv_norm(inputs, outputs, stride=stride, dilation=dilation)
        self.second = _conv_norm(outputs, outputs, dilation=dilation)
        self.shortcut = _conv_norm(inputs, outputs, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, h, w] to [N, outputs, ceil(h / stride), ceil(w / stride)]."""
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class Compact(SegmentationModel):
    """Logits and 64-channel features at stride 4; the auxiliary head reads the stride-8 stage before the last."""

    def __init__(self, num_classes: int, aux: bool = False, dropout: float = 0.0) -> None:
        super().__init__(num_classes)
        stem, low, middle, high = WIDTHS
        self.stem = _conv_norm(3, stem, stride=2)
        self.stage4 = Residual(stem, low, stride=2)
        self.stage8 = Residual(low, middle, stride=2)
        self.stage8_dilated = Residual(middle, high, dilation=2)
        self.aspp = nn.ModuleList(
            nn.Conv2d(high, HEAD_WIDTH, 3, padding=rate, dilation=rate, bias=False) for rate in ASPP_RATES
        )
        self.aspp_norm = nn.BatchNorm2d(HEAD_WIDTH)
        self.skip = _conv_norm(low, HEAD_WIDTH, kernel=1)
        self.fuse = _conv_norm(HEAD_WIDTH, HEAD_WIDTH)
        self.dropout = nn.Dropout2d(dropout)
        self.classifier = nn.Conv2d(HEAD_WIDTH, num_classes, 1)
        self.aux_classifier = nn.Conv2d(middle, num_classes, 1) if aux else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Output:
        """Images [N, 3, H, W] to logits [N, C, ceil(H/4), ceil(W/4)]; auxiliary logits are at stride 8."""
        low = self.stage4(F.relu(self.stem(images)))
        middle = self.stage8(low)
        high = self.stage8_dilated(middle)
        context = F.relu(self.aspp_norm(sum(branch(high) for branch in self.aspp)))
        features = F.relu(self.fuse(F.relu(self.upsample(context, low.shape[-2:]) + self.skip(low))))
        features = self.dropout(features)
        aux = None if self.aux_classifier is None else self.aux_classifier(middle)
        return Output(self.classifier(features), aux, features)


def build(num_classes: int, aux: bool = False, dropout: float = 0.0) -> Compact:
    """The compact network.

    Args:
        aux: add an auxiliary head (multi-level adversarial methods).
        dropout: probability that a feature channel is dropped in training.
    """
    return Compact(num_classes, aux, dropout)
