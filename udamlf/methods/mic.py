"""Masked image consistency (Hoyer et al., CVPR 2023, arXiv 2212.01322; mic-hrda.md 2) on top of ``ema_mix``."""

from typing import ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.mixing import OnlineLabels
from udamlf.data.sample import Sample
from udamlf.methods import ema_mix
from udamlf.methods.device_colour import coloured
from udamlf.training.objective import Batch, Context, Term

Masked = Literal["target", "source", "both"]


def mask_grid(hw: tuple[int, ...], block: int) -> tuple[int, ...]:
    """Cells of a mask over [..., H, W]: whole blocks, rounded half to even (80 by 32: 2)."""
    return tuple(max(round(side / block), 1) for side in hw[-2:])


def block_mask(draws: np.ndarray, hw: tuple[int, ...], ratio: float) -> np.ndarray:
    """uint8 [..., H, W], 1 = visible, from uniform draws [..., gh, gw], one a cell: over ``ratio`` it is kept."""
    rows, columns = (np.arange(side) * cells // side for side, cells in zip(hw[-2:], draws.shape[-2:], strict=True))
    return (draws > ratio).astype(np.uint8)[..., rows[:, None], columns]


class View(NamedTuple):
    images: Tensor  # float [N, 3, H, W]
    labels: Tensor  # int64 [N, H, W]
    weights: Tensor
    visible: Tensor  # 1 = seen

    @property
    def masked(self) -> Tensor:
        """What the student sees: hidden pixels have the mean colour, which is 0 after normalisation."""
        return self.images * self.visible.unsqueeze(1).to(self.images.dtype)


def masked_view(which: Masked, source: View, target: View) -> View:
    """The released modes ``separatetrg``, ``separatesrc`` and ``separate``, the first image of each domain."""
    if which == "both":
        return View(*(torch.cat([mine[:1], theirs[:1]]) for mine, theirs in zip(source, target, strict=True)))
    return target if which == "target" else source


class MicParams(ema_mix.EmaMixParams):
    masked: Masked = "target"
    mask_block: int = Field(32, ge=1)  # side of a square, pixels of the crop: 32 of 512, 64 of HRDA's 1024
    mask_ratio: float = Field(0.7, ge=0, le=1)  # share of the squares that is hidden
    mask_weight: float = Field(1.0, ge=0)


class Objective(ema_mix.Objective):
    Params: ClassVar[type[Strict]] = MicParams

    def __init__(self, params: MicParams, context: Context) -> None:
        super().__init__(params, context)
        self.weights["masked_ce"] = params.mask_weight

    def prepare(self, draw: Draw) -> Sample:
        crop, p = super().prepare(draw), self.params
        if p.masked in (draw.domain, "both"):
            hw = crop.label.shape
            crop.maps["visible"] = block_mask(draw.rng.random(mask_grid(hw, p.mask_block)), hw, p.mask_ratio)
        return crop

    def terms(self, batch: Batch, online: OnlineLabels) -> list[Term]:
        assert batch.source is not None and batch.target is not None
        source, target, ones, p = batch.source, batch.target, torch.ones_like(online.weights), self.params
        if p.colour_of_mixed:
            seen = coloured(target.images, self.model, batch.rng("masked"), p.jitter, one_sigma=True)
        else:
            seen = target.views["augmented"]
        view = masked_view(
            p.masked,
            View(source.images, source.labels, ones, source.maps.get("visible", ones)),
            View(seen, online.labels, online.weights, target.maps.get("visible", ones)),
        )
        masked = view.masked, lambda output: {"masked_ce": self.weighted_loss(output, view.labels, view.weights)}
        return [*super().terms(batch, online), masked]
