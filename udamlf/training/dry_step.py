"""What one training step needs, before any data or GPU is at hand: a step on tensors that have shapes and no content.

The peak counts every tensor that is alive at the same time (weights, gradients, optimiser state, activations, EMA
teacher) during the second step, when the optimiser's state exists. What a GPU adds to it (CUDA context, cuDNN's
workspaces, fragmentation) is not counted; ``measure`` runs the step for real and includes the last two.
"""

from __future__ import annotations

import time
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from udamlf.config import Config, Part, Training
from udamlf.data.batches import Batches, HostDomain, Stream
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.evaluation.prediction import evaluating
from udamlf.methods.base import BaseObjective, Batch, Context, Losses, build
from udamlf.models.base import SegmentationModel, freeze_batchnorm
from udamlf.models.base import build as build_network
from udamlf.seeding import rng
from udamlf.selection import base as selection
from udamlf.training.loop import Trainer

FRAME_HW = (1024, 2048)
"""Frames of a profile that keeps the native size: Cityscapes'."""


@dataclass(frozen=True)
class DryStep:
    """Result of a dry step.

    Attributes:
        peak_bytes: most bytes of tensors alive at once; with ``measure`` on a GPU its allocator's own peak.
        weight_bytes: the part of it that is the network's weights and buffers.
        seconds: of one step; None unless measured (on a CPU the counting itself makes it slower).
    """

    peak_bytes: int
    weight_bytes: int
    seconds: float | None

    def __str__(self) -> str:
        gib = f"{self.peak_bytes / 2**30:.2f} GiB at the peak of a step, {self.weight_bytes / 2**20:.0f} MiB of weights"
        return gib if self.seconds is None else f"{gib}, {self.seconds:.2f} s"


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of the storages that operations inside make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.add(leaf.untyped_storage())
        return result

    def add(self, storage: torch.UntypedStorage) -> None:
        """Count a storage that is alive, once."""
        key, size = id(storage), storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            weakref.finalize(storage, self._drop, key, size)
            self.live += size
            self.peak = max(self.peak, self.live)

    def _drop(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


class _Trainer(Trainer):
    """The loop's step on a given batch."""

    def take(self, step: int, host: dict[str, HostDomain]) -> None:
        """One step."""
        self.model.train()
        self._step(step, host)


class _FakeTrainer(_Trainer):
    """The same without the checks, which need contents."""

    def _check_losses(self, totals: dict[str, Tensor], losses: Losses, step: int, batch: Batch) -> None:
        """Nothing to look at."""

    def _check_gradients(self, parameters: list[torch.nn.Parameter], step: int) -> None:
        """Nothing to look at."""


def dry_step(config: Config, round: int, pretraining: bool = False, measure: bool = False) -> DryStep:
    """Peak memory of a training's step.

    Args:
        round: 0 is the warm-up.
        pretraining: of the round's self-supervised pre-training.
        measure: run it for real, on random images and labels, on the GPU if there is one.

    Raises:
        UserError: without ``measure``, the objective's step depends on the content of its images; with it, a loss or a
            gradient is not finite.
    """
    on_gpu = measure and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    live = LiveBytes()
    fake = None if measure else FakeTensorMode(allow_non_fake_inputs=True)
    mode = nullcontext() if fake is None else fake
    trainer = trainer_on_noise(config, round, pretraining, device, fake)
    for value in _tensors(trainer.objective):
        live.add(value.untyped_storage())
    # Batches are made for real: augmentation looks at its images.
    hosts = [Batches(trainer.streams, step, step + 1, 0).at(step) for step in (0, 1)]
    try:
        with mode, nullcontext() if on_gpu else live:
            for step, host in enumerate(hosts):
                start = time.perf_counter()
                trainer.take(step, host)
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        found = f"a step of {config.method.name} depends on its images ({error.func})"
        raise UserError(found, "a method whose steps do not", "--measure, which runs the step") from error
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start if measure else None
    weights = sum(value.numel() * value.element_size() for value in trainer.model.state_dict().values())
    return DryStep(torch.cuda.max_memory_allocated() if on_gpu else live.peak, weights, seconds)


def _parts(objective: BaseObjective) -> list[nn.Module]:
    """Every network and other module that an objective holds."""
    return [module for top in vars(objective).values() if isinstance(top, nn.Module) for module in top.modules()]


def _tensors(objective: BaseObjective) -> list[Tensor]:
    groups = [(*m._parameters.values(), *m._buffers.values()) for m in _parts(objective)]
    return [value for group in groups for value in group if value is not None]


def _without_content(objective: BaseObjective, fake: FakeTensorMode) -> None:
    """Replace every weight and buffer by one of the same shape that takes no memory."""
    for module in _parts(objective):
        for name, value in module._parameters.items():
            if value is not None:
                module._parameters[name] = nn.Parameter(fake.from_tensor(value.detach()), value.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = fake.from_tensor(buffer)


def trainer_on_noise(
    config: Config, round: int, pretraining: bool, device: torch.device, fake: FakeTensorMode | None = None
) -> _Trainer:
    """A training whose streams hold one frame of noise with random labels each; black ones in ``fake`` mode, where no
    step looks at them."""
    objective, training = _described(config, round, pretraining)

    def network(part: Part) -> SegmentationModel:
        built = build_network(part.name, config.space.num_classes, pretrained=False, **part.params)
        return built.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    model = network(config.backbone(round))
    freeze_batchnorm(model, training.freeze_bn_affine, training.freeze_bn_statistics)
    frame_hw = config.profile.frames_hw or FRAME_HW
    extras, arrays = _published(config, round, model, frame_hw)
    context = Context(
        model=model,
        space=config.space,
        training=training,
        round=round,
        seed=config.seed,
        device=device,
        label_extras=extras,
        teacher=lambda: network(config.backbone(round - 1)).eval(),
        initial=lambda: network(config.backbone(round)).eval(),
    )
    chosen = build(objective, context)
    if fake is not None:
        _without_content(chosen, fake)

    def stream(name: str, view: View) -> Stream:
        jitter: float = getattr(training.augmentation, f"jitter_{name}")
        return Stream(name, lambda index: view, 1, training.augmentation, jitter, config.seed, chosen)

    draw = rng(config.seed, "dry step")
    image, label = np.zeros((*frame_hw, 3), np.uint8), np.zeros(frame_hw, np.uint8)
    if fake is None:
        image = draw.integers(0, 256, image.shape, np.uint8)
        label = draw.integers(0, config.space.num_classes, label.shape, np.uint8)
    views = {"source": View(image, label), "target": View(image, label, arrays=arrays)}
    streams = {name: stream(name, view) for name, view in views.items()}
    kind = _Trainer if fake is None else _FakeTrainer
    profile = config.profile
    return kind(
        chosen,
        streams,
        config.seed,
        "dry step",
        precision=profile.precision,
        micro_batch=profile.micro_batch,
        workers=0,
    )


def _described(config: Config, round: int, pretraining: bool) -> tuple[Part, Training]:
    if round == 0:
        return config.method.warmup.objective, config.training(0)
    described = config.method.round_at(round)
    if not pretraining:
        return described.objective, config.training(round)
    if described.pretrain is None:
        raise UserError(f"round {round} of {config.method.name} has no pre-training", "a round with `pretrain`")
    return described.pretrain.objective, config.pretraining(round)


def _published(
    config: Config, round: int, model: SegmentationModel, frame_hw: tuple[int, int]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Extras of the round's pseudo-labels and arrays of each of its images, in their true sizes."""
    selector = config.method.round_at(round).selector if round else None
    if selector is None:
        return {}, {}
    classes = config.space.num_classes
    with FakeTensorMode(allow_non_fake_inputs=True), evaluating(model):
        black = torch.zeros(1, *frame_hw, 3, dtype=torch.uint8, device=next(model.parameters()).device)
        output = model(model.normalise(black))
    extras: dict[str, np.ndarray] = {
        "thresholds": np.full(classes, 0.9),
        "class_mean_confidence": np.linspace(0.9, 0.5, classes),
        "class_pixels": np.full((1, classes), frame_hw[0] * frame_hw[1] // classes),
        "labelled_images": np.zeros(1, np.int64),
    }
    if output.features is not None:
        extras["prototypes"] = np.zeros((classes, output.features.shape[1]), np.float32)
    if not selection.build(selector.name, selector.params, config.space, round).stores_soft:
        return extras, {}
    return extras, {"soft": np.full((classes, *output.logits.shape[2:]), 1 / classes, np.float32)}
