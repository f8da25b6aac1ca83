"""DINOv2's Vision Transformer (Oquab et al., TMLR 2024; registers: Darcet et al., ICLR 2024), frozen, with LoRA (Hu et
al., ICLR 2022) and SegFormer's head. Tensor names are those of the published ``dinov2_vit*14_pretrain.pth``."""

import math
from collections import OrderedDict
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.config.parts import Strict
from udamlf.models.base import Output, SegmentationModel, parameter_group, seeded
from udamlf.models.frozen import Frozen
from udamlf.models.fusion_head import FusionHead
from udamlf.models.weight_files import load_into, read_weights

STAGES = 4  # blocks whose tokens the head sees, evenly spaced up to the last one


class Shape(NamedTuple):
    """``patch``: side in pixels; ``grid``: patches along a side of the images that it was trained on."""

    width: int
    blocks: int
    heads: int
    patch: int = 14
    grid: int = 37


VARIANTS = {"tiny": Shape(64, 4, 2, 8, 16), "s": Shape(384, 12, 6), "b": Shape(768, 12, 12)}


class LoRA(nn.Module):
    """What is added to queries, keys and values; 0 at first."""

    def __init__(self, width: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, rank, bias=False), nn.Linear(rank, 3 * width, bias=False)
        self.scale = alpha / rank
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * self.up(self.down(x))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, adapter: nn.Module | None) -> Tensor:
        qkv = self.qkv(x) if adapter is None else self.qkv(x) + adapter(x)
        query, key, value = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and feed-forward part, each normalised before and scaled, channel by channel, after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attn = Attention(width, heads)
        layers = {"fc1": nn.Linear(width, 4 * width), "act": nn.GELU(), "fc2": nn.Linear(4 * width, width)}
        self.mlp = nn.Sequential(OrderedDict(layers))
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": torch.ones(width)}) for _ in range(2))

    def forward(self, x: Tensor, adapter: nn.Module | None) -> Tensor:
        x = x + self.ls1["gamma"] * self.attn(self.norm1(x), adapter)
        return x + self.ls2["gamma"] * self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """Images [N, 3, H, W], sides multiples of a patch's -> normalised maps [N, D, h, w] of four blocks."""

    def __init__(self, shape: Shape, registers: int = 0) -> None:
        super().__init__()
        self.shape, width = shape, shape.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + shape.grid**2, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))  # of the pre-training
        if registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, registers, width))
        self.registers = registers
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, shape.patch, shape.patch)})
        self.blocks = nn.ModuleList(Block(width, shape.heads) for _ in range(shape.blocks))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def positions(self, height: int, width: int) -> Tensor:
        """Position embeddings [1, h * w, D] of the patches, bicubic from those of training; as released: a hundredth
        of a patch off where there are no registers, smoothed where there are."""
        side, embedded = self.shape.grid, self.pos_embed[:, 1:]
        if (height, width) == (side, side):
            return embedded
        factors = (height + 0.1) / side, (width + 0.1) / side
        size = {"size": (height, width), "antialias": True} if self.registers else {"scale_factor": factors}
        square = embedded.transpose(1, 2).unflatten(2, (side, side))
        return F.interpolate(square, mode="bicubic", **size).flatten(2).transpose(1, 2)  # type: ignore[arg-type]

    def forward(self, images: Tensor, adapters: Iterable[nn.Module] = ()) -> list[Tensor]:
        patches = self.patch_embed["proj"](images)
        hw, count = patches.shape[2:], len(images)
        x = patches.flatten(2).transpose(1, 2) + self.positions(*hw)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(count, -1, -1)
        leading = [first, *([self.register_tokens.expand(count, -1, -1)] if self.registers else [])]
        x, maps = torch.cat([*leading, x], 1), []
        for number, (block, adapter) in enumerate(zip_longest(self.blocks, adapters), start=1):
            x = block(x, adapter)
            if number % (len(self.blocks) // STAGES) == 0:
                tokens = self.norm(x)[:, 1 + self.registers :]
                maps.append(tokens.transpose(1, 2).unflatten(2, hw).contiguous())
        return maps


class VitParams(Strict):
    variant: Literal["tiny", "s", "b"] = "s"
    registers: int = 0
    # A local ``dinov2_vit{s,b}14[_reg4]_pretrain.pth``; none: random ones, the same with every seed.
    weights: str | None = None
    rank: int = 16  # of LoRA, 0 = none; its output is scaled by alpha / rank
    alpha: float = 16.0
    channels: int = 256


class Network(SegmentationModel):
    """Logits and features, the last block's, at the stride of a patch; images are resized up to whole patches."""

    Params = VitParams
    classifier_name = "head.conv_seg"
    needs_weights: ClassVar[bool] = True

    def __init__(self, num_classes: int, params: VitParams) -> None:
        super().__init__(num_classes)
        shape = VARIANTS[params.variant]
        with seeded(0, f"frozen vit {params.variant}"):
            backbone = VisionTransformer(shape, params.registers)
        if params.weights is not None:
            load_into(backbone, read_weights(params.weights), params.weights)
        self.patch, self.backbone = shape.patch, Frozen(backbone)
        self.head = FusionHead([shape.width] * STAGES, params.channels, num_classes, context=False)
        lora = (LoRA(shape.width, params.rank, params.alpha) for _ in range(shape.blocks if params.rank else 0))
        self.adapters = nn.ModuleList(lora)

    def forward(self, images: Tensor) -> Output:
        size = [math.ceil(side / self.patch) * self.patch for side in images.shape[2:]]
        stages = self.backbone(F.interpolate(images, size, mode="bilinear", align_corners=False), self.adapters)
        return Output(self.head(stages), features=stages[-1])

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The head at ten times the rate of the adapters."""
        adapters, head = (parameter_group(name, self.get_submodule(name).parameters()) for name in ("adapters", "head"))
        return [adapters, {**head, "lr_scale": 10.0}]
