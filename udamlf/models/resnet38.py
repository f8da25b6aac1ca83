"""ResNet-38, variant A1 at stride 8: the network of ST, CBST and CBST-SP (cbst.md 2.1; Wu et al., arXiv 1611.10080).

A pre-activation wide ResNet without max-pool and without a norm on the stem; 124.03 M parameters at 19 classes. Every
BatchNorm uses its stored statistics, also in training, while scale and shift are trained.
"""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.errors import UserError
from udamlf.models.base import Output, ParameterGroup, SegmentationModel, parameter_groups

EPSILON = 1.001e-5
HEAD_DILATION = 12
_HEAD = ("head.", "classifier.")


class Block(NamedTuple):
    """One residual block; ``filters`` in multiples of the stem width."""

    filters: tuple[int, ...]
    kernels: tuple[int, ...] = (3, 3)
    stride: int = 1
    dilations: tuple[int, ...] = (1, 1)
    dropout: float = 0.0


BLOCKS: dict[str, Block] = {
    "2a": Block((2, 2), stride=2),
    **{name: Block((2, 2)) for name in ("2b1", "2b2")},
    "3a": Block((4, 4), stride=2),
    **{name: Block((4, 4)) for name in ("3b1", "3b2")},
    "4a": Block((8, 8), stride=2),
    **{name: Block((8, 8)) for name in ("4b1", "4b2", "4b3", "4b4", "4b5")},
    "5a": Block((8, 16), dilations=(1, 2)),
    **{name: Block((8, 16), dilations=(2, 2)) for name in ("5b1", "5b2")},
    "6a": Block((8, 16, 32), (1, 3, 1), dilations=(1, 4, 1), dropout=0.3),
    "7a": Block((16, 32, 64), (1, 3, 1), dilations=(1, 4, 1), dropout=0.5),
}


class PreActivation(nn.Module):
    """Norms and convolutions in turn, plus the input (or its projection after the first norm)."""

    def __init__(self, inputs: int, block: Block, width: int) -> None:
        super().__init__()
        channels = [inputs, *(width * multiple for multiple in block.filters)]
        pairs = list(pairwise(channels))
        self.norms = nn.ModuleList(nn.BatchNorm2d(before, EPSILON) for before, _ in pairs)
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, kernel, stride, dilation * (kernel // 2), dilation, bias=False)
            for (before, after), kernel, stride, dilation in zip(
                pairs, block.kernels, (block.stride, 1, 1), block.dilations, strict=False
            )
        )
        same = inputs == channels[-1] and block.stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, channels[-1], 1, block.stride, bias=False)
        self.dropout = nn.Dropout(block.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, h, w] to [N, outputs, ceil(h / stride), ceil(w / stride)], not rectified."""
        branch = F.relu(self.norms[0](x))
        shortcut = x if self.shortcut is None else self.shortcut(branch)
        branch = self.convs[0](branch)
        last = len(self.convs) - 1
        for index in range(1, last + 1):
            branch = F.relu(self.norms[index](branch))
            branch = self.convs[index](self.dropout(branch) if index == last else branch)
        return branch + shortcut


class ResNet38(SegmentationModel):
    """Logits at stride 8; features are the 512 channels before the last convolution."""

    stored_statistics = True

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__(num_classes)
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleDict()
        channels = width
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
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, PreActivation):
                    for weight in module.convs[-1].parameters():
                        weight.mul_(len(BLOCKS) ** -0.5)

    def forward(self, images: Tensor) -> Output:
        """Images [N, 3, H, W] to logits [N, C, ceil(H/8), ceil(W/8)]."""
        x = self.stem(images)
        for block in self.blocks.values():
            x = block(x)
        features = F.relu(self.head(F.relu(self.norm(x))))
        return Output(self.classifier(features), features=features)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Biases and BatchNorm shifts at twice the rate and without decay, the rest at the base values (cbst.md 5)."""
        shifts = [p for name, p in self.named_parameters() if name.endswith("bias")]
        weights = [p for name, p in self.named_parameters() if not name.endswith("bias")]
        return parameter_groups([("weights", weights, 1.0, 1.0), ("shifts", shifts, 2.0, 0.0)])

    def upstream_names(self) -> dict[str, str]:
        """The published (MXNet) name of every tensor, in the published order; counters have none."""
        names = {"stem.weight": "conv1a_weight"}
        for block in self.blocks:
            suffixes = ["2a", *(f"2b{i}" for i in range(1, len(BLOCKS[block].filters)))]
            for index, suffix in enumerate(suffixes):
                names |= _norm_names(f"blocks.{block}.norms.{index}", f"bn{block}_branch{suffix}")
                names[f"blocks.{block}.convs.{index}.weight"] = f"res{block}_branch{suffix}_weight"
            if self.blocks[block].shortcut is not None:
                names[f"blocks.{block}.shortcut.weight"] = f"res{block}_branch1_weight"
        names |= _norm_names("norm", "bn7")
        for own, upstream in (("head", "conv6a"), ("classifier", f"linear{self.num_classes}")):
            names |= {f"{own}.weight": f"{upstream}_weight", f"{own}.bias": f"{upstream}_bias"}
        return names


def _norm_names(own: str, upstream: str) -> dict[str, str]:
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var"}
    return {f"{own}.{mine}": f"{upstream}_{theirs}" for mine, theirs in parts.items()}


def build(num_classes: int, width: int = 64, weights: str | Path | None = None) -> ResNet38:
    """ResNet-38.

    Args:
        width: channels of the stem, which every other width is a multiple of; 64 is the published one.
        weights: initial weights of all but the head: a .npz file of arrays under their published names, with or without
            ``arg:`` and ``aux:``. MXNet writes one from the published file, which nothing else reads:
            ``numpy.savez(file, **{name: array.asnumpy() for name, array in mxnet.nd.load(published).items()})``.

    Raises:
        UserError: unusable weights; the first missing tensor is named.
    """
    model = ResNet38(num_classes, width)
    if weights is not None:
        _load_published(model, Path(weights))
    return model


def _load_published(model: ResNet38, path: Path) -> None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            given = {name.rpartition(":")[2]: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"cannot read weights from {path}: {error}", "a .npz file of arrays") from error
    own = model.state_dict()
    names = {mine: theirs for mine, theirs in model.upstream_names().items() if not mine.startswith(_HEAD)}
    for mine, theirs in names.items():
        if theirs not in given or given[theirs].shape != tuple(own[mine].shape):
            found = given[theirs].shape if theirs in given else "nothing"
            raise UserError(f"{path}: {found} as {theirs}", f"an array of shape {tuple(own[mine].shape)}")
    model.load_state_dict({**own, **{mine: torch.from_numpy(given[theirs]) for mine, theirs in names.items()}})
