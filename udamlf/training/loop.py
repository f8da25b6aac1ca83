"""The only training loop: batch, losses, gradients, steps, EMA, non-finite guard, state."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from udamlf.common.errors import UserError
from udamlf.common.seeding import torch_seed
from udamlf.config.budget import BatchSize, Precision
from udamlf.data.batches import Batches, Frames, Stream
from udamlf.data.sample import Domain
from udamlf.models.base import SegmentationModel
from udamlf.models.ema import copy_tensors
from udamlf.training.objective import BaseObjective, Batch, Losses
from udamlf.training.optimisers import build_optimiser, set_learning_rates
from udamlf.training.state import TrainState

LOG_EVERY_STEPS, SAVE_EVERY_S = 20, 120.0


def to_domain(host: Domain, model: SegmentationModel, device: torch.device, part: slice) -> Domain:

    def moved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor[part].to(device, non_blocking=True) for name, tensor in tensors.items()}

    views = moved({"": host.images, **host.views})
    views = {n: model.normalise(v).contiguous(memory_format=torch.channels_last) for n, v in views.items()}
    maps = {name: value.long() for name, value in moved({"": host.labels, **host.maps}).items()}
    arrays = moved(host.arrays)
    return Domain(views.pop(""), maps.pop(""), maps, views, host.index[part], arrays, host.cuts[part])


def micro_batches(batch: BatchSize, most: int | None) -> int:
    """Equal pieces of a batch, so many that no domain has more than ``most`` images in one, where it can be cut."""
    common, largest = math.gcd(batch.source, batch.target), max(batch.source, batch.target)
    if most is None or not common or batch.mixed:
        return 1
    cuts = [count for count in range(1, common + 1) if common % count == 0]
    return next((count for count in cuts if largest // count <= most), common)


def autocast_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The dtype of autocast. UserError: bfloat16 on a card that only emulates it, slowly (before NVIDIA's Ampere)."""
    cuda = device.type == "cuda"
    if precision == "bfloat16" and cuda and not torch.cuda.is_bf16_supported(including_emulation=False):
        message = f"profile.precision=bfloat16 on {torch.cuda.get_device_name(device)}, which has no bfloat16"
        raise UserError(message, "float16, with loss scaling, or float32", "--set profile.precision=float16")
    return {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(precision, torch.float32)


class Trainer:
    """Runs an objective for the steps of its training budget. With "float16" the loss is scaled, and a step whose
    gradients overflow is skipped; ``key`` identifies the training to the state at ``state_path``."""

    def __init__(
        self, objective: BaseObjective, frames: Mapping[str, Frames], key: str, state_path: Path | None = None,
        precision: Precision = "float32", micro_batch: int | None = None, workers: int = 1,
    ) -> None:  # fmt: skip
        self.objective, self.seed, self.workers = objective, objective.context.seed, workers
        self.model, self.device, self.training = objective.model, objective.context.device, objective.context.training
        assert isinstance(self.training.steps, int)
        self.steps: int = self.training.steps
        self.streams: dict[str, tuple[Stream, int]] = {}
        for name, of_domain in frames.items():
            stream = Stream(name, *of_domain, self.training.augmentation, self.seed, objective.prepare, frames)
            self.streams[name] = stream, getattr(self.training.batch, name)
        self.state_path, self.dtype = state_path, autocast_dtype(precision, self.device)
        self.micro_batches = micro_batches(self.training.batch, micro_batch)
        self.optimisers = {"model": build_optimiser(self.model.parameter_groups(), self.training.optimiser)}
        for name, (groups, config) in objective.optimisers.items():
            self.optimisers[name] = build_optimiser(groups, config)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
        self.state = TrainState({"model": self.model, **objective.modules}, self.optimisers, key, self.scaler)
        self._buffers = [buffer for module in self.state.modules.values() for buffer in module.buffers()]
        self._before: list[Tensor] = []  # their values before the step
        self._losses_of_step: list[tuple[dict[str, Any], dict[str, Tensor]]] = []  # positions in the splits, losses

    def run(
        self, on_metrics: Callable[[dict[str, float], int], None] = lambda metrics, step: None,
        on_step: Callable[[int], None] = lambda step: None, should_stop: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """Train to the end, from the saved state if there is one. When ``should_stop`` says so, the state is saved and
        ``KeyboardInterrupt`` raised. UserError: a loss or gradient is not finite, or out of memory, after saving."""
        if self.state_path is not None:
            self.state.load(self.state_path)
        self.model.train()
        saved = logged = time.monotonic()
        logged_step = self.state.step
        for step, host in self.batches(self.state.step, self.steps):
            self._guarded_step(step, host)
            self.state.step = done = step + 1
            on_step(done)
            now = time.monotonic()
            if done % LOG_EVERY_STEPS == 0 or done == self.steps:
                on_metrics(self._metrics((done - logged_step) / max(now - logged, 1e-9)), done)
                logged, logged_step = now, done
            stop = should_stop()
            if stop or now - saved > SAVE_EVERY_S:
                self._save()
                saved = now
            if stop:
                raise KeyboardInterrupt

    def batches(self, start: int, stop: int) -> Batches:
        return Batches(self.streams, start, stop, self.workers, self.training.batch.mixed)

    def _save(self) -> None:
        if self.state_path is not None:
            self.state.save(self.state_path)

    def _guarded_step(self, step: int, host: dict[str, Domain]) -> None:
        """One step; when it fails, everything is as it was before it, and saved."""
        # A forward pass moves BatchNorm statistics before it fails, or overflows.
        if not self._before:
            self._before = [buffer.clone() for buffer in self._buffers]
        copy_tensors(self._before, self._buffers)
        sums = dict(self.state.sums)
        try:
            self.take_step(step, host)
        except (UserError, RuntimeError) as error:
            of_memory = is_of_memory(error)
            if of_memory or isinstance(error, UserError):
                copy_tensors(self._buffers, self._before)
                self.state.sums = sums
                self._save()
            if not of_memory:
                raise
            images = max(size for _, size in self.streams.values()) // self.micro_batches
            hint = f"--set profile.micro_batch={images // 2}" if images > 1 else "smaller crops, or a smaller network"
            message = f"out of memory at step {step}, with {images} images of a domain in one pass"
            raise UserError(message, "what the device holds (udamlf doctor --step measures it)", hint) from error

    def take_step(self, step: int, host: dict[str, Domain]) -> None:
        """Step ``step`` on a host batch: gradients of every micro-batch, then all optimisers, then ``after_step``."""
        for optimiser in self.optimisers.values():
            set_learning_rates(optimiser, self.training.schedule, step, self.steps)
        # Dropout draws from torch's global generator: seeding it by step makes it a function of (seed, step).
        torch.manual_seed(torch_seed(self.seed, "step", step))
        for micro in range(self.micro_batches):
            domains = {}
            for name, domain in host.items():
                size = len(domain.index) // self.micro_batches
                domains[name] = to_domain(domain, self.model, self.device, slice(micro * size, (micro + 1) * size))
            batch = Batch(step, micro, self.seed, domains.get("source"), domains.get("target"))
            for losses in self._losses(batch):
                self._backward(losses, batch)
        self._step_optimisers(step)
        self.objective.after_step(step)
        self.state.summed_steps += 1

    def _step_optimisers(self, step: int) -> None:
        """Step all optimisers, or, where a loss or a gradient is not finite, none: the only wait for the device."""
        # A discriminator has no gradient in a step without target images.
        moving = [o for o in self.optimisers.values() if any(p.grad is not None for p in _parameters(o))]
        losses, self._losses_of_step = self._losses_of_step, []
        scaled, values = self.scaler.is_enabled(), [value for _, named in losses for value in named.values()]
        for optimiser in moving:
            self.scaler.unscale_(optimiser)
            values.append(get_total_norm([p.grad for p in _parameters(optimiser) if p.grad is not None]))
        finite = not values or bool(torch.isfinite(torch.stack([value.float() for value in values])).all())
        if not finite and (not scaled or self.scaler.get_scale() < 2):
            raise _not_finite(step, losses, scaled)
        if not finite and self._before:
            copy_tensors(self._buffers, self._before)
        for optimiser in moving:
            if finite:
                optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if moving:
            self.scaler.update()

    def _losses(self, batch: Batch) -> Iterator[Losses]:
        """The objective's losses in the parts it gives them in, each computed when it is asked for."""
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)
        losses = autocast(self.objective.losses)(batch)
        if isinstance(losses, Iterator):
            return iter(autocast(lambda: next(losses, None)), None)
        return iter([losses])

    def _backward(self, losses: Losses, batch: Batch) -> None:
        """Each optimiser receives the gradient of its own losses only (the generator's loss passes through D).
        UserError: they are of another form, as an objective of one's own may give."""
        known = isinstance(losses, dict) and losses.keys() <= self.optimisers.keys()
        if not known or not all(map(_are_named_scalars, losses.values())):
            message = f"the losses of {type(self.objective).__module__} are {str(losses)[:200]}"
            expected = 'named scalars by optimiser, {"model": {"ce": loss.mean()}}; optimisers: '
            raise UserError(message, expected + ", ".join(self.optimisers))
        weights, count, totals = self.objective.weights, self.micro_batches, {}
        for name, named in losses.items():
            for loss_name, value in named.items():
                key = f"train/{loss_name}"
                self.state.sums[key] = self.state.sums.get(key, 0.0) + value.detach() / count
            totals[name] = sum((weights.get(n, 1.0) * value for n, value in named.items()), torch.zeros(())) / count
            places = {n: domain.index for n, domain in (("source", batch.source), ("target", batch.target)) if domain}
            self._losses_of_step.append((places, {n: value.detach() for n, value in named.items()}))
        for position, (name, total) in enumerate(totals.items()):
            scaled, inputs = self.scaler.scale(total), _parameters(self.optimisers[name])
            scaled.backward(inputs=inputs, retain_graph=position + 1 < len(totals))

    def _metrics(self, steps_per_s: float) -> dict[str, float]:
        steps = self.state.summed_steps
        metrics = {name: float(value) / steps for name, value in self.state.sums.items()}
        metrics["train/lr"] = self.optimisers["model"].param_groups[0]["lr"]
        metrics["train/images_per_s"] = steps_per_s * sum(size for _, size in self.streams.values())
        metrics.update(self.objective.scalars())
        self.state.sums, self.state.summed_steps = {}, 0
        return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _are_named_scalars(losses: object) -> bool:
    return isinstance(losses, dict) and all(isinstance(each, Tensor) and each.ndim == 0 for each in losses.values())


def _parameters(optimiser: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimiser.param_groups for p in group["params"]]


def is_of_memory(error: Exception) -> bool:
    """Whether memory ran out: what torch's allocators say, CUDA, and its libraries."""
    signs = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in signs)


def _not_finite(step: int, losses: list[tuple[Any, dict[str, Tensor]]], scaled: bool) -> UserError:
    """Which loss of which images is not finite; of a gradient that is not, its step."""
    what = f"a gradient is not finite at step {step}{', whatever its scale' if scaled else ''}"
    for places, named in losses:
        values = {name: float(value) for name, value in named.items()}
        if not scaled and not all(map(math.isfinite, values.values())):
            what = f"a loss is not finite at step {step}: {values}, split positions {places}"
            break
    hint = "a lower optimiser.lr in the budget of this training, or --set profile.precision=float32"
    return UserError(what, "finite losses and gradients", hint)
