"""ResNet-38, variant A1 at stride 8, of ST, CBST and CBST-SP (cbst.md 2.1; arXiv 1611.10080): 124.03 M parameters."""

from itertools import pairwise
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.config.parts import Strict
from udamlf.models.base import Output, SegmentationModel, parameter_group
from udamlf.models.weight_files import load_into, read_weights

EPSILON = 1.001e-5
HEAD_DILATION = 12
NORM_WORDS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var"}


class Block(NamedTuple):
    """One residual block; ``filters`` in multiples of the stem width."""

    filters: tuple[int, ...]
    kernels: tuple[int, ...] = (3, 3)
    stride: int = 1
    dilations: tuple[int, ...] = (1, 1)
    dropout: float = 0.0


BLOCKS = {
    "2a": Block((2, 2), stride=2),
    **dict.fromkeys(("2b1", "2b2"), Block((2, 2))),
    "3a": Block((4, 4), stride=2),
    **dict.fromkeys(("3b1", "3b2"), Block((4, 4))),
    "4a": Block((8, 8), stride=2),
    **dict.fromkeys(("4b1", "4b2", "4b3", "4b4", "4b5"), Block((8, 8))),
    "5a": Block((8, 16), dilations=(1, 2)),
    **dict.fromkeys(("5b1", "5b2"), Block((8, 16), dilations=(2, 2))),
    "6a": Block((8, 16, 32), (1, 3, 1), dilations=(1, 4, 1), dropout=0.3),
    "7a": Block((16, 32, 64), (1, 3, 1), dilations=(1, 4, 1), dropout=0.5),
}


class PreActivation(nn.Module):
    """[N, inputs, h, w] -> [N, outputs, ceil(h / stride), ceil(w / stride)], not rectified."""

    def __init__(self, inputs: int, block: Block, width: int) -> None:
        super().__init__()
        channels = [inputs, *(width * multiple for multiple in block.filters)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(before, EPSILON) for before in channels[:-1])
        shapes = zip(pairwise(channels), block.kernels, (block.stride, 1, 1), block.dilations, strict=False)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
            for (before, after), kernel, stride, dilation in shapes
        )
        same = inputs == channels[-1] and block.stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, channels[-1], 1, block.stride, bias=False)
        self.dropout = nn.Dropout(block.dropout)

    def forward(self, x: Tensor) -> Tensor:
        branch = F.relu(self.norms[0](x))
        shortcut = x if self.shortcut is None else self.shortcut(branch)
        for norm, conv in zip(self.norms[1:], self.convs[:-1], strict=True):
            branch = F.relu(norm(conv(branch)))
        return self.convs[-1](self.dropout(branch)) + shortcut


class ResNet38Params(Strict):
    # Of all but the head, by their published names, with or without ``arg:`` and ``aux:``: ``.params`` or ``.npz``.
    weights: str | None = None
    width: int = 64  # channels of the stem


class Network(SegmentationModel):
    """Logits [N, C, ceil(H/8), ceil(W/8)]; features are the 512 channels before the last convolution."""

    Params = ResNet38Params
    stored_statistics = True

    def __init__(self, num_classes: int, params: ResNet38Params) -> None:
        super().__init__(num_classes)
        channels = width = params.width
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleDict()
        for name, block in BLOCKS.items():
            self.blocks[name] = PreActivation(channels, block, width)
            channels = width * block.filters[-1]
        self.norm = nn.BatchNorm2d(channels, EPSILON)
        self.head = nn.Conv2d(channels, 8 * width, 3, padding=HEAD_DILATION, dilation=HEAD_DILATION)
        self.classifier = nn.Conv2d(8 * width, num_classes, 3, padding=HEAD_DILATION, dilation=HEAD_DILATION)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        # Stored statistics (0 and 1 at first) do not normalise, so the sum of 17 branches would grow to a deviation of
        # 40; each branch gets 1/17 of the variance instead.
        for name, block in BLOCKS.items():
            last = self.get_parameter(f"blocks.{name}.convs.{len(block.filters) - 1}.weight")
            last.data.mul_(len(BLOCKS) ** -0.5)
        if params.weights is not None:
            arrays = {name.rpartition(":")[2]: array for name, array in read_weights(params.weights).items()}
            body = {name: arrays[theirs] for name, theirs in self.upstream_names().items() if theirs in arrays}
            head = {name: t for name, t in self.state_dict().items() if name.startswith(("head.", "classifier."))}
            load_into(self, body | head, params.weights)

    def forward(self, images: Tensor) -> Output:
        x = self.stem(images)
        for block in self.blocks.values():
            x = block(x)
        features = F.relu(self.head(F.relu(self.norm(x))))
        return Output(self.classifier(features), features=features)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Biases and BatchNorm shifts at twice the rate and without decay, the rest at the base values (cbst.md 5)."""
        weights, shifts = ([p for n, p in self.named_parameters() if n.endswith("bias") is b] for b in (False, True))
        return [parameter_group("weights", weights), parameter_group("shifts", shifts, lr_scale=2.0, decay_scale=0.0)]

    def upstream_names(self) -> dict[str, str]:
        """The published (MXNet) name of every tensor, in the published order; counters have none."""
        modules = {"stem": "conv1a"}
        for name, block in BLOCKS.items():
            for index in range(len(block.filters)):
                branch = f"branch2b{index}" if index else "branch2a"
                modules[f"blocks.{name}.norms.{index}"] = f"bn{name}_{branch}"
                modules[f"blocks.{name}.convs.{index}"] = f"res{name}_{branch}"
            if self.blocks[name].shortcut is not None:
                modules[f"blocks.{name}.shortcut"] = f"res{name}_branch1"
        modules |= {"norm": "bn7", "head": "conv6a", "classifier": f"linear{self.num_classes}"}
        names: dict[str, str] = {}
        for ours, theirs in modules.items():
            module = self.get_submodule(ours)
            words = NORM_WORDS if isinstance(module, nn.BatchNorm2d) else {"weight": "weight", "bias": "bias"}
            names |= {f"{ours}.{name}": f"{theirs}_{words[name]}" for name in module.state_dict() if name in words}
        return names
