"""A small network for CPUs, 0.42 M parameters. BatchNorm, as GroupNorm's backward is four times slower there."""

import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.config.parts import Strict
from udamlf.models.base import Output, SegmentationModel

ASPP_RATES = (1, 3, 6)
HEAD_WIDTH = 64


def _conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """[N, inputs, h, w] -> [N, outputs, ceil(h / stride), ceil(w / stride)]: two convolutions, projected shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.first = _conv_norm(inputs, outputs, stride=stride, dilation=dilation)
        self.second = _conv_norm(outputs, outputs, dilation=dilation)
        self.shortcut = _conv_norm(inputs, outputs, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


class CompactParams(Strict):
    aux: bool = False  # an auxiliary head, for multi-level adversarial methods


class Network(SegmentationModel):
    """Logits and 64-channel features at stride 4 (sizes round up), auxiliary logits of the first stage at stride 8."""

    Params = CompactParams

    def __init__(self, num_classes: int, params: CompactParams) -> None:
        super().__init__(num_classes)
        stem, low, middle, high = 16, 32, 64, 96
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
        self.classifier = nn.Conv2d(HEAD_WIDTH, num_classes, 1)
        self.aux_classifier = nn.Conv2d(middle, num_classes, 1) if params.aux else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, images: Tensor) -> Output:
        low = self.stage4(F.relu(self.stem(images)))
        middle = self.stage8(low)
        high = self.stage8_dilated(middle)
        context = F.relu(self.aspp_norm(sum(branch(high) for branch in self.aspp)))
        features = F.relu(self.fuse(F.relu(self.upsample(context, low.shape[-2:]) + self.skip(low))))
        aux = None if self.aux_classifier is None else self.aux_classifier(middle)
        return Output(self.classifier(features), aux, features)
