"""What every training objective promises; a test class inherits ``ObjectiveContract`` and names its objective."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import toy
from udamlf.data.batches import Batches, Stream
from udamlf.data.labels import IGNORE
from udamlf.methods import base
from udamlf.methods.base import BaseObjective, Batch, Domain, Losses
from udamlf.training.loop import Trainer, to_domain


def batch_of(chosen: BaseObjective, streams: dict[str, Stream] | None = None, step: int = 0) -> Batch:
    """The batch of a step on the device, hooks and all."""
    sizes = chosen.context.training.batch
    given = streams or toy.streams(chosen)
    host = Batches({name: (stream, getattr(sizes, name)) for name, stream in given.items()}, 0, 1, 0).at(step)
    domains = {name: to_domain(d, chosen.model, torch.device("cpu"), slice(None)) for name, d in host.items()}
    return Batch(step, 0, toy.SEED, domains.get("source"), domains.get("target"))


def all_losses(chosen: BaseObjective, batch: Batch) -> Losses:
    """Losses of all parts."""
    merged: Losses = {}
    for part in chosen.parts(batch):
        for optimiser, named in part.items():
            assert not merged.get(optimiser, {}).keys() & named.keys(), "two parts share a loss's name"
            merged.setdefault(optimiser, {}).update(named)
    return merged


def unlabelled(domain: Domain) -> Domain:
    """The same images without a label."""
    return dataclasses.replace(domain, labels=torch.full_like(domain.labels, IGNORE))


class ObjectiveContract:
    """Inherit, and set ``name`` and the parameters that make it small."""

    name: ClassVar[str]
    params: ClassVar[dict[str, Any]] = {}
    target_only_losses: ClassVar[tuple[str, ...]] = ("target_ce",)

    def objective(self, **training: Any) -> BaseObjective:
        return toy.objective(self.name, self.params, toy.training(**training))

    def test_losses_are_named_finite_scalars_with_a_gradient(self) -> None:
        """Of every optimiser there is, and of no other."""
        chosen = self.objective()
        chosen.model.train()
        losses = all_losses(chosen, batch_of(chosen))
        assert losses.keys() == {"model", *chosen.optimisers()}
        for named in losses.values():
            assert named
            for name, value in named.items():
                assert isinstance(name, str) and isinstance(value, Tensor)
                assert value.shape == () and value.dtype == torch.float32
                assert bool(value.isfinite()), name
            assert any(value.requires_grad for value in named.values())

    def test_a_weight_belongs_to_a_loss(self) -> None:
        """With its default parameters no positive weight names a loss that is never computed: a misspelt name would
        silently leave a loss at weight 1."""
        chosen = self.objective()
        chosen.model.train()
        computed = {name for named in all_losses(chosen, batch_of(chosen)).values() for name in named}
        assert {name for name, weight in chosen.weights.items() if weight > 0} <= computed
        assert all(weight >= 0 for weight in chosen.weights.values())

    def test_losses_are_a_function_of_weights_and_batch(self) -> None:
        """Two objectives built alike give bit-identical losses, and computing them moves no parameter."""
        values = []
        for _ in range(2):
            chosen = self.objective()
            chosen.model.train()
            before = [p.detach().clone() for p in chosen.model.parameters()]
            values.append(all_losses(chosen, batch_of(chosen)))
            assert all(torch.equal(a, b) for a, b in zip(before, chosen.model.parameters(), strict=True))
        for optimiser, named in values[0].items():
            assert named.keys() == values[1][optimiser].keys()
            assert all(torch.equal(value, values[1][optimiser][name]) for name, value in named.items())

    def test_a_batch_without_a_pseudo_label_is_legal(self) -> None:
        """No confident pixel in the whole target batch: finite losses, and none from labels that are not there."""
        chosen = self.objective()
        chosen.model.train()
        batch = batch_of(chosen)
        if batch.target is None:
            pytest.skip("reads no target")
        losses = all_losses(chosen, dataclasses.replace(batch, target=unlabelled(batch.target)))
        named = losses["model"]
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())
        for name in self.target_only_losses:
            if name in named:
                assert named[name].item() == 0.0
        weighted = [chosen.weights.get(name, 1.0) * value for name, value in named.items()]
        torch.stack(weighted).sum().backward()
        gradients = [p.grad for p in chosen.model.parameters() if p.grad is not None]
        assert gradients and all(bool(g.isfinite().all()) for g in gradients)

    def test_a_batch_without_any_label_is_legal(self) -> None:
        """Source crops of ignored pixels only are rare but real."""
        chosen = self.objective()
        chosen.model.train()
        batch = batch_of(chosen)
        empty = {n: unlabelled(d) for n, d in (("source", batch.source), ("target", batch.target)) if d is not None}
        losses = all_losses(chosen, dataclasses.replace(batch, **empty))
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())

    def test_it_works_without_the_images_it_can_do_without(self) -> None:
        """With only its ``domains`` in the batch (source_portion 0, IntraDA without hard images) losses are finite."""
        chosen = self.objective()
        if set(chosen.domains) == {"source", "target"}:
            pytest.skip("needs both domains")
        chosen.model.train()
        batch = batch_of(chosen)
        missing = {name: None for name in ("source", "target") if name not in chosen.domains}
        losses = all_losses(chosen, dataclasses.replace(batch, **missing))
        assert losses["model"]
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())

    def test_one_step_moves_the_network(self) -> None:
        """One step of the loop changes weights, and the modules that follow it stay finite."""
        chosen = self.objective(steps=1)
        before = {name: value.detach().clone() for name, value in chosen.model.state_dict().items()}
        loop = toy.trainer(chosen)
        loop.run()
        parameters = dict(chosen.model.named_parameters())
        moved = [name for name, value in parameters.items() if not torch.equal(before[name], value)]
        assert len(moved) > len(parameters) / 2
        for module in loop.state.modules.values():
            assert all(bool(v.isfinite().all()) for v in module.state_dict().values() if v.is_floating_point())
        assert all(np.isfinite(value) for value in chosen.scalars().values())

    def test_training_lowers_its_losses(self) -> None:
        """Fifteen steps on the toy world lower the sum of the network's weighted losses on its first batch."""
        chosen = self.objective(steps=15)
        first = batch_of(chosen)
        probe = toy.objective(self.name, self.params, chosen.context.training)

        def total() -> float:
            probe.model.load_state_dict(chosen.model.state_dict())
            for name, module in chosen.modules().items():
                probe.modules()[name].load_state_dict(module.state_dict())
            with torch.no_grad():
                probe.model.train()
                named = all_losses(probe, first)["model"]
            supervised = {n: v for n, v in named.items() if n.endswith("_ce")} or named
            return sum(float(value) for value in supervised.values())

        before = total()
        Trainer(chosen, toy.streams(chosen), toy.SEED, "toy", workers=0).run()
        assert total() < before

    def test_its_parameters_are_checked(self) -> None:
        """An unknown parameter is refused by name."""
        part = base.Part(name=self.name, **self.params, no_such_parameter=1)
        with pytest.raises(base.UserError, match="no_such_parameter"):
            base.check(part, "test")
