"""The only training loop: batch, losses, gradients, steps, EMA, non-finite guard, state."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from udamlf.config import OptimiserConfig
from udamlf.data.batches import Batches, HostDomain, Stream
from udamlf.errors import UserError
from udamlf.methods.base import BaseObjective, Batch, Domain, Losses
from udamlf.models.base import SegmentationModel
from udamlf.seeding import torch_seed
from udamlf.training.optimisers import build_optimiser, set_learning_rates
from udamlf.training.state import TrainState

LOG_EVERY_STEPS = 20


def to_domain(host: HostDomain, model: SegmentationModel, device: torch.device, part: slice) -> Domain:
    """Move a slice of a host batch to the device and normalise its images."""

    def images(tensor: Tensor) -> Tensor:
        return model.normalise(tensor[part].to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)

    def maps(tensor: Tensor) -> Tensor:
        return tensor[part].to(device, non_blocking=True).long()

    return Domain(
        images=images(host.images),
        labels=maps(host.labels),
        maps={name: maps(value) for name, value in host.maps.items()},
        views={name: images(value) for name, value in host.views.items()},
        index=host.index[part],
        arrays={name: value[part].to(device, non_blocking=True) for name, value in host.arrays.items()},
        cuts=host.cuts[part],
    )


def micro_slices(size: int, count: int) -> list[slice]:
    """Cut a batch into ``count`` equal parts, which divides it."""
    assert size % count == 0
    return [slice(i * size // count, (i + 1) * size // count) for i in range(count)]


@contextmanager
def reproducible(enabled: bool) -> Iterator[None]:
    """Deterministic kernels, where asked for."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(enabled or before, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=True)


class Trainer:
    """Runs an objective for a number of steps.

    Args:
        objective: what to minimise.
        streams: domain -> sample stream; the batch sizes come from the objective's training budget.
        seed: of the run.
        key: identifies the training; a state file of another one is refused.
        state_path: where the state is kept; None = nowhere.
        precision: "float32" or "bfloat16" (autocast).
        micro_batch: most images of a domain in one pass; None = a batch in one piece.
        workers: threads that prepare batches.
    """

    def __init__(
        self,
        objective: BaseObjective,
        streams: dict[str, Stream],
        seed: int,
        key: str,
        state_path: Path | None = None,
        precision: str = "float32",
        micro_batch: int | None = None,
        workers: int = 1,
        save_every_s: float = 120.0,
    ) -> None:
        self.objective, self.seed, self.workers = objective, seed, workers
        self.training = objective.context.training
        self.model, self.device = objective.model, objective.context.device
        assert isinstance(self.training.steps, int)
        self.steps: int = self.training.steps
        batch = self.training.batch
        self.streams = {name: (stream, getattr(batch, name)) for name, stream in streams.items()}
        self.precision = precision
        self.micro_batches = batch.micro_batches(micro_batch)
        self.state_path, self.save_every_s = state_path, save_every_s
        configurations: dict[str, tuple[Sequence[Mapping[str, Any]], OptimiserConfig]] = {
            "model": (self.model.parameter_groups(), self.training.optimiser),
            **objective.optimisers(),
        }
        self.optimisers = {name: build_optimiser(groups, config) for name, (groups, config) in configurations.items()}
        self.state = TrainState({"model": self.model, **objective.modules()}, self.optimisers, key)
        self._sums: dict[str, Tensor | float] = defaultdict(float)
        self._summed_steps = 0

    def run(
        self,
        on_metrics: Callable[[dict[str, float], int], None] = lambda metrics, step: None,
        on_step: Callable[[int], None] = lambda step: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Train to the end, from the saved state if there is one.

        Args:
            on_metrics: called every 20 steps with mean losses, learning rate and images per second.
            on_step: called after each step with the number of finished steps.
            should_stop: asked between steps; when true the state is saved and ``KeyboardInterrupt`` is raised.

        Raises:
            UserError: a loss or a gradient is not finite; the state of the last good step is saved.
        """
        if self.state_path is not None:
            self.state.load(self.state_path, self.device)
        self.model.train()
        saved = logged = time.monotonic()
        first = self.state.step
        for step, host in Batches(self.streams, first, self.steps, self.workers):
            self._guarded_step(step, host)
            self.state.step = step + 1
            on_step(step + 1)
            now = time.monotonic()
            if (step + 1) % LOG_EVERY_STEPS == 0 or step + 1 == self.steps:
                on_metrics(self._metrics(now - logged), step + 1)
                logged = now
            stop = should_stop()
            if self.state_path is not None and (now - saved > self.save_every_s or stop):
                self.state.save(self.state_path)
                saved = now
            if stop:
                raise KeyboardInterrupt

    def _guarded_step(self, step: int, host: dict[str, HostDomain]) -> None:
        """One step; when it fails, everything is as it was before it, and saved."""
        buffers = [buffer for module in self.state.modules.values() for buffer in module.buffers()]
        before = [buffer.clone() for buffer in buffers]  # a forward pass moves BatchNorm statistics before it fails
        try:
            self._step(step, host)
        except UserError:
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
            if self.state_path is not None:
                self.state.save(self.state_path)
            raise

    def _step(self, step: int, host: dict[str, HostDomain]) -> None:
        self._set_learning_rates(step)
        # Dropout draws from torch's global generator: seeding it by step makes it a function of (seed, step).
        torch.manual_seed(torch_seed(self.seed, "step", step))
        count = self.micro_batches
        parameters = {
            name: [p for group in optimiser.param_groups for p in group["params"]]
            for name, optimiser in self.optimisers.items()
        }
        slices = {name: micro_slices(len(domain.index), count) for name, domain in host.items()}
        for micro in range(count):
            domains = {
                name: to_domain(domain, self.model, self.device, slices[name][micro]) for name, domain in host.items()
            }
            batch = Batch(step, micro, self.seed, domains.get("source"), domains.get("target"))
            parts = self.objective.parts(batch)
            while True:
                with self._autocast():
                    losses = next(parts, None)
                if losses is None:
                    break
                self._backward(losses, parameters, count, step, batch)
        for owned in parameters.values():  # all of them before any network moves
            self._check_gradients(owned, step)
        for optimiser in self.optimisers.values():
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.objective.after_step(step)
        self._summed_steps += 1

    def _autocast(self) -> torch.autocast | nullcontext[None]:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _backward(
        self,
        losses: Losses,
        parameters: dict[str, list[torch.nn.Parameter]],
        count: int,
        step: int,
        batch: Batch,
    ) -> None:
        """Each optimiser receives the gradient of its own losses only (the generator's loss passes through D)."""
        weights = self.objective.weights
        totals = {}
        for name, named in losses.items():
            for loss_name, value in named.items():
                self._sums[f"train/{loss_name}"] += value.detach() / count
            total = sum((weights.get(n, 1.0) * value for n, value in named.items()), start=torch.zeros(()))
            totals[name] = total / count
        self._check_losses(totals, losses, step, batch)
        if len(totals) == 1:
            totals["model"].backward()
            return
        for position, (name, total) in enumerate(totals.items()):
            keep = position + 1 < len(totals)
            gradients = torch.autograd.grad(total, parameters[name], retain_graph=keep, allow_unused=True)
            for parameter, gradient in zip(parameters[name], gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def _check_losses(self, totals: dict[str, Tensor], losses: Losses, step: int, batch: Batch) -> None:
        if not all(bool(torch.isfinite(total)) for total in totals.values()):
            values = {n: float(v.detach()) for named in losses.values() for n, v in named.items()}
            places = {d: getattr(batch, d).index for d in ("source", "target") if getattr(batch, d) is not None}
            raise UserError(
                f"a loss is not finite at step {step}: {values}, list positions {places}",
                "finite losses",
                "a lower --set profile.round.optimiser.lr, or profile.precision=float32",
            )

    def _check_gradients(self, parameters: list[torch.nn.Parameter], step: int) -> None:
        # A discriminator has no gradient in a step without target images.
        gradients = [p.grad for p in parameters if p.grad is not None]
        norms = list(torch._foreach_norm(gradients)) if gradients else []
        if norms and not bool(torch.isfinite(torch.stack(norms).sum())):
            raise UserError(f"a gradient is not finite at step {step}", "finite gradients", "a lower learning rate")

    def _set_learning_rates(self, step: int) -> None:
        for optimiser in self.optimisers.values():
            set_learning_rates(optimiser, self.training.schedule, step, self.steps)

    def _metrics(self, seconds: float) -> dict[str, float]:
        steps = max(self._summed_steps, 1)
        metrics = {name: float(value) / steps for name, value in self._sums.items()}
        images = sum(size for _, size in self.streams.values()) * steps
        metrics["train/lr"] = self.optimisers["model"].param_groups[0]["lr"]
        metrics["train/images_per_s"] = images / max(seconds, 1e-9)
        metrics.update(self.objective.scalars())
        self._sums.clear()
        self._summed_steps = 0
        return {name: value for name, value in metrics.items() if math.isfinite(value)}
