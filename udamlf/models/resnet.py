"""ResNet with output stride 8; tensor names are torchvision's (adversarial-warmup.md 1.1, advent.md 2, proda.md 2).
Geometry ``torchvision`` (IAST, HIAST): stride in the 3x3 convolution, a max-pool that rounds down, and in a stage's
first block the dilation of the stage before. ``caffe`` (ADVENT, IntraDA, CRST, ProDA): stride in the first 1x1
convolution, a max-pool that rounds up (512x1024 -> 65x129), and in all blocks the stage's dilation: 2 (layer3), 4."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.config.parts import Strict
from udamlf.models.base import IMAGENET_STD, SegmentationModel, parameter_group
from udamlf.models.weight_files import load_into, read_weights

Geometry = Literal["torchvision", "caffe"]
BLOCKS = {101: (3, 4, 23, 3), 26: (2, 2, 2, 2)}
DILATIONS = (6, 12, 18, 24)  # of the 3x3 convolutions in the heads
IMAGENET = "https://download.pytorch.org/models/resnet101-5d3b4d8f.pth"  # torchvision's V1, as all published code


class ResNetParams(Strict):
    # ``imagenet`` (downloaded once), a URL, or a local ``.pth`` file with torchvision's names, the same under one
    # leading component (AdaptSegNet), or inside a ``state_dict`` entry (SimCLR).
    weights: str | None = None
    depth: Literal[101, 26] = 101
    width: int = 64


class Bottleneck(nn.Module):
    """[N, inputs, h, w] -> [N, 4 * planes, ceil(h / stride), ceil(w / stride)]: 1x1, 3x3, 1x1 and a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, geometry: Geometry) -> None:
        super().__init__()
        outputs = 4 * planes
        first, second = (stride, 1) if geometry == "caffe" else (1, stride)
        self.conv1 = nn.Conv2d(inputs, planes, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, second, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()  # empty: the identity
        if inputs != outputs:
            self.downsample.extend([nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        shortcut = self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """Images [N, 3, H, W] -> outputs of layer3 [N, 16 * width, h, w] and layer4 [N, 32 * width, h, w], stride 8.
    ``caffe_input``: BGR of 0-255 minus the mean, for which torchvision's first convolution is converted."""

    def __init__(self, params: ResNetParams, geometry: Geometry, caffe_input: bool = False) -> None:
        super().__init__()
        self.geometry, width = geometry, params.width
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=geometry == "caffe")
        one, two, three, four = BLOCKS[params.depth]
        self.layer1 = self._stage(width, width, one, 1, 1)
        self.layer2 = self._stage(4 * width, 2 * width, two, 2, 1)
        self.layer3 = self._stage(8 * width, 4 * width, three, 1, 2)
        self.layer4 = self._stage(16 * width, 8 * width, four, 1, 4)
        self.channels = (16 * width, 32 * width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if params.weights is not None:
            self._load_imagenet(params.weights, caffe_input)

    def _stage(self, inputs: int, planes: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
        first = dilation if self.geometry == "caffe" else max(1, dilation // 2)
        others = [Bottleneck(4 * planes, planes, 1, dilation, self.geometry) for _ in range(blocks - 1)]
        return nn.Sequential(Bottleneck(inputs, planes, stride, first, self.geometry), *others)

    def _load_imagenet(self, weights: str, caffe_input: bool) -> None:
        content = read_weights(IMAGENET if weights == "imagenet" else weights)
        inner = content.get("state_dict", content)
        tensors = {name: value for name, value in inner.items() if isinstance(value, Tensor)}
        if "conv1.weight" not in tensors:
            tensors = {name.partition(".")[2]: value for name, value in tensors.items()}
        load_into(self, {name: tensors[name] for name in self.state_dict() if name in tensors}, weights)
        if caffe_input and "conv1.weight" in content:
            deviation = 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
            with torch.no_grad():
                self.conv1.weight.copy_((self.conv1.weight / deviation).flip(1))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        x = self.pool(F.relu(self.bn1(self.conv1(images))))
        x = self.layer3(self.layer2(self.layer1(x)))
        return x, self.layer4(x)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group; in the ``caffe`` geometry one per number of visits, which were 1 for the stem, 3 for blocks and 4
        for projections in the optimisers of ADVENT, IntraDA, CRST and ProDA (advent.md 5.1)."""
        if self.geometry == "torchvision":
            return [parameter_group("backbone", self.parameters())]
        listed: dict[int, list[nn.Parameter]] = {1: [], 3: [], 4: []}
        for name, parameter in self.named_parameters():
            listed[1 if name.startswith(("conv1.", "bn1.")) else 4 if ".downsample." in name else 3].append(parameter)
        return [parameter_group(f"backbone_x{count}", params, visits=count) for count, params in listed.items()]


class ResNetSegmentation(SegmentationModel):
    """A ``backbone`` at the base rate and heads at ``head_lr_scale`` times it, 10 in most code bases."""

    backbone: ResNet
    align_corners = True
    head_lr_scale = 10.0

    def parameter_groups(self) -> list[dict[str, Any]]:
        heads = [parameter for name, parameter in self.named_parameters() if not name.startswith("backbone.")]
        return [*self.backbone.parameter_groups(), parameter_group("head", heads, self.head_lr_scale)]
