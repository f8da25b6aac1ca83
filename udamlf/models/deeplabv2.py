"""DeepLab-v2 on ResNet-101 at stride 8: the network of IAST, HIAST, ADVENT, IntraDA and CRST."""

from typing import Literal

import torch
from torch import Tensor, nn

from udamlf.models.base import Output, freeze_batchnorm
from udamlf.models.resnet import DILATIONS, Geometry, ResNet, ResNetParams, ResNetSegmentation

# AdaptSegNet's input: BGR, 0-255, this mean (listed here as RGB) subtracted and no division (advent.md 5).
CAFFE_MEAN = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255)
CAFFE_STD = (1 / 255, 1 / 255, 1 / 255)


class SummedASPP(nn.Module):
    """[N, inputs, h, w] -> logits [N, C, h, w]: sum of four dilated 3x3 convolutions; weights N(0, 0.01^2)."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(inputs, num_classes, 3, padding=dilation, dilation=dilation) for dilation in DILATIONS]
        for conv in convs:
            nn.init.normal_(conv.weight, std=0.01)
        self.branches = nn.ModuleList(convs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([branch(x) for branch in self.branches]).sum(0)


class DeepLabV2Params(ResNetParams):
    variant: Literal["iast", "advent", "crst"] = "iast"  # HIAST's too, ``advent`` IntraDA's
    multi_level: bool = False  # an auxiliary head on layer3 (ADVENT, IntraDA)


class Network(ResNetSegmentation):
    """Logits (and auxiliary logits) [N, C, h, w] at stride 8; features are layer4's 2048 channels."""

    Params = DeepLabV2Params
    classifier_name = "head"

    def __init__(self, num_classes: int, params: DeepLabV2Params) -> None:
        super().__init__(num_classes)
        geometry: Geometry = "torchvision" if params.variant == "iast" else "caffe"
        self.backbone = ResNet(params, geometry, caffe_input=params.variant == "advent")
        middle, last = self.backbone.channels
        self.aux_head = SummedASPP(middle, num_classes) if params.multi_level else None
        self.head = SummedASPP(last, num_classes)
        if params.variant == "advent":
            self.mean, self.std, self.bgr = CAFFE_MEAN, CAFFE_STD, True
        freeze_batchnorm(self, affine=geometry == "caffe", statistics=params.variant == "crst")

    def forward(self, images: Tensor) -> Output:
        middle, last = self.backbone(images)
        aux = None if self.aux_head is None else self.aux_head(middle)
        return Output(self.head(last), aux, last)
