"""Masked image consistency (MIC; Hoyer et al., CVPR 2023, arXiv 2212.01322; mic-hrda.md 2) on what learns labels
of the target: the student learns them once more where it sees some squares alone, without a further pass of a teacher.
``HOST+mic`` has the parameters of both; ``mic`` is ``ema_mix+mic``, as published."""

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, create_model
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.sample import Sample
from udamlf.methods import ema_mix
from udamlf.training.objective import BaseObjective, Batch, Context, TargetObjective, Term


def mask_grid(hw: tuple[int, ...], block: int) -> tuple[int, ...]:
    """Cells of a mask over [..., H, W]: whole blocks, rounded half to even (80 by 32: 2)."""
    return tuple(max(round(side / block), 1) for side in hw[-2:])


def block_mask(draws: np.ndarray, hw: tuple[int, ...], ratio: float) -> np.ndarray:
    """uint8 [..., H, W], 1 = visible, from uniform draws [..., gh, gw], one a cell: over ``ratio`` it is kept."""
    kept = torch.from_numpy((draws > ratio).astype(np.uint8)).reshape(-1, 1, *draws.shape[-2:])
    # As released: the integers floor(i * cells / side) differ from torch's float32 by a row at some sizes (82 by 48).
    return F.interpolate(kept, hw[-2:], mode="nearest").numpy().reshape(*draws.shape[:-2], *hw[-2:])


class View(NamedTuple):
    images: Tensor  # float [N, 3, H, W]
    labels: Tensor  # int64 [N, H, W]
    weights: Tensor
    visible: Tensor  # 1 = seen

    @property
    def masked(self) -> Tensor:
        """What the student sees: hidden pixels have the mean colour, which is 0 after normalisation."""
        return self.images * self.visible.unsqueeze(1).to(self.images.dtype)


def masked_view(*views: View) -> View:
    """That of a domain (released: ``separatetrg``, ``separatesrc``), or the first image of each (``separate``)."""
    if len(views) == 1:
        return views[0]
    return View(*(torch.cat([value[:1] for value in values]) for values in zip(*views, strict=True)))


class MicParams(Strict):
    masked: Literal["target", "source", "both"] = "target"
    mask_block: int = Field(32, ge=1)  # side of a square, pixels of the crop: 32 of 512, 64 of HRDA's 1024
    mask_ratio: float = Field(0.7, ge=0, le=1)  # share of the squares that is hidden
    mask_weight: float = Field(1.0, ge=0)


class Mic(TargetObjective):
    """What is put before an objective: its samples with a mask, its losses and those of the masked crop."""

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        batch = context.training.batch
        if params.masked != "target" and (batch.mixed or not batch.source):
            raise UserError(f"masked={params.masked} without source images in each batch", "masked=target")

    def prepare(self, draw: Draw) -> Sample:
        crop, p = super().prepare(draw), self.params
        if p.masked in (draw.domain, "both"):
            hw = crop.label.shape
            crop.maps["visible"] = block_mask(draw.rng.random(mask_grid(hw, p.mask_block)), hw, p.mask_ratio)
        return crop

    def further_terms(self, batch: Batch, labels: Tensor, weights: Tensor | None = None) -> list[Term]:
        assert batch.target is not None
        source, target, masked, views = batch.source, batch.target, self.params.masked, []
        if labels.shape != target.labels.shape:  # ProDA's are on a coarse grid
            labels = F.interpolate(labels.unsqueeze(1).float(), target.images.shape[-2:]).squeeze(1).long()
        if weights is None:  # which make it the mean over the labelled pixels
            share = (self.maps_at_loss_resolution(labels) != IGNORE).float().mean()
            weights = (1 / share.clamp(min=1e-6)).expand(labels.shape)
        if source is not None and masked != "target":
            ones = torch.ones_like(source.labels, dtype=weights.dtype)
            views.append(View(source.images, source.labels, ones, source.maps["visible"]))
        if masked != "source":  # stacked with the source it is plain, as released
            seen = self.target_view(target, batch) if masked == "target" else target.images
            views.append(View(seen, labels, weights, target.maps["visible"]))
        view = masked_view(*views)
        learnt = view.labels, view.weights, self.params.mask_weight
        return [(view.masked, lambda output: {"masked_ce": self.weighted_loss(output, *learnt)})]


def on(host: type[BaseObjective]) -> Any:
    """MIC on an objective. UserError: one that learns no labels of the target, or has it already."""
    if not issubclass(host, TargetObjective) or issubclass(host, Mic):
        raise UserError(f"mic on {host.__module__}", "an objective that learns labels of the target: hiast+mic")
    return type("Objective", (Mic, host), {"Params": create_model("Params", __base__=(host.Params, MicParams))})


Objective = on(ema_mix.Objective)
