"""ProDA's stage 1 (Zhang et al., CVPR 2021, arXiv 2101.10979; proda.md 7): the round's soft labels stay fixed; how much
each class is believed follows the distance of the EMA teacher's features to prototypes that move along."""

import math
from collections.abc import Callable, Iterator
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.maps import features_in_crops, probabilities_in_crops
from udamlf.data.sample import Domain, Sample
from udamlf.data.strong_view import draw_strong_view, gather_maps, strong_image, strong_index
from udamlf.losses import cross_entropy, entropy, kl_to_uniform, masked_mean
from udamlf.models.base import Output
from udamlf.models.ema import ema_update, make_teacher
from udamlf.selection.soft import MIN_PIXELS, ClassMeans, class_means, fold
from udamlf.training.objective import Batch, Context, Losses, TargetObjective

STRUCTURE = 10.0  # weight of the structure consistency (proda.md 7.6)
UNSEEN_DISTANCE = 1e4  # to the prototype of a class never predicted: no weight, and finite (released: to the origin)


def move_prototypes(vectors: Tensor, batch: ClassMeans, rate: float = 1e-4, min_pixels: int = MIN_PIXELS) -> Tensor:
    """Vectors float [C,D] after a momentum step of weight ``rate`` for every (image, class) of the teacher's full
    images, in turn (proda.md 6, moving prototypes). A mean whose components sum to exactly 0 is skipped."""
    present = (batch.pixels >= min_pixels) & (batch.means.sum(2) != 0)
    return fold(vectors, batch.means, rate * present.to(vectors.dtype))


def feature_distances(features: Tensor, vectors: Tensor) -> Tensor:
    """Euclidean distance float32 [N,C,h,w] of features [N,D,h,w] to prototypes [C,D]; gradient 0 at distance 0.
    Computed about the mean prototype, which keeps the cancellation small in full float32 (TF32 is not enough)."""
    with torch.autocast(features.device.type, enabled=False):
        vectors = vectors.float()
        centre = vectors.mean(0)
        vectors = vectors - centre
        points = (features.float() - centre.view(1, -1, 1, 1)).flatten(2)
        squared = points.square().sum(1, keepdim=True) + vectors.square().sum(1).view(1, -1, 1)
        squared = squared - 2 * (vectors @ points)
        # 1e-12: below float32's resolution of a squared distance; keeps the root's gradient finite.
        return squared.clamp(min=1e-12).sqrt().unflatten(2, features.shape[2:])


def prototype_weights(distances: Tensor, distance_scale: float = 1.0) -> Tensor:
    """softmax over classes of -distance_scale x distance, [N,C,h,w] (proda.md 7.4; the paper divides by it)."""
    return torch.softmax(-distance_scale * distances, 1)


def rectify(soft: Tensor, weights: Tensor) -> Tensor:
    """Soft labels corrected by the prototypes: renormalised soft x weights, [N,C,h,w]; a pixel without any weight (of a
    class never seen) keeps its soft label."""
    product = soft * weights
    product = torch.where(product.sum(1, keepdim=True) > 0, product, soft)
    return product / product.sum(1, keepdim=True).clamp(min=torch.finfo(product.dtype).tiny)


def rectified_labels(rectified: Tensor, threshold: float = 0.0) -> Tensor:
    """Class with the highest rectified probability, int64 [N,h,w]; IGNORE where that probability < threshold."""
    confidence, label = rectified.max(1)
    return label.masked_fill(confidence < threshold, IGNORE)


def reverse_cross_entropy(
    logits: Tensor, labels: Tensor, probability_floor: float = 1e-7, label_floor: float = 1e-4, count_eps: float = 1e-6
) -> Tensor:
    """Mean of -sum_c q_c log g_c over the pixels with a label, q the clamped prediction, g the clamped one-hot label
    (proda.md 7.5), 0..9.21: -log(label_floor) (sum_c q_c - q_label), as log g is 0 for the label."""
    valid = labels != IGNORE
    probabilities = F.softmax(logits, 1).clamp(min=probability_floor)
    of_label = probabilities.gather(1, labels.masked_fill(~valid, 0).unsqueeze(1)).squeeze(1)
    wrong = (probabilities.sum(1) - of_label).masked_fill(~valid, 0.0)
    return -math.log(label_floor) * wrong.sum() / (valid.sum() + count_eps)


def structure_consistency(
    student_distances: Tensor, teacher_distances: Tensor, valid: Tensor, distance_scale: float = 1.0
) -> Tensor:
    """KL(teacher || student) of the softmax of -distance_scale x distances float [N, C, h, w], mean over the pixels
    ``valid`` AND classes, which the published weight 10 belongs to (proda.md 7.6)."""
    teacher = F.log_softmax(-distance_scale * teacher_distances.detach(), 1)
    student = F.log_softmax(-distance_scale * student_distances, 1)
    return masked_mean(F.kl_div(student, teacher, reduction="none", log_target=True).mean(1), valid)


class StrongViewParams(Strict):
    """Parameters that all stages share; the defaults are the published ones."""

    stride: int = Field(4, ge=1)  # of the grid of the target's losses; the source's have the profile's loss_stride
    released_geometry: bool = False  # labels follow the strong view with the released code's errors (proda.md 3)
    joint_batch: bool = False  # one forward pass and BatchNorm batch for all views; apart they need less memory
    target_class_weights: float = Field(0.0, ge=0, le=1)  # power of the source's class weights in the target's loss
    entropy: float = Field(0.0, ge=0)  # weight of the entropy (nats) of target pixels without label


class StrongViewObjective(TargetObjective):
    """What ProDA's stages share: a strong view of each target crop, and losses on a coarse grid."""

    def prepare(self, draw: Draw) -> Sample:
        frame = draw.read(draw.index)
        crop = draw.crop(frame)
        if draw.domain == "target":
            self.add_views(crop, frame, draw.rng)
        return crop

    def add_views(self, crop: Sample, frame: Sample, rng: np.random.Generator) -> None:
        """Give a target crop of ``frame`` its further views: here the strong one."""
        hw = (crop.image.shape[0], crop.image.shape[1])
        view, p = draw_strong_view(rng, hw), self.params
        crop.images["strong"] = strong_image(crop.image, view)
        crop.arrays["strong_index"] = strong_index(view, self.grid(hw), p.stride, p.released_geometry)

    def grid(self, image_hw: tuple[int, ...]) -> tuple[int, int]:
        """Size of the target's losses for a crop [..., H, W]."""
        return image_hw[-2] // self.params.stride, image_hw[-1] // self.params.stride

    def labels_on_grid(self, labels: Tensor) -> Tensor:
        """Labels [N, H, W] at the cells of an upsampled output: top left (corners aligned, as released) or central."""
        stride, (height, width) = self.params.stride, self.grid(labels.shape)
        start = 0 if self.model.align_corners else stride // 2
        return labels[:, start::stride, start::stride][:, :height, :width]


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

    def move(self, means: ClassMeans, rate: float) -> None:
        """A momentum step per image and class; the first means of a class not seen before become its prototype."""
        present = (means.pixels >= MIN_PIXELS).unsqueeze(2)
        first = (means.means * present).sum(0) / present.sum(0).clamp(min=1)
        unseen = (self.vectors == 0).all(1, keepdim=True)
        self.vectors.copy_(torch.where(unseen, first, move_prototypes(self.vectors, means, rate)))


class TeacherTargets(NamedTuple):
    """The teacher's part in a step, on the grid of the weak view."""

    distances: Tensor  # float32 [N, C, h, w] to the prototypes
    labels: Tensor  # int64 [N, h, w] rectified, with IGNORE
    inside: Tensor  # bool [N, h, w], where the crop shows the frame and no padding


class ProdaParams(StrongViewParams):
    """Parameters of ``proda``; the defaults are the published ones (GTA5)."""

    alpha: float = Field(0.1, ge=0)  # weight of the cross-entropy; ``beta`` that of the reverse one
    beta: float = Field(1.0, ge=0)
    kl: float = Field(0.1, ge=0)  # weight of the KL to uniform
    decay: float = Field(0.999, ge=0, lt=1)  # of the EMA teacher, from the first step on
    threshold: float = Field(0.0, ge=0, le=1)  # a rectified probability below it gives no label
    prototype_rate: float = Field(1e-4, ge=0, le=1)  # weight of a new class mean in the moving prototypes


class Objective(StrongViewObjective):
    """Source cross-entropy, symmetric cross-entropy on rectified labels, KL to uniform, structure consistency."""

    Params: ClassVar[type[Strict]] = ProdaParams
    has_teacher = True
    needs: ClassVar = {"": ("prototypes",)}

    def __init__(self, params: ProdaParams, context: Context) -> None:
        super().__init__(params, context)
        vectors = context.published["prototypes"]
        self.teacher = make_teacher(context.model)
        self.prototypes = MovingPrototypes(torch.from_numpy(np.array(vectors))).to(context.device)
        self.modules = {"teacher": self.teacher, "prototypes": self.prototypes}
        self.weights = {"target_ce": params.alpha, "target_rce": params.beta, "target_kl": params.kl}
        self.weights |= {"target_entropy": params.entropy, "structure": STRUCTURE}
        self.means: list[ClassMeans] = []  # of the micro-batches since the last step

    def add_views(self, crop: Sample, frame: Sample, rng: np.random.Generator) -> None:
        super().add_views(crop, frame, rng)
        crop.images["full"] = frame.image  # the teacher sees the whole frame, and no colour jitter

    def losses(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        target, targets = batch.target, self.teach(batch.target)
        weak = (target.images, lambda output: self._denoised(output, targets))
        strong = (target.views["strong"], lambda output: self._structure(output, targets, target))
        terms = weak, strong, *self.further_terms(batch, targets.labels)
        yield from self.with_source(batch.source, self.params.joint_batch, *terms)

    @torch.no_grad()
    def teach(self, target: Domain) -> TeacherTargets:
        """Distances and rectified labels of a step; the class means are kept for the prototypes' next move."""
        images = target.views["full"]
        output = self.teacher.train()(images)  # as released: the batch's statistics, dropout on
        features = output.needed_features("objective proda").float()
        classes = self.model.upsample(output.logits.float(), self.grid(images.shape)).argmax(1)
        with torch.autocast(images.device.type, enabled=False):  # its products would round what prototypes are made of
            means = class_means(features, classes, self.context.space.num_classes, self.model.align_corners)
        self.means.append(means)
        distances = self.prototypes.distances(self._in_crops(features, target, features_in_crops))
        rectified = rectify(self.soft_labels(target), prototype_weights(distances))
        inside = self.labels_on_grid(target.labels) != IGNORE
        labels = rectified_labels(rectified, self.params.threshold).masked_fill(~inside, IGNORE)
        return TeacherTargets(distances, labels, inside)

    def soft_labels(self, target: Domain) -> Tensor:
        """The round's soft labels on the grid of the weak view, float32 [N, C, h, w]."""
        return self._in_crops(target.arrays["soft"], target, probabilities_in_crops)

    def _in_crops(self, maps: Tensor, target: Domain, move: Callable[..., Tensor]) -> Tensor:
        """Maps [N, K, h, w] of whole frames on the grid of the crops, moved in full precision."""
        frame_hw, geometries = target.cuts[0].frame_hw, [cut.geometry for cut in target.cuts]
        with torch.autocast(maps.device.type, enabled=False):
            return move(maps, frame_hw, geometries, self.params.stride, self.model.align_corners)

    def _denoised(self, output: Output, targets: TeacherTargets) -> dict[str, Tensor]:
        labels = targets.labels
        logits = self.model.upsample(output.logits.float(), labels.shape[-2:])
        weights = self.tempered_class_weights(self.params.target_class_weights)
        named = {"target_ce": cross_entropy(logits, labels, weights)}
        named["target_rce"] = reverse_cross_entropy(logits, labels)
        if self.params.kl:
            named["target_kl"] = kl_to_uniform(logits, targets.inside)
        if self.params.entropy:
            named["target_entropy"] = entropy(logits, targets.inside & (labels == IGNORE))
        return named

    def _structure(self, output: Output, targets: TeacherTargets, target: Domain) -> dict[str, Tensor]:
        index = target.arrays["strong_index"]
        features = self.model.upsample(output.needed_features("objective proda").float(), index.shape[-2:])
        distances = gather_maps(targets.distances, index, 0.0)
        inside = gather_maps(targets.inside.unsqueeze(1), index, False).squeeze(1)
        return {"structure": structure_consistency(self.prototypes.distances(features), distances, inside)}

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        means = ClassMeans(*(torch.cat(values) for values in zip(*self.means, strict=True)))
        self.means.clear()
        self.prototypes.move(means, self.params.prototype_rate)
        ema_update(self.teacher, self.model, self.params.decay, "copy")
