"""Online self-training with an EMA teacher and class mixing (DACS, arXiv 2007.08702; DAFormer, arXiv 2111.14887;
online-ema.md): the teacher labels the clean target crop, half of a source image's classes are pasted onto it. A method
on top overrides ``prepare`` (what a sample holds) and ``terms`` (images and their losses)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import MAX_CROP_ATTEMPTS, Draw
from udamlf.data.colour import colours_of, jitter
from udamlf.data.mixing import OnlineLabels, RareClassSampler, largest_share, mix, mix_mask, online_labels
from udamlf.data.sample import Domain, Sample
from udamlf.losses import masked_mean
from udamlf.methods.device_colour import coloured
from udamlf.models.base import Output, SegmentationModel
from udamlf.models.ema import ema_update, make_teacher, ramped_decay
from udamlf.selection.quality import Quality
from udamlf.training.objective import Batch, Context, Losses, TargetObjective, Term

THINGS = ("traffic_light", "traffic_sign", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
MIN_SHARE = 0.75  # of a feature's cell that a class must fill to count (online-ema.md 4)


def downscale_labels(labels: Tensor, scale: int, num_classes: int, min_share: float = MIN_SHARE) -> Tensor:
    """The class (or IGNORE) that fills ``min_share`` of a scale x scale cell, else IGNORE: int64 [N, h, w]."""
    one_hot = F.one_hot(labels.masked_fill(labels == IGNORE, num_classes), num_classes + 1)
    share, winner = F.avg_pool2d(one_hot.permute(0, 3, 1, 2).float(), scale).max(1)
    return winner.masked_fill((share < min_share) | (winner == num_classes), IGNORE)


def feature_distance(features: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """Mean over ``mask`` bool [N, h, w] of the Euclidean distance of two maps [N, D, h, w] (upstream: nan if empty)."""
    return masked_mean(torch.linalg.vector_norm(features - reference.detach(), dim=1), mask)


class EmaMixParams(Strict):
    """Parameters of ``ema_mix``; the teacher's EMA decay ramps up as min(1 - 1/(t+1), decay)."""

    decay: float = Field(0.999, ge=0, lt=1)
    buffers: Literal["copy", "keep"] = "keep"  # the student's BatchNorm statistics, or those of the teacher's passes
    teacher_mode: Literal["train", "eval"] = "train"  # normalise by the batch (DAFormer), or by running statistics
    threshold: float = Field(0.968, ge=0, le=1)  # the share of pixels this confident weighs the mixed loss
    ignore_top: int = Field(0, ge=0)  # rows of the crop without weight
    ignore_bottom: int = Field(0, ge=0)
    margin: tuple[int, int, int, int] | None = None  # the same of the frame: rows above, below, columns left, right
    jitter: float = Field(0.2, ge=0)  # photometric strength, on the target's part of the student's view
    colour_of_mixed: bool = False  # jitter, and blur, the whole mixed image instead, as released
    joint_batch: bool = True  # one forward pass and BatchNorm batch for all images; released: one after the other
    all_pixels: bool = False  # the source's loss is a mean over all pixels, as released, not over those with a label
    rare_class_temperature: float | None = Field(None, gt=0)  # of rare-class sampling of source images; None: uniform
    rare_class_min_pixels: int = Field(3000, ge=0)  # of the class in the image
    rare_class_crop_ratio: float = Field(0.5, ge=0)  # times that in the crop
    crop_max_share: float = Field(1.0, gt=0, le=1)  # a class with this share of a source crop: drawn again
    target_colours: float = Field(0.0, ge=0, le=1)  # chance of a source image to take those of a random target image
    feature_distance: float = Field(0.0, ge=0)  # weight of DAFormer's distance to the pretrained features: 0.005


class Objective(TargetObjective):
    """Source cross-entropy and confidence-weighted cross-entropy of class-mixed images."""

    Params: ClassVar[type[Strict]] = EmaMixParams
    domains = ("source", "target")
    in_pairs = True
    has_teacher = True

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        self.teacher = self.modules["teacher"] = make_teacher(context.model)
        self.weights = {"source_feature_distance": params.feature_distance}
        self.sampler = None
        if params.rare_class_temperature is not None:
            assert context.source_class_pixels is not None
            pixels = context.source_class_pixels()
            self.sampler = RareClassSampler(pixels, params.rare_class_temperature, params.rare_class_min_pixels)
        self.quality = self.modules["quality"] = Quality(context.space.num_classes, context.device)
        # The frozen pretrained network (DAFormer; online-ema.md 4): never saved, as it is the same in every training.
        self.reference: SegmentationModel | None = None
        things = [number for number, name in enumerate(context.space.classes) if name in THINGS]
        self.things = torch.tensor(things, device=context.device)
        if params.feature_distance:
            if context.initial is None:
                hint = "--set profile.model.weights=imagenet, or --set method.round.objective.feature_distance=0"
                raise UserError("feature_distance without pretrained weights", "a backbone with `weights`", hint)
            self.reference = context.initial().to(context.device).eval().requires_grad_(False)

    def scalars(self) -> dict[str, float]:
        """Quality of the online labels since it was last read; a pixel under the threshold counts as not kept."""
        metrics = self.quality.metrics(self.context.space) if self.quality.pixels else {}
        self.quality.clear()
        return metrics

    def prepare(self, draw: Draw) -> Sample:
        if draw.domain == "target":
            frame = draw.read(draw.index)
            if self.params.margin is not None:
                top, bottom, left, right = self.params.margin
                trusted, (height, width) = np.zeros_like(frame.label), frame.label.shape
                trusted[top : max(height - bottom, 0), left : max(width - right, 0)] = 1
                frame = replace(frame, maps={**frame.maps, "trusted": trusted})
            crop = draw.crop(frame)
            if not self.params.colour_of_mixed:
                crop.images["augmented"] = jitter(crop.image, draw.rng, self.params.jitter)
            return crop
        p, rare = self.params, None
        if self.sampler is not None:  # an image that shows a rare class
            rare, draw.index = self.sampler.draw(draw.rng)
        enough = int(p.rare_class_min_pixels * p.rare_class_crop_ratio)
        frame = draw.read(draw.index)
        if p.target_colours and draw.rng.random() < p.target_colours:
            read, count = draw.domains["target"]
            frame = replace(frame, image=colours_of(frame.image, read(int(draw.rng.integers(count))).image))

        def varied(crop: Sample) -> bool:
            return p.crop_max_share == 1 or largest_share(crop.label) < p.crop_max_share

        crop, redrawn = draw.crop(frame, accept=varied), 0
        while rare is not None and redrawn < MAX_CROP_ATTEMPTS and np.count_nonzero(crop.label == rare) <= enough:
            crop, redrawn = draw.crop(frame, accept=varied), redrawn + 1
        crop.maps["pasted"] = mix_mask(crop.label, draw.rng)
        return crop

    def losses(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        yield from self.in_parts(self.params.joint_batch, *self.terms(batch, self.teach(batch.target)))

    @torch.no_grad()
    def teach(self, target: Domain) -> OnlineLabels:
        """The teacher's labels of the clean target crops, at their full size."""
        p: EmaMixParams = self.params
        self.teacher.train(p.teacher_mode == "train")
        for module in self.teacher.modules():
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.eval()
        logits = self.model.upsample(self.teacher(target.images).logits.float(), target.images.shape[-2:])
        online = online_labels(logits, p.threshold, p.ignore_top, p.ignore_bottom)
        if p.margin is not None:
            online = online._replace(weights=online.weights * (target.maps["trusted"] == 1))
        self.quality.add(online.confidence, online.labels, torch.where(online.confident, online.labels, IGNORE))
        return online

    def terms(self, batch: Batch, online: OnlineLabels) -> list[Term]:
        """The source and the mixed images, and the losses of each."""
        assert batch.source is not None and batch.target is not None
        p, source, target, masks = self.params, batch.source, batch.target, batch.source.maps["pasted"].bool()
        if p.colour_of_mixed:
            images = mix(masks, source.images, target.images)
            images = coloured(images, self.model, batch.rng("mixed"), p.jitter)
        else:
            images = mix(masks, source.images, self.target_view(target, batch))
        labels = mix(masks, source.labels, online.labels)
        weights = mix(masks, torch.ones_like(online.weights), online.weights)

        def of_source(output: Output) -> dict[str, Tensor]:
            if p.all_pixels or output.box is not None:
                named = {"source_ce": self.weighted_loss(output, source.labels, torch.ones_like(online.weights))}
            else:
                named = self.on_source(source, output)
            if self.reference is not None:
                named["source_feature_distance"] = self._feature_distance(output, source)
            return named

        mixed = images, lambda output: {"mixed_ce": self.weighted_loss(output, labels, weights)}
        return [(source.images, of_source), mixed, *self.further_terms(batch, online.labels, online.weights)]

    def target_view(self, target: Domain, batch: Batch) -> Tensor:
        if not self.params.colour_of_mixed:
            return target.views["augmented"]
        return coloured(target.images, self.model, batch.rng("masked"), self.params.jitter, together=True)

    def _feature_distance(self, output: Output, source: Domain) -> Tensor:
        """Mean distance of the source's features to the pretrained ones, over the cells that a thing class fills."""
        assert self.reference is not None
        with torch.no_grad():
            expected = self.reference.features(source.images)
        features = output.needed_features("feature_distance")
        scale = -(-source.labels.shape[-1] // expected.shape[-1])
        mask = torch.isin(downscale_labels(source.labels, scale, self.context.space.num_classes), self.things)
        height, width = (min(sides) for sides in zip(mask.shape[1:], expected.shape[2:], strict=True))
        cells = (..., slice(height), slice(width))
        return feature_distance(features[cells].float(), expected[cells].float(), mask[cells])

    def after_step(self, step: int) -> None:
        ema_update(self.teacher, self.model, ramped_decay(step + 1, self.params.decay), self.params.buffers)
