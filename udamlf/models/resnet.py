"""ResNet with output stride 8, in the two geometries that published work uses, and its ImageNet weights.

=============  ==================================  ==========================================
geometry       ``torchvision`` (IAST, HIAST)       ``caffe`` (ADVENT, IntraDA, CRST, ProDA)
=============  ==================================  ==========================================
stride         in the 3x3 convolution              in the first 1x1 convolution
max-pool       rounds down                         rounds up (ceil mode): 512x1024 -> 65x129
dilation       first block of a stage: the old     every block of a stage: 2 (layer3),
               one; the others 2, 4                4 (layer4)
=============  ==================================  ==========================================

Tensor names are torchvision's. Sources: adversarial-warmup.md 1.1, advent.md 2, proda.md 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.errors import UserError
from udamlf.models.base import IMAGENET_STD, ParameterGroup
from udamlf.models.weight_files import fetch, read_checkpoint

Geometry = Literal["torchvision", "caffe"]
BLOCKS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
EXPANSION = 4
IMAGENET = {
    50: "https://download.pytorch.org/models/resnet50-19c8e357.pth",
    101: "https://download.pytorch.org/models/resnet101-5d3b4d8f.pth",
}


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with a shortcut; ``planes`` is the inner width."""

    def __init__(self, inputs: int, planes: int, stride: int, dilation: int, project: bool, geometry: Geometry) -> None:
        super().__init__()
        outputs = EXPANSION * planes
        first, second = (stride, 1) if geometry == "caffe" else (1, stride)
        self.conv1 = nn.Conv2d(inputs, planes, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, second, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if project
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, h, w] to [N, 4 * planes, ceil(h / stride), ceil(w / stride)]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """The backbone.

    Args:
        depth: 101, 50, or 26 (two blocks per stage, for quick tests).
        geometry: see the module's table.
        width: channels of the stem; 64 in every published network.

    Raises:
        UserError: unknown depth.
    """

    def __init__(self, depth: int, geometry: Geometry, width: int = 64) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise UserError(f"ResNet depth {depth}", " | ".join(map(str, BLOCKS)))
        self.depth = depth
        self.geometry = geometry
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=geometry == "caffe")
        one, two, three, four = BLOCKS[depth]
        self.layer1 = self._stage(width, width, one, 1, 1)
        self.layer2 = self._stage(4 * width, 2 * width, two, 2, 1)
        self.layer3 = self._stage(8 * width, 4 * width, three, 1, 2)
        self.layer4 = self._stage(16 * width, 8 * width, four, 1, 4)
        self.channels = (16 * width, 32 * width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _stage(self, inputs: int, planes: int, blocks: int, stride: int, dilation: int) -> nn.Sequential:
        first = dilation if self.geometry == "caffe" else max(1, dilation // 2)
        modules = [Bottleneck(inputs, planes, stride, first, True, self.geometry)]
        outputs = EXPANSION * planes
        modules += [Bottleneck(outputs, planes, 1, dilation, False, self.geometry) for _ in range(blocks - 1)]
        return nn.Sequential(*modules)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, 3, H, W] to the outputs of layer3 [N, 16 w, h, w] and layer4 [N, 32 w, h, w], stride 8."""
        x = self.pool(F.relu(self.bn1(self.conv1(images))))
        x = self.layer3(self.layer2(self.layer1(x)))
        return x, self.layer4(x)

    def visits(self) -> dict[str, int]:
        """How often the published optimisers of ADVENT, IntraDA, CRST and ProDA listed each parameter.

        1 for the stem, 3 for the blocks, 4 for the projections: about 3 times the nominal rate (advent.md 5.1,
        proda.md 10).
        """
        return {
            name: 1 if name.startswith(("conv1.", "bn1.")) else 4 if ".downsample." in name else 3
            for name, _ in self.named_parameters()
        }

    def parameter_groups(self) -> list[ParameterGroup]:
        """One group; in the ``caffe`` geometry one per number of visits (whether they count, the optimiser decides)."""
        visits = self.geometry == "caffe"
        counts = self.visits()
        groups: dict[int, ParameterGroup] = {}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                count = counts[name] if visits else 1
                title = f"backbone_x{count}" if visits else "backbone"
                group: ParameterGroup = {
                    "name": title, "params": [], "lr_scale": 1.0, "decay_scale": 1.0, "visits": count,
                }  # fmt: skip
                groups.setdefault(count, group)["params"].append(parameter)
        return [groups[count] for count in sorted(groups)]

    def load_imagenet(self, weights: str | Path, caffe_input: bool = False) -> int:
        """Copy ImageNet classification weights.

        Args:
            weights: ``imagenet`` (torchvision's V1 file, downloaded once), a URL, or a local ``.pth`` file: torchvision
                names, the same under one leading component (AdaptSegNet), or inside a ``state_dict`` entry (SimCLR).
            caffe_input: the network sees BGR of 0-255 minus its mean. torchvision's first convolution, made for
                normalised RGB, is converted to give the same; a file with a leading component was trained so.

        Returns:
            Number of tensors copied: all of this backbone's but the BatchNorm counters.

        Raises:
            UserError: file unreachable or damaged, or a tensor missing or of another shape.
        """
        source = str(weights)
        if source == "imagenet":
            if self.depth not in IMAGENET:
                raise UserError(f"no ImageNet weights for depth {self.depth}", " | ".join(map(str, IMAGENET)))
            source = IMAGENET[self.depth]
        path = fetch(source) if "://" in source else Path(source)
        content = read_checkpoint(path)
        count = self._copy(_tensors(content), path)
        if caffe_input and "conv1.weight" in content:
            deviation = 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1)
            with torch.no_grad():
                self.conv1.weight.copy_((self.conv1.weight / deviation).flip(1))
        return count

    def _copy(self, found: Mapping[str, Tensor], path: Path) -> int:
        own = {name: tensor for name, tensor in self.state_dict().items() if not name.endswith("num_batches_tracked")}
        wrong = [name for name, tensor in own.items() if name not in found or found[name].shape != tensor.shape]
        if wrong:
            raise UserError(
                f"{path}: {len(wrong)} of {len(own)} backbone tensors missing or of another shape ({wrong[0]} ...)",
                f"ImageNet weights of a ResNet-{self.depth}",
            )
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(found[name])
        return len(own)


def _tensors(content: Mapping[str, object]) -> dict[str, Tensor]:
    inner = content.get("state_dict", content)
    state = {name: value for name, value in dict(inner).items() if isinstance(value, Tensor)}  # type: ignore[call-overload]
    if "conv1.weight" in state:
        return state
    return {name.partition(".")[2]: value for name, value in state.items()}
