"""ProDA's network: ResNet-101 at stride 8 with a five-branch head (proda.md 2).

65,063,568 parameters at 19 classes. Images enter as uint8 / 255, without mean or deviation. The 256 channels before the
classifier are what prototypes are made of: signed, not normalised, with channel dropout in training mode.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.models.base import Output, ParameterGroup, SegmentationModel, parameter_groups
from udamlf.models.resnet import ResNet

DILATIONS = (6, 12, 18, 24)
FEATURES = 256
NORM_GROUPS = 32
SQUEEZE = 16
DROPOUT = 0.1


def _branch(inputs: int, kernel: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, FEATURES, kernel, padding=dilation * (kernel // 2), dilation=dilation)
    return nn.Sequential(conv, nn.GroupNorm(NORM_GROUPS, FEATURES), nn.ReLU(inplace=True))


class Head(nn.Module):
    """Five branches, squeeze-excitation, fusion to 256 channels, dropout, classifier."""

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
        if self.fuse.bias is not None:
            nn.init.zeros_(self.fuse.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, inputs, h, w] to logits [N, C, h, w] and features [N, 256, h, w]."""
        x = torch.cat([branch(x) for branch in self.branches], dim=1)
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        features = self.dropout(self.fuse_norm(self.fuse(x * gate[:, :, None, None])))
        return self.classifier(features), features


class ProDADeepLab(SegmentationModel):
    """Backbone, optional BatchNorm in front of the head (``bn_clr``, stages 2 and 3), head."""

    mean = (0.0, 0.0, 0.0)
    std = (1.0, 1.0, 1.0)
    align_corners = True

    def __init__(self, num_classes: int, bn_clr: bool, depth: int, width: int, head_lr_scale: float) -> None:
        super().__init__(num_classes)
        self.backbone = ResNet(depth, "caffe", width)
        last = self.backbone.channels[1]
        self.head = Head(last, num_classes)
        self.bn_clr = nn.BatchNorm2d(last) if bn_clr else None
        self.head_lr_scale = head_lr_scale

    def forward(self, images: Tensor) -> Output:
        """Images [N, 3, H, W] to logits [N, C, h, w] and features [N, 256, h, w] at stride 8."""
        _, last = self.backbone(images)
        logits, features = self.head(last if self.bn_clr is None else self.bn_clr(last))
        return Output(logits, features=features)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Backbone at the base rate, head and extra BatchNorm at ``head_lr_scale`` times it (1 in stage 1)."""
        new = [*self.head.parameters(), *(self.bn_clr.parameters() if self.bn_clr is not None else ())]
        return self.backbone.parameter_groups() + parameter_groups([("head", new, self.head_lr_scale, 1.0)])


def build(
    num_classes: int,
    bn_clr: bool = False,
    depth: int = 101,
    width: int = 64,
    weights: str | Path | None = None,
    head_lr_scale: float = 10.0,
) -> ProDADeepLab:
    """ProDA's network.

    Args:
        bn_clr: extra BatchNorm between backbone and head.
        depth, width: 101 and 64 are the published ones.
        weights: initial backbone (ImageNet for the warm-up, SimCLRv2 for stages 2 and 3); see ``ResNet.load_imagenet``.
        head_lr_scale: learning rate of the head relative to the backbone's; 1 in stage 1.
    """
    model = ProDADeepLab(num_classes, bn_clr, depth, width, head_lr_scale)
    if weights is not None:
        model.backbone.load_imagenet(weights)
    return model
