"""The contract of a training objective, and how one is found by name.

An objective is one file ``udamlf/methods/<name>.py`` with a class ``Objective``. It says which images it reads, how a
sample is prepared, and which losses it minimises. It knows nothing of MLflow, files, processes or the command line.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from udamlf.config import OptimiserConfig, Part, Strict, Training
from udamlf.data.labels import LabelSpace
from udamlf.data.view import Cut, SampleHooks
from udamlf.errors import UserError, nearest
from udamlf.models.base import Output, SegmentationModel
from udamlf.seeding import rng
from udamlf.trees import refused_parameter

Losses = dict[str, dict[str, Tensor]]
"""{optimiser: {loss name: unweighted scalar}}; the optimiser of the network is called "model"."""


@dataclass
class Domain:
    """A domain's part of a batch on the device.

    Attributes:
        images: float32 [N, 3, H, W], normalised for the network.
        labels: int64 [N, H, W] train ids with IGNORE.
        maps: further int64 maps [N, H, W].
        views: further normalised images [N, 3, H, W].
        index: positions of the samples in their list, [N].
        arrays: further arrays [N, ...].
        cuts: how each crop came from its frame.
    """

    images: Tensor
    labels: Tensor
    maps: dict[str, Tensor]
    views: dict[str, Tensor]
    index: list[int]
    arrays: dict[str, Tensor] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)


@dataclass
class Batch:
    """Everything one micro-batch of step ``step`` reads; ``source`` or ``target`` is None when not asked for."""

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
    """What an objective is built from.

    Attributes:
        model: the network being trained.
        space: classes.
        training: budget, with this round's values.
        round: 0 for the warm-up.
        seed: of the run.
        device: of the network.
        class_weights: float32 [C] from the source labels' frequencies, or None.
        source_class_pixels: int64 [images, C] pixels of each class in each source label; None when not counted.
        label_extras: arrays published with the pseudo-labels (prototypes, statistics, soft labels), by name.
        teacher: builds the network that labelled the round (the previous training's), on demand.
        initial: builds the network with its pretrained weights, where the backbone names any (feature distance).
    """

    model: SegmentationModel
    space: LabelSpace
    training: Training
    round: int
    seed: int
    device: torch.device
    class_weights: Tensor | None = None
    source_class_pixels: np.ndarray | None = None
    label_extras: Mapping[str, np.ndarray] = field(default_factory=dict)
    teacher: Callable[[], SegmentationModel] | None = None
    initial: Callable[[], SegmentationModel] | None = None


class BaseObjective(SampleHooks):
    """Base of every ``Objective``; the defaults suit a plain supervised loss.

    Class attributes:
        Params: pydantic model of the YAML parameters.
        domains: images that a batch must hold; what else a batch may hold is the objective's own business.
    """

    Params: ClassVar[type[Strict]] = Strict
    domains: ClassVar[tuple[str, ...]] = ("source",)

    @classmethod
    def counts_source_pixels(cls, params: Any) -> bool:
        """Whether the context must hold ``source_class_pixels``."""
        return False

    def __init__(self, params: Any, context: Context) -> None:
        self.params = params
        self.context = context
        self.model = context.model

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each named loss; a loss that is not named has weight 1."""
        return {}

    def losses(self, batch: Batch) -> Losses:
        """Unweighted losses of a batch, all evaluated with the same weights, before any optimiser steps."""
        raise TypeError(f"{type(self).__name__} defines no losses")

    def parts(self, batch: Batch) -> Iterator[Losses]:
        """The losses in parts, each of which is back-propagated before the next one is computed: less memory where they
        share no graph. The default is one part."""
        yield self.losses(batch)

    def after_step(self, step: int) -> None:
        """EMA, prototypes: what happens after the optimisers of step ``step`` have stepped."""

    def modules(self) -> dict[str, nn.Module]:
        """Modules beside the network whose state belongs to the training (teacher, discriminator, prototypes)."""
        return {}

    def optimisers(self) -> dict[str, tuple[list[dict[str, Any]], OptimiserConfig]]:
        """Further optimisers: name -> (parameter groups, configuration)."""
        return {}

    def scalars(self) -> dict[str, float]:
        """Further metrics of the steps since they were last read: full name (``train/...``, ``pl/...``) -> value."""
        return {}

    def teacher_network(self) -> nn.Module | None:
        """The EMA teacher to be published beside the network, if the objective keeps one."""
        return None

    # --- shared by subclasses -------------------------------------------------------------------------------------

    def at_loss_resolution(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels at 1/loss_stride of the crop.

        Args:
            logits: float [N, C, h, w] of the network.
            labels: int64 [N, H, W].

        Returns:
            float32 logits [N, C, H', W'] and labels [N, H', W'], H' = ceil of H / loss_stride; a label is the centre
            pixel of its cell.
        """
        labels = self.maps_at_loss_resolution(labels)
        size = (labels.shape[-2], labels.shape[-1])
        logits = logits.float()
        return (logits if logits.shape[-2:] == size else self.model.upsample(logits, size)), labels

    def tempered_class_weights(self, power: float) -> Tensor | None:
        """The context's class weights to a power in 0..1, float32 [C]: 1 as they are, 0 none at all (None)."""
        weights = self.context.class_weights
        return None if weights is None or power == 0 else weights**power

    def maps_at_loss_resolution(self, maps: Tensor) -> Tensor:
        """Any map [N, H, W] at 1/loss_stride: the centre pixel of each cell."""
        stride = self.context.training.loss_stride
        return maps if stride == 1 else maps[:, stride // 2 :: stride, stride // 2 :: stride]

    def forward_together(self, *images: Tensor) -> list[Output]:
        """One forward pass of several image batches of one size: they share their BatchNorm statistics."""
        sizes = [len(part) for part in images]
        output = self.model(torch.cat(images))
        parts = zip(*(_split(value, sizes) for value in output), strict=True)
        return [Output(*values) for values in parts]


def _split(value: Tensor | None, sizes: list[int]) -> list[Tensor | None]:
    return [None] * len(sizes) if value is None else list(value.split(sizes))


def names() -> list[str]:
    """Names of the objectives: the files of this package."""
    import udamlf.methods as package

    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name != "base")


def _find(part: Part, where: str) -> type[BaseObjective]:
    if part.name not in names():
        raise UserError(f"{where}: unknown objective {part.name!r}", "", nearest(part.name, names()))
    return importlib.import_module(f"udamlf.methods.{part.name}").Objective


def check(part: Part, where: str) -> Any:
    """Validate an objective's parameters.

    Raises:
        UserError: unknown objective or parameter, with the nearest valid one.
    """
    found = _find(part, where)
    try:
        return found.Params(**part.params)
    except ValidationError as error:
        valid = list(found.Params.model_fields)
        problem, hint = refused_parameter(error, valid)
        hint = hint or f"one of: {', '.join(valid)}"
        raise UserError(f"{where} ({part.name}): {problem}", "a valid parameter", hint) from error


def build(part: Part, context: Context) -> BaseObjective:
    """The objective named by ``part`` with its parameters."""
    return _find(part, "objective")(check(part, "objective"), context)


def domains(part: Part) -> tuple[str, ...]:
    """Images without which the objective named by ``part`` cannot be computed."""
    return _find(part, "objective").domains


def counts_source_pixels(part: Part) -> bool:
    """Whether the objective named by ``part`` needs the source's pixels per class and image."""
    return _find(part, "objective").counts_source_pixels(check(part, "objective"))
