"""``ema_mix``: online self-training with an EMA teacher and class mixing (DACS, arXiv 2007.08702; DAFormer, arXiv
2111.14887; online-ema.md). One training, no stored pseudo-labels: it composes with any warm-up and follows any round.

Each step the teacher labels the clean target crop; half of a source image's classes are pasted onto the augmented crop;
the student learns the source and the mixed image, the latter weighted by how confident the teacher is.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from udamlf.config import Strict
from udamlf.data.augment.class_mix import mix, mix_mask, online_labels
from udamlf.data.augment.photometric import jitter
from udamlf.data.augment.rare_class import RareClassSampler, shows_class
from udamlf.data.labels import IGNORE
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.losses.basic import cross_entropy, entropy
from udamlf.losses.feature_distance import class_mask, downscale_labels, feature_distance
from udamlf.losses.mixed import mixed_cross_entropy
from udamlf.methods.base import BaseObjective, Batch, Context, Domain, Losses
from udamlf.models.base import Output
from udamlf.models.ema import ema_update, make_teacher, ramped_decay
from udamlf.selection.quality import Quality

THINGS = ("traffic_light", "traffic_sign", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")


class EmaMixParams(Strict):
    """Parameters of ``ema_mix``.

    Attributes:
        decay: cap of the teacher's EMA decay; it ramps up as min(1 - 1/(t+1), decay).
        buffers: whether the teacher copies the student's BatchNorm statistics or keeps those of its own passes.
        teacher_mode: "train" normalises by the batch (DAFormer: only dropout is off), "eval" by running statistics.
        threshold: confidence at which a pixel counts; the share of such pixels weighs the mixed loss.
        weighting: "share" gives every target pixel the batch's confident share (released), "pixel" weighs a pixel 1
            or 0 by its own confidence.
        ignore_top, ignore_bottom: rows of the crop without weight.
        mix_share: share of a source image's classes that is pasted; 0 mixes nothing.
        jitter: photometric strength on the target part of the student's view.
        mixed_weight: weight of the mixed loss.
        entropy: weight of the entropy (nats) of the unconfident target pixels of the mixed image; 0 is the published
            recipe.
        rare_class_temperature: temperature of rare-class sampling of source images; None samples uniformly.
        rare_class_min_pixels: pixels of the drawn class an image, and half of it a crop, must show.
        mixed_class_weights: class weights, taken from the source labels, also in the mixed loss.
        feature_distance: weight of DAFormer's distance to the pretrained network's features on thing classes of the
            source (0.005 there); needs a backbone with ``weights``.
        feature_share: share of a feature's cell that a class must fill to count.
    """

    decay: float = Field(0.999, ge=0, lt=1)
    buffers: Literal["copy", "keep"] = "keep"
    teacher_mode: Literal["train", "eval"] = "train"
    threshold: float = Field(0.968, ge=0, le=1)
    weighting: Literal["share", "pixel"] = "share"
    ignore_top: int = Field(0, ge=0)
    ignore_bottom: int = Field(0, ge=0)
    mix_share: float = Field(0.5, ge=0, le=1)
    jitter: float = Field(0.2, ge=0)
    mixed_weight: float = Field(1.0, ge=0)
    entropy: float = Field(0.0, ge=0)
    rare_class_temperature: float | None = Field(None, gt=0)
    rare_class_min_pixels: int = Field(3000, ge=0)
    mixed_class_weights: bool = False
    feature_distance: float = Field(0.0, ge=0)
    feature_share: float = Field(0.75, ge=0, le=1)


class Objective(BaseObjective):
    """Source cross-entropy and confidence-weighted cross-entropy of class-mixed images."""

    Params: ClassVar[type[Strict]] = EmaMixParams
    domains = ("source", "target")

    @classmethod
    def counts_source_pixels(cls, params: Any) -> bool:
        return params.rare_class_temperature is not None

    def __init__(self, params: EmaMixParams, context: Context) -> None:
        super().__init__(params, context)
        self.teacher = make_teacher(context.model)
        self.sampler = None
        if params.rare_class_temperature is not None and context.source_class_pixels is not None:
            pixels = context.source_class_pixels
            self.sampler = RareClassSampler(pixels, params.rare_class_temperature, params.rare_class_min_pixels)
        self.quality = Quality(context.space.num_classes, context.device)
        self.reference: Reference | None = Reference(context) if params.feature_distance else None

    @property
    def weights(self) -> dict[str, float]:
        p: EmaMixParams = self.params
        distance = p.feature_distance
        return {"mixed_ce": p.mixed_weight, "mixed_entropy": p.entropy, "source_feature_distance": distance}

    def modules(self) -> dict[str, nn.Module]:
        return {"teacher": self.teacher}

    def teacher_network(self) -> nn.Module:
        return self.teacher

    def scalars(self) -> dict[str, float]:
        """Quality of the online labels since it was last read; a pixel under the threshold counts as not kept."""
        if not self.quality.pixels:
            return {}
        metrics = self.quality.metrics(self.context.space)
        self.quality = Quality(self.context.space.num_classes, self.context.device)
        return metrics

    def pick(self, domain: str, index: int, rng: np.random.Generator) -> tuple[int, int | None]:
        if domain != "source" or self.sampler is None:
            return index, None
        drawn, position = self.sampler.draw(rng)
        return position, drawn

    def accept(self, domain: str, view: View, drawn: int | None) -> bool:
        return drawn is None or shows_class(view.label, drawn, self.params.rare_class_min_pixels // 2)

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        if domain == "target":
            view.images["augmented"] = jitter(view.image, rng, self.params.jitter)
        else:
            view.maps["pasted"] = mix_mask(view.label, rng, self.params.mix_share)
        return view

    @torch.no_grad()
    def _teach(self, images: Tensor, size: tuple[int, int]) -> Tensor:
        """Teacher logits float [N, C, *size] of clean target crops."""
        self.teacher.train(self.params.teacher_mode == "train")
        for module in self.teacher.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.eval()
        return self.model.upsample(self.teacher(images).logits.float(), size)

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None and batch.target is not None
        p: EmaMixParams = self.params
        source, target = batch.source, batch.target
        size = (target.images.shape[-2], target.images.shape[-1])
        online = online_labels(self._teach(target.images, size), p.threshold, p.ignore_top, p.ignore_bottom)
        kept = torch.where(online.confident, online.labels, IGNORE)
        self.quality.add(online.confidence, online.labels, kept)
        target_weights = online.weights if p.weighting == "share" else online.confident * (online.weights > 0).float()
        masks = source.maps["pasted"].bool()
        images = mix(masks, source.images, target.views["augmented"])
        labels = mix(masks, source.labels, online.labels)
        weights = mix(masks, torch.ones_like(target_weights), target_weights)
        if p.mixed_class_weights and self.context.class_weights is not None:
            # A last entry for IGNORE, whose loss is 0 anyway.
            table = torch.cat([self.context.class_weights, self.context.class_weights.new_zeros(1)])
            weights = weights * table[labels.clamp(max=len(table) - 1)]

        on_source, on_mixed = self.forward_together(source.images, images)
        logits, source_labels = self.at_loss_resolution(on_source.logits, source.labels)
        mixed_logits, mixed_labels = self.at_loss_resolution(on_mixed.logits, labels)
        named = {
            "source_ce": cross_entropy(logits, source_labels, self.context.class_weights),
            "mixed_ce": mixed_cross_entropy(mixed_logits, mixed_labels, self.maps_at_loss_resolution(weights)),
        }
        if self.reference is not None:
            named["source_feature_distance"] = self.reference.distance(on_source, source, p.feature_share)
        if p.entropy:
            named["mixed_entropy"] = entropy(mixed_logits, self.maps_at_loss_resolution(~masks & ~online.confident))
        return {"model": named}

    def after_step(self, step: int) -> None:
        ema_update(self.teacher, self.model, ramped_decay(step + 1, self.params.decay), self.params.buffers)


class Reference(nn.Module):
    """The frozen pretrained network whose features of thing classes are kept (DAFormer; online-ema.md 4).

    Raises:
        UserError: the backbone has no pretrained weights, or gives no features.
    """

    def __init__(self, context: Context) -> None:
        super().__init__()
        if context.initial is None:
            hint = "--set profile.model.weights=imagenet, or --set method.round.objective.feature_distance=0"
            raise UserError("feature_distance without pretrained weights", "a backbone with `weights`", hint)
        # Not among the objective's modules: it is the same in every training and need not be saved with each.
        self.network = context.initial().to(context.device).eval().requires_grad_(False)
        self.classes = [i for i, name in enumerate(context.space.classes) if name in THINGS]
        self.count = context.space.num_classes

    def distance(self, output: Output, source: Domain, share: float) -> Tensor:
        """Mean distance of the source's features over the cells that a thing class fills."""
        with torch.no_grad():
            expected = self.network(source.images).features
        found = output.features
        if found is None or expected is None:
            raise UserError("feature_distance with a network without features", "deeplabv2 or proda_deeplab")
        scale = -(-source.labels.shape[-1] // found.shape[-1])
        height, width = (size // scale for size in source.labels.shape[-2:])
        labels = downscale_labels(source.labels[:, : height * scale, : width * scale], scale, self.count, share)
        height, width = min(height, found.shape[-2]), min(width, found.shape[-1])
        mask = class_mask(labels[:, :height, :width], self.classes)
        return feature_distance(found[..., :height, :width].float(), expected[..., :height, :width].float(), mask)
