"""SegFormer's Mix Transformer (NeurIPS 2021, arXiv 2105.15203; mic-hrda.md 4); tensor names are ``mit_bN.pth``'s."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from udamlf.config.parts import Strict
from udamlf.models.base import Output, SegmentationModel, parameter_group
from udamlf.models.fusion_head import FusionHead
from udamlf.models.weight_files import load_into, read_weights

HEADS, REDUCTIONS = (1, 2, 5, 8), (8, 4, 2, 1)
WIDE = (64, 128, 320, 512)
VARIANTS: dict[str, tuple[tuple[int, ...], ...]] = {  # channels and blocks of each stage
    "tiny": ((16, 32, 80, 128), (1, 1, 1, 1), HEADS, (4, 2, 1, 1)),  # of the miniature, whose maps are small
    "b0": ((32, 64, 160, 256), (2, 2, 2, 2)),
    "b1": (WIDE, (2, 2, 2, 2)),
    "b2": (WIDE, (3, 4, 6, 3)),
    "b3": (WIDE, (3, 4, 18, 3)),
    "b4": (WIDE, (3, 8, 27, 3)),
    "b5": (WIDE, (3, 6, 40, 3)),
}


def drop_path(x: Tensor, share: float, draws: Tensor) -> Tensor:
    """Branch outputs [N, ...], 0 where the uniform draw [N] is under ``share`` and scaled up elsewhere."""
    keep = (1 - share + draws).floor().view(-1, *[1] * (x.dim() - 1))
    return x / (1 - share) * keep.to(x.dtype)


class DropPath(_DropoutNd):
    """Leaves out a branch for some images, in training mode; a kind of dropout, which teachers silence."""

    def forward(self, x: Tensor) -> Tensor:
        return drop_path(x, self.p, torch.rand(len(x), device=x.device)) if self.training and self.p else x


def _as_map(x: Tensor, hw: Sequence[int]) -> Tensor:
    return x.transpose(1, 2).unflatten(2, tuple(hw))


def _as_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Tokens [N, h * w, D] attend to those of a map that is ``reduction`` times smaller."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.reduction = heads, reduction
        self.q, self.kv = nn.Linear(channels, channels), nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        if reduction > 1:
            self.sr = nn.Conv2d(channels, channels, reduction, reduction)
            self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, hw: Sequence[int]) -> Tensor:
        seen = self.norm(_as_tokens(self.sr(_as_map(x, hw)))) if self.reduction > 1 else x
        query = self.q(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
        key, value = self.kv(seen).unflatten(2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Tokens -> the same, through four times the width, where a convolution of each channel tells their places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 4 * channels
        self.fc1, self.fc2 = nn.Linear(channels, wide), nn.Linear(wide, channels)
        self.dwconv = nn.ModuleDict({"dwconv": nn.Conv2d(wide, wide, 3, 1, 1, groups=wide)})

    def forward(self, x: Tensor, hw: Sequence[int]) -> Tensor:
        return self.fc2(F.gelu(_as_tokens(self.dwconv["dwconv"](_as_map(self.fc1(x), hw)))))


class Block(nn.Module):
    """Attention and feed-forward part, each normalised before and left out for some images."""

    def __init__(self, channels: int, heads: int, reduction: int, drop: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(channels, eps=1e-6) for _ in range(2))
        self.attn, self.mlp = Attention(channels, heads, reduction), FeedForward(channels)
        self.drop_path = DropPath(drop)

    def forward(self, x: Tensor, hw: Sequence[int]) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x), hw))
        return x + self.drop_path(self.mlp(self.norm2(x), hw))


class PatchEmbedding(nn.Module):
    """Map [N, inputs, H, W] -> normalised tokens of overlapping patches, and the size of their map."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> tuple[Tensor, torch.Size]:
        x = self.proj(x)
        return self.norm(_as_tokens(x)), x.shape[2:]


class MixTransformer(nn.Module):
    """Images [N, 3, H, W] -> maps at strides 4, 8, 16, 32; the share of left-out branches rises up to ``drop``."""

    def __init__(
        self, channels: Sequence[int], depths: Sequence[int], heads: Sequence[int] = HEADS,
        reductions: Sequence[int] = REDUCTIONS, *, drop: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels = tuple(channels)
        self.drop_rates = np.linspace(0, drop, sum(depths)).tolist()
        rates = iter(self.drop_rates)
        for stage, (inputs, width) in enumerate(zip((3, *channels), channels, strict=False), start=1):
            self.add_module(f"patch_embed{stage}", PatchEmbedding(inputs, width, *((7, 4) if stage == 1 else (3, 2))))
            kind = width, heads[stage - 1], reductions[stage - 1]
            blocks = nn.ModuleList(Block(*kind, next(rates)) for _ in range(depths[stage - 1]))
            self.add_module(f"block{stage}", blocks)
            self.add_module(f"norm{stage}", nn.LayerNorm(width, eps=1e-6))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> list[Tensor]:
        stages = []
        for stage in range(1, len(self.channels) + 1):
            tokens, hw = self.get_submodule(f"patch_embed{stage}")(x)
            for block in self.get_submodule(f"block{stage}").children():
                tokens = block(tokens, hw)
            x = _as_map(self.get_submodule(f"norm{stage}")(tokens), hw).contiguous()
            stages.append(x)
        return stages


class MitParams(Strict):
    variant: Literal["tiny", "b0", "b1", "b2", "b3", "b4", "b5"] = "b5"
    head: Literal["daformer", "segformer"] = "daformer"
    weights: str | None = None  # a local ``mit_bN.pth``; none: random ones
    channels: int = 256  # of the head; SegFormer's has 768 from B2 on
    drop_path: float = 0.1


class Network(SegmentationModel):
    """Logits [N, C, h, w] at stride 4; features are the last stage at stride 32."""

    Params = MitParams
    classifier_name = "head.conv_seg"

    def __init__(self, num_classes: int, params: MitParams) -> None:
        super().__init__(num_classes)
        self.backbone = MixTransformer(*VARIANTS[params.variant], drop=params.drop_path)
        self.head = FusionHead(self.backbone.channels, params.channels, num_classes, params.head == "daformer")
        if params.weights is not None:
            content = read_weights(params.weights)
            state = content.get("state_dict", content.get("model", content))
            encoder = {name: value for name, value in state.items() if not name.startswith("head.")}
            load_into(self.backbone, encoder, params.weights)

    def forward(self, images: Tensor) -> Output:
        stages = self.backbone(images)
        return Output(self.head(stages), features=stages[-1])

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The encoder's norms without decay, all heads at ten times the rate (mic-hrda.md 6)."""
        named = [(name, p, name.startswith("backbone.")) for name, p in self.named_parameters()]
        return [
            parameter_group("backbone", [p for name, p, inside in named if inside and "norm" not in name]),
            parameter_group("norms", [p for name, p, inside in named if inside and "norm" in name], decay_scale=0.0),
            parameter_group("head", [p for _, p, inside in named if not inside], lr_scale=10.0),
        ]
