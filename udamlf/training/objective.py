"""The contract of a training objective, one file ``udamlf/methods/<name>.py`` with a class ``Objective``: which images
it reads, how a sample is prepared, which losses it minimises. It knows nothing of MLflow, files or processes."""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import OptimiserConfig, Training
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part, Parts, Strict
from udamlf.data.batches import Draw, plain
from udamlf.data.sample import Domain, Sample
from udamlf.losses import cross_entropy, mixed_cross_entropy
from udamlf.models.base import Output, SegmentationModel
from udamlf.models.windows import crop_of

Losses = dict[str, dict[str, Tensor]]  # {optimiser: {loss name: unweighted scalar}}; the network's is called "model"
Term = tuple[Tensor, Callable[[Output], dict[str, Tensor]]]  # images, and the losses of what the network makes of them
DETAIL = 0.1  # weight of the detail crop's loss in HRDA


@dataclass
class Batch:
    """One micro-batch of step ``step``; ``source`` or ``target`` is None when not asked for."""

    step: int
    micro: int
    seed: int
    source: Domain | None
    target: Domain | None

    def rng(self, *names: str) -> np.random.Generator:
        """A generator that is a function of (seed, step, micro-batch, names)."""
        return rng(self.seed, "batch", self.step, self.micro, *names)


@dataclass
class Context:
    """What an objective is built from; ``published`` are arrays beside the pseudo-labels, e.g. thresholds."""

    model: SegmentationModel
    space: LabelSpace
    training: Training  # the budget, with this round's values
    round: int  # 0 for the warm-up
    seed: int
    device: torch.device
    class_weights: Tensor | None = None  # float32 [C], from the source labels' frequencies
    source_class_pixels: Callable[[], np.ndarray] | None = None  # counts each source label's, int64 [images, C]
    published: Mapping[str, np.ndarray] = field(default_factory=dict)
    teacher: Callable[[], SegmentationModel] | None = None  # builds the previous training's, which labelled the round
    initial: Callable[[], SegmentationModel] | None = None  # builds it with its pretrained weights, if there are any


class BaseObjective:
    Params: ClassVar[type[Strict]] = Strict  # of the YAML part
    domains: ClassVar[tuple[str, ...]] = ("source",)  # of which every batch must hold images
    mixes: ClassVar[bool] = False  # a batch may hold images of one domain alone (``batch.mixed``)
    in_pairs: ClassVar[bool] = False  # a source image is mixed with every target image: batches of one size
    has_teacher: ClassVar[bool] = False  # whose weights are published, and can label the next round
    # Parameter -> the arrays beside the round's labels (``Context.published``) without which it cannot be set; "": any.
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, params: Any, context: Context) -> None:
        self.params, self.context, self.model = params, context, context.model
        self.weights: dict[str, float] = {}  # of each named loss; 1 where a name is missing
        self.modules: dict[str, nn.Module] = {}  # whose state belongs to the training; "teacher" is published
        # Beside the network's: name -> parameter groups and configuration.
        self.optimisers: dict[str, tuple[list[dict[str, Any]], OptimiserConfig]] = {}

    def prepare(self, draw: Draw) -> Sample:
        """A training sample, in a loader thread: a function of the draw's generator alone."""
        return plain(draw)

    def losses(self, batch: Batch) -> Losses | Iterator[Losses]:
        """Unweighted losses of a batch; in parts each is back-propagated before the next is computed: less memory."""
        raise NotImplementedError

    def after_step(self, step: int) -> None:
        """EMA, prototypes: what happens after the optimisers of step ``step`` have stepped."""

    def scalars(self) -> dict[str, float]:
        """Further metrics of the steps since they were last read: full name (``train/...``, ``pl/...``) -> value."""
        return {}

    def at_loss_resolution(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits float [N, C, h, w] and labels int64 [N, H, W] -> float32 and int64 at the size of the loss."""
        labels, logits = self.maps_at_loss_resolution(labels), logits.float()
        same = logits.shape[-2:] == labels.shape[-2:]
        return (logits if same else self.model.upsample(logits, labels.shape[-2:])), labels

    def on_source(self, source: Domain, output: Output) -> dict[str, Tensor]:
        """The cross-entropy of the source's labels, with the context's class weights."""
        pair = self.at_loss_resolution(output.logits, source.labels)
        return {"source_ce": cross_entropy(*pair, self.context.class_weights)}

    def tempered_class_weights(self, power: float) -> Tensor | None:
        """The context's class weights to a power in 0..1, float32 [C]; None at 0."""
        weights = self.context.class_weights
        return None if weights is None or power == 0 else weights**power

    def maps_at_loss_resolution(self, maps: Tensor) -> Tensor:
        """Any map [N, H, W] at 1/loss_stride: the centre pixel of each cell that has one."""
        cells = slice(self.context.training.loss_stride // 2, None, self.context.training.loss_stride)
        return maps[:, cells, cells]

    def in_parts(self, joint: bool, *terms: Term) -> Iterator[Losses]:
        """Losses of the terms: of one forward pass and BatchNorm batch, or of a pass each, which takes less memory."""
        if joint:
            outputs = self.forward_together(*(images for images, _ in terms))
            parts = [losses(output) for (_, losses), output in zip(terms, outputs, strict=True)]
            yield {"model": {name: value for part in parts for name, value in part.items()}}
        else:
            yield from ({"model": losses(self.model(images))} for images, losses in terms)

    def forward_together(self, *images: Tensor) -> list[Output]:
        """One forward pass of several image batches of one size: they share their BatchNorm statistics."""
        shapes, sizes = [tuple(part.shape[2:]) for part in images], [len(part) for part in images]
        if len(set(shapes)) > 1:
            message = f"source and target images of {shapes[0]} and {shapes[-1]} pixels in one forward pass"
            raise UserError(message, "one size", "--set profile.round.augmentation.crop_hw=[H,W]")
        output = self.model(torch.cat(images))
        columns = [v.split(sizes) if isinstance(v, Tensor) else [v] * len(sizes) for v in output]
        return [Output(*values) for values in zip(*columns, strict=True)]


class TargetObjective(BaseObjective):
    """What learns labels of the target crops, stored or made in the step."""

    domains: ClassVar[tuple[str, ...]] = ("target",)

    def further_terms(self, batch: Batch, labels: Tensor, weights: Tensor | None = None) -> list[Term]:
        """Terms of a method on top (``mic``), which ``losses`` adds, from the labels of target crops, int64 [N, H, W]
        or of a coarse grid, and their pixels' weights in a mean over all; None: the mean of those with a label."""
        return []

    def target_view(self, target: Domain, batch: Batch) -> Tensor:
        """The target crops as the student sees them, float [N, 3, H, W]."""
        return target.images

    def with_source(self, source: Domain | None, joint: bool, *terms: Term) -> Iterator[Losses]:
        """``in_parts`` of the terms, after the source's cross-entropy where there is one."""
        return self.in_parts(joint, *([(source.images, partial(self.on_source, source))] if source else []), *terms)

    def weighted_loss(self, output: Output, labels: Tensor, weights: Tensor, scale: float = 1.0) -> Tensor:
        """``mixed_cross_entropy`` of labels and weights [N, H, W], times ``scale``; a tenth is the detail crop's, which
        it does not scale (mic-hrda.md 3, 8)."""
        logits, at_cells = self.at_loss_resolution(output.logits, labels)
        loss = scale * mixed_cross_entropy(logits, at_cells, self.maps_at_loss_resolution(weights))
        if output.detail is None or output.box is None:
            return loss
        part = Output(output.detail), crop_of(labels, output.box), crop_of(weights, output.box)
        return (1 - DETAIL) * loss + DETAIL * self.weighted_loss(*part)


OBJECTIVES = Parts("udamlf.methods", "Objective", "objective")


def build(part: Part, context: Context) -> BaseObjective:
    """The objective named by ``part`` with its parameters. UserError: unknown, refused parameters, or see
    ``check_published``."""
    check_published(part, context.published)
    return OBJECTIVES.find(part.name)(OBJECTIVES.params(part), context)  # type: ignore[no-any-return]


def check_published(part: Part, names: Container[str]) -> None:
    """UserError: the objective needs an array beside the labels that is not among the published ``names``."""
    for key, arrays in OBJECTIVES.find(part.name).needs.items():
        lacking = [name for name in arrays if name not in names]
        if lacking and (not key or getattr(OBJECTIVES.params(part), key)):
            message = f"objective {part.name}{f' with {key}' if key else ''} needs {lacking[0]!r} of the labels"
            raise UserError(message, "a round whose selector publishes it", "see configs/methods")


def check_batch(part: Part, training: Training) -> None:
    """UserError: the objective needs images that the budget's batches do not hold."""
    objective, batch = OBJECTIVES.find(part.name), training.batch
    missing = [name for name in objective.domains if not getattr(batch, name)]
    if training.steps and missing:
        raise UserError(f"{part.name} with batch.{missing[0]} = 0", f"at least one {missing[0]} image in a batch")
    if training.steps and objective.in_pairs and batch.source != batch.target:
        raise UserError(f"{part.name}: batch.source {batch.source}, target {batch.target}", "as many of each, to mix")
    if batch.mixed and batch.source and batch.target and not objective.mixes:
        raise UserError(f"{part.name} with batch.mixed", "an objective of batches of one domain alone: self_training")
