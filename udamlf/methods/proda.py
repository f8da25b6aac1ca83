"""ProDA's stage 1: labels rectified by class prototypes, and the same structure in weak and strong views.

Zhang et al., "Prototypical Pseudo Label Denoising and Target Structure Learning", CVPR 2021 (arXiv 2101.10979);
proda.md, section 7. The soft labels of the round stay fixed; what changes is how much each class is believed, by the
distance of the EMA teacher's features to prototypes that move along. Stages 2 and 3 are ``distillation``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from udamlf.config import Strict
from udamlf.data.augment.geometry import Geometry
from udamlf.data.augment.randaugment import draw_strong_view, gather_maps, strong_image, strong_index
from udamlf.data.augment.weak_view import WeakView, geometry_maps, weak_features, weak_probabilities
from udamlf.data.labels import IGNORE
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.losses.basic import cross_entropy, entropy, kl_to_uniform
from udamlf.losses.proda import reverse_cross_entropy, structure_consistency
from udamlf.methods.base import BaseObjective, Batch, Context, Domain, Losses
from udamlf.models.base import Output, SegmentationModel
from udamlf.models.ema import ema_update, make_teacher
from udamlf.prototypes import (
    MIN_PIXELS,
    ClassMeans,
    class_means,
    feature_distances,
    move_prototypes,
    prototype_weights,
    rectified_labels,
    rectify,
)

UNSEEN_DISTANCE = 1e4
"""Distance to the prototype of a class that was never predicted: no weight, and finite. (The released code measures the
distance to the origin there.)"""

Term = tuple[Tensor, Callable[[Output], dict[str, Tensor]]]


class ViewParams(Strict):
    """Parameters that stage 1 and stages 2 and 3 share.

    Attributes:
        stride: the target's losses live on the crop's 1/stride grid; the source's at the profile's ``loss_stride``.
        operations: random operations in the strong view; ``cutout`` is the side of its hole, a share of the height.
        released_geometry: labels follow the strong view as in the released code, whose errors proda.md (3) measures.
        source_weight: 0 leaves the source out.
        joint_batch: all images of a step share one forward pass, and thus their BatchNorm statistics; the published
            training normalises source, weak and strong views apart (and then needs less memory).
        target_class_weights: power (0..1) of the class weights, taken from the source labels, in the target's
            cross-entropy.
        entropy: weight of the entropy (nats) of target pixels without label; 0 is the published method.
    """

    stride: int = Field(4, ge=1)
    operations: int = Field(2, ge=0)
    cutout: float = Field(1 / 3, ge=0, le=1)
    released_geometry: bool = False
    source_weight: float = Field(1.0, ge=0)
    joint_batch: bool = False
    target_class_weights: float = Field(0.0, ge=0, le=1)
    entropy: float = Field(0.0, ge=0)


class ProdaParams(ViewParams):
    """Parameters of ``proda``; the defaults are the published ones (GTA5).

    Attributes:
        alpha, beta: weights of cross-entropy and reverse cross-entropy.
        kl: weight of the KL to uniform; the command for SYNTHIA leaves it out.
        structure: weight of the structure consistency.
        decay: of the EMA teacher, from the first step on; its buffers are the student's.
        teacher_mode: "train" is the released behaviour (statistics of the batch, dropout on), "eval" is not.
        teacher_view: "full" (released) shows it the whole frame and cuts its features, "crop" the student's crop: a
            third of the cost at the published sizes, but less context and fewer pixels for the prototypes. Where the
            crop is the whole frame, "full" still spares the teacher the colour jitter.
        distance_scale: multiplies the distances.
        threshold: a rectified probability below it gives no label; 0 labels every pixel.
        prototype_rate: weight of a new class mean in the moving prototypes; ``min_pixels`` for there to be one.
    """

    alpha: float = Field(0.1, ge=0)
    beta: float = Field(1.0, ge=0)
    kl: float = Field(0.1, ge=0)
    structure: float = Field(10.0, ge=0)
    decay: float = Field(0.999, ge=0, lt=1)
    teacher_mode: Literal["train", "eval"] = "train"
    teacher_view: Literal["full", "crop"] = "full"
    distance_scale: float = Field(1.0, gt=0)
    threshold: float = Field(0.0, ge=0, le=1)
    prototype_rate: float = Field(1e-4, ge=0, le=1)
    min_pixels: int = Field(MIN_PIXELS, ge=1)


class StrongViewObjective(BaseObjective):
    """What ProDA's stages share: a strong view of each target crop, and losses on a coarse grid."""

    domains = ("target",)

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        if domain == "target":
            p: ViewParams = self.params
            hw = (view.image.shape[0], view.image.shape[1])
            strong = draw_strong_view(rng, hw, p.operations, cutout_share=p.cutout)
            view.images["strong"] = strong_image(view.image, strong)
            view.arrays["strong_index"] = strong_index(strong, self.grid(hw), p.stride, p.released_geometry)
        return view

    def grid(self, image_hw: tuple[int, ...]) -> tuple[int, int]:
        """Size of the target's losses for a crop [..., H, W]."""
        return image_hw[-2] // self.params.stride, image_hw[-1] // self.params.stride

    def labels_on_grid(self, labels: Tensor) -> Tensor:
        """Labels [N, H, W] at the pixels where an upsampled output has its cells: the top left ones of each cell with
        aligned corners (as released), the central ones without."""
        stride, (height, width) = self.params.stride, self.grid(labels.shape)
        start = 0 if self.model.align_corners else stride // 2
        return labels[:, start::stride, start::stride][:, :height, :width]

    def source_term(self, source: Domain) -> Term:
        """Cross-entropy of the labelled images."""

        def losses(output: Output) -> dict[str, Tensor]:
            logits, labels = self.at_loss_resolution(output.logits, source.labels)
            return {"source_ce": cross_entropy(logits, labels, self.context.class_weights)}

        return source.images, losses

    def target_weights(self) -> Tensor | None:
        """Class weights of the target's cross-entropy."""
        return self.tempered_class_weights(self.params.target_class_weights)

    def in_parts(self, terms: list[Term]) -> Iterator[Losses]:
        """Each term's images through the network and its losses, one after the other or all at once."""
        if self.params.joint_batch:
            outputs = self.forward_together(*(images for images, _ in terms))
            named = [losses(output) for (_, losses), output in zip(terms, outputs, strict=True)]
            yield {"model": {name: value for part in named for name, value in part.items()}}
            return
        for images, losses in terms:
            yield {"model": losses(self.model(images))}

    def losses(self, batch: Batch) -> Losses:
        return {"model": {name: value for part in self.parts(batch) for name, value in part["model"].items()}}


class MovingPrototypes(nn.Module):
    """Prototypes as state of the training: float32 [C, D], zero for a class never seen."""

    vectors: Tensor

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors.float().clone())

    def distances(self, features: Tensor) -> Tensor:
        """Distance of features [N, D, h, w] to every prototype, [N, C, h, w]."""
        unseen = (self.vectors == 0).all(1).view(1, -1, 1, 1)
        return feature_distances(features, self.vectors).masked_fill(unseen, UNSEEN_DISTANCE)

    def move(self, means: ClassMeans, rate: float, min_pixels: int) -> None:
        """A momentum step per image and class; the first means of a class not seen before become its prototype."""
        present = (means.pixels >= min_pixels).unsqueeze(2)
        first = (means.means * present).sum(0) / present.sum(0).clamp(min=1)
        unseen = (self.vectors == 0).all(1, keepdim=True)
        self.vectors.copy_(torch.where(unseen, first, move_prototypes(self.vectors, means, rate, min_pixels)))


class Taught(NamedTuple):
    """The teacher's part in a step, on the grid of the weak view.

    Attributes:
        distances: float32 [N, C, h, w] to the prototypes.
        labels: int64 [N, h, w] rectified labels with IGNORE.
        inside: bool [N, h, w], where the crop shows the frame and no padding.
    """

    distances: Tensor
    labels: Tensor
    inside: Tensor


class Objective(StrongViewObjective):
    """Source cross-entropy, symmetric cross-entropy on rectified labels, KL to uniform, structure consistency."""

    Params: ClassVar[type[Strict]] = ProdaParams

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        if "prototypes" not in context.label_extras:
            raise UserError("objective proda without prototypes", "a round with `selector: {name: soft}`")
        vectors = torch.from_numpy(np.array(context.label_extras["prototypes"]))
        self.prototypes = MovingPrototypes(vectors).to(context.device)
        self.teacher = make_teacher(context.model)
        self.frozen: SegmentationModel | None = None
        self.means: list[ClassMeans] = []

    @property
    def weights(self) -> dict[str, float]:
        p: ProdaParams = self.params
        return {
            "source_ce": p.source_weight,
            "target_ce": p.alpha,
            "target_rce": p.beta,
            "target_kl": p.kl,
            "target_entropy": p.entropy,
            "structure": p.structure,
        }

    def modules(self) -> dict[str, nn.Module]:
        return {"teacher": self.teacher, "prototypes": self.prototypes}

    def teacher_network(self) -> nn.Module:
        return self.teacher

    def before_geometry(self, domain: str, view: View, rng: np.random.Generator, read: Callable[[int], View]) -> View:
        if domain == "target" and self.params.teacher_view == "full":
            return replace(view, images={**view.images, "full": view.image})
        return view

    def parts(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        p, target = self.params, batch.target
        taught = self.teach(target)
        terms: list[Term] = [] if batch.source is None else [self.source_term(batch.source)]
        terms.append((target.images, lambda output: self._denoised(output, taught)))
        if p.structure:
            terms.append((target.views["strong"], lambda output: self._structure(output, taught, target)))
        yield from self.in_parts(terms)

    # --- the teacher ----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def teach(self, target: Domain) -> Taught:
        """Distances and rectified labels of a step; the class means are kept for the prototypes' next move."""
        p: ProdaParams = self.params
        images = target.views["full"] if p.teacher_view == "full" else target.images
        output = self.teacher.train(p.teacher_mode == "train")(images)
        if output.features is None:
            raise UserError("objective proda needs features, and this network returns none", "another backbone")
        features, logits = output.features.float(), output.logits.float()
        classes = self.model.upsample(logits, self.grid(images.shape)).argmax(1)
        inside = self.labels_on_grid(target.labels) != IGNORE
        if p.teacher_view == "crop":
            classes = classes.masked_fill(~inside, IGNORE)
        align = self.model.align_corners
        with torch.autocast(images.device.type, enabled=False):  # its products would round what prototypes are made of
            self.means.append(class_means(features, classes, self.context.space.num_classes, align))
        distances = self.prototypes.distances(self._in_weak_view(features, target, weak_features))
        rectified = rectify(self.soft_labels(target), prototype_weights(distances, p.distance_scale))
        labels = rectified_labels(rectified, p.threshold).masked_fill(~inside, IGNORE)
        return Taught(distances, labels, inside)

    def soft_labels(self, target: Domain) -> Tensor:
        """The round's soft labels on the grid of the weak view, float32 [N, C, h, w]: stored, or recomputed by the
        network that labelled the round."""
        if "soft" in target.arrays:
            return self._cut(target.arrays["soft"], target, weak_probabilities)
        if self.frozen is None:
            if self.context.teacher is None:
                raise UserError("no soft labels, and no network to recompute them", "a round after another training")
            self.frozen = self.context.teacher().to(self.context.device).eval()
        images = target.views.get("full", target.images)
        probabilities = self.frozen(images).logits.float().softmax(1)
        return self._in_weak_view(probabilities, target, weak_probabilities)

    def _in_weak_view(self, maps: Tensor, target: Domain, released: Callable[..., Tensor]) -> Tensor:
        """Maps [N, K, h, w] of the images that the teacher saw on the grid of the weak crops, in full precision."""
        with torch.autocast(maps.device.type, enabled=False):
            if self.params.teacher_view == "full":
                return self._cut(maps, target, released)
            return self.model.upsample(maps, self.grid(target.images.shape))

    def _cut(self, maps: Tensor, target: Domain, released: Callable[..., Tensor]) -> Tensor:
        """Maps [N, K, h, w] of whole frames on the grid of the crops; ``released`` cuts ProDA's own weak views."""
        frame_hw, geometries = target.cuts[0].frame_hw, [cut.geometry for cut in target.cuts]
        weak = [geometry for geometry in geometries if isinstance(geometry, WeakView)]
        if weak:
            return released(maps, frame_hw, weak, self.params.stride)
        boxes = [geometry for geometry in geometries if isinstance(geometry, Geometry)]
        return geometry_maps(maps, frame_hw, boxes, self.grid(target.images.shape), self.model.align_corners)

    # --- the student ----------------------------------------------------------------------------------------------

    def _denoised(self, output: Output, taught: Taught) -> dict[str, Tensor]:
        """Losses of the weak view on the rectified labels."""
        p: ProdaParams = self.params
        labels = taught.labels
        logits = self.model.upsample(output.logits.float(), (labels.shape[-2], labels.shape[-1]))
        named = {
            "target_ce": cross_entropy(logits, labels, self.target_weights()),
            "target_rce": reverse_cross_entropy(logits, labels),
        }
        if p.kl:
            named["target_kl"] = kl_to_uniform(logits, taught.inside)
        if p.entropy:
            named["target_entropy"] = entropy(logits, taught.inside & (labels == IGNORE))
        return named

    def _structure(self, output: Output, taught: Taught, target: Domain) -> dict[str, Tensor]:
        """Consistency of the strong view's distances with the teacher's of the weak one."""
        assert output.features is not None
        index = target.arrays["strong_index"]
        features = self.model.upsample(output.features.float(), (index.shape[-2], index.shape[-1]))
        distances = gather_maps(taught.distances, index, 0.0)
        inside = gather_maps(taught.inside.unsqueeze(1), index, False).squeeze(1)
        student = self.prototypes.distances(features)
        return {"structure": structure_consistency(student, distances, inside, self.params.distance_scale)}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        p: ProdaParams = self.params
        means = ClassMeans(*(torch.cat(values) for values in zip(*self.means, strict=True)))
        self.means.clear()
        self.prototypes.move(means, p.prototype_rate, p.min_pixels)
        ema_update(self.teacher, self.model, p.decay, "copy")
