"""ProDA's network: ResNet-101 at stride 8 with a five-branch head (proda.md 2), 65,063,568 parameters at 19 classes.
Images enter as uint8 / 255; prototypes are made of the 256 channels before the classifier, dropped out in training."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.models.base import Output
from udamlf.models.resnet import DILATIONS, ResNet, ResNetParams, ResNetSegmentation

FEATURES, NORM_GROUPS, SQUEEZE, DROPOUT = 256, 32, 16, 0.1


def _branch(inputs: int, kernel: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, FEATURES, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    return nn.Sequential(conv, nn.GroupNorm(NORM_GROUPS, FEATURES), nn.ReLU(inplace=True))


class Head(nn.Module):
    """[N, inputs, h, w] -> logits [N, C, h, w] and features [N, 256, h, w], by way of a squeeze-excitation."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList([_branch(inputs, 1, 1), *(_branch(inputs, 3, d) for d in DILATIONS)])
        joined = FEATURES * len(self.branches)
        self.squeeze = nn.Linear(joined, joined // SQUEEZE)
        self.excite = nn.Linear(joined // SQUEEZE, joined)
        self.fuse = nn.Conv2d(joined, FEATURES, 3, padding=1)
        self.fuse_norm = nn.GroupNorm(NORM_GROUPS, FEATURES)
        self.dropout = nn.Dropout2d(DROPOUT)
        self.classifier = nn.Conv2d(FEATURES, num_classes, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
        self.fuse.bias = nn.Parameter(torch.zeros(FEATURES))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.cat([branch(x) for branch in self.branches], dim=1)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        features = self.dropout(self.fuse_norm(self.fuse(x * gate[:, :, None, None])))
        return self.classifier(features), features


class ProDAParams(ResNetParams):
    bn_clr: bool = False  # BatchNorm in front of the head (stages 2 and 3)
    head_lr_scale: float = 10.0  # 1 in stage 1


class Network(ResNetSegmentation):
    """Backbone, optional BatchNorm and head: logits [N, C, h, w] and features [N, 256, h, w] at stride 8."""

    Params = ProDAParams
    classifier_name = "head.classifier"
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    def __init__(self, num_classes: int, params: ProDAParams) -> None:
        super().__init__(num_classes)
        self.backbone = ResNet(params, "caffe")
        last = self.backbone.channels[1]
        self.head = Head(last, num_classes)
        self.bn_clr = nn.BatchNorm2d(last) if params.bn_clr else None
        self.head_lr_scale = params.head_lr_scale

    def forward(self, images: Tensor) -> Output:
        last = self.backbone(images)[1]
        logits, features = self.head(last if self.bn_clr is None else self.bn_clr(last))
        return Output(logits, features=features)
