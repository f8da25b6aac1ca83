"""What every training objective promises; a test class inherits ``ObjectiveContract`` and names its objective."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import BatchSize
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.data.sample import Domain
from udamlf.training.objective import OBJECTIVES, BaseObjective, check_batch


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
        objective = self.objective()
        objective.model.train()
        losses = toy.losses(objective, toy.batch(objective))
        assert losses.keys() == {"model", *objective.optimisers}
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
        objective = self.objective()
        objective.model.train()
        computed = {name for named in toy.losses(objective, toy.batch(objective)).values() for name in named}
        assert {name for name, weight in objective.weights.items() if weight > 0} <= computed
        assert all(weight >= 0 for weight in objective.weights.values())

    def test_losses_are_a_function_of_weights_and_batch(self) -> None:
        """Two objectives built alike give bit-identical losses, and computing them moves no parameter."""
        values = []
        for _ in range(2):
            objective = self.objective()
            objective.model.train()
            before = [p.detach().clone() for p in objective.model.parameters()]
            values.append(toy.losses(objective, toy.batch(objective)))
            assert all(torch.equal(a, b) for a, b in zip(before, objective.model.parameters(), strict=True))
        for optimiser, named in values[0].items():
            assert named.keys() == values[1][optimiser].keys()
            assert all(torch.equal(value, values[1][optimiser][name]) for name, value in named.items())

    def test_a_batch_without_a_pseudo_label_is_legal(self) -> None:
        """No confident pixel in the whole target batch: finite losses, and none from labels that are not there."""
        objective = self.objective()
        objective.model.train()
        batch = toy.batch(objective)
        if batch.target is None:
            pytest.skip("reads no target")
        losses = toy.losses(objective, dataclasses.replace(batch, target=unlabelled(batch.target)))
        named = losses["model"]
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())
        for name in self.target_only_losses:
            if name in named:
                assert named[name].item() == 0.0
        weighted = [objective.weights.get(name, 1.0) * value for name, value in named.items()]
        torch.stack(weighted).sum().backward()
        gradients = [p.grad for p in objective.model.parameters() if p.grad is not None]
        assert gradients and all(bool(g.isfinite().all()) for g in gradients)

    def test_a_batch_without_any_label_is_legal(self) -> None:
        """Source crops of ignored pixels only are rare but real."""
        objective = self.objective()
        objective.model.train()
        batch = toy.batch(objective)
        empty = {n: unlabelled(d) for n, d in (("source", batch.source), ("target", batch.target)) if d is not None}
        losses = toy.losses(objective, dataclasses.replace(batch, **empty))
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())

    def test_it_works_without_the_images_it_can_do_without(self) -> None:
        """With only its ``domains`` in the batch (source_portion 0, IntraDA without hard images) losses are finite."""
        objective = self.objective()
        if set(objective.domains) == {"source", "target"}:
            pytest.skip("needs both domains")
        objective.model.train()
        batch = toy.batch(objective)
        missing = {name: None for name in ("source", "target") if name not in objective.domains}
        losses = toy.losses(objective, dataclasses.replace(batch, **missing))
        assert losses["model"]
        assert all(bool(value.isfinite()) for named in losses.values() for value in named.values())

    def test_a_mixed_batch_may_hold_one_domain_alone(self) -> None:
        """An objective that takes mixed batches learns from either; any other one is refused them."""
        objective = self.objective()
        part, budget = Part(name=self.name), toy.training(batch=BatchSize(source=1, target=1, mixed=True))
        if not objective.mixes:
            with pytest.raises(UserError, match=r"batch\.mixed"):
                check_batch(part, budget)
            return
        check_batch(part, budget)
        objective.model.train()
        batch = toy.batch(objective)
        for absent in ("source", "target"):
            named = toy.losses(objective, dataclasses.replace(batch, **{absent: None}))["model"]
            assert named and all(bool(value.isfinite()) for value in named.values())
            assert not [name for name in named if name.startswith(absent)]

    def test_one_step_moves_the_network(self) -> None:
        """One step of the loop changes weights, and the modules that follow it stay finite."""
        objective = self.objective(steps=1)
        before = {name: value.detach().clone() for name, value in objective.model.state_dict().items()}
        loop = toy.trainer(objective)
        loop.run()
        parameters = dict(objective.model.named_parameters())
        moved = [name for name, value in parameters.items() if not torch.equal(before[name], value)]
        assert len(moved) > len(parameters) / 2
        for module in loop.state.modules.values():
            assert all(bool(v.isfinite().all()) for v in module.state_dict().values() if v.is_floating_point())
        assert all(np.isfinite(value) for value in objective.scalars().values())

    def test_training_lowers_its_losses(self) -> None:
        """Fifteen steps on the toy world lower the sum of the network's weighted losses on its first batch."""
        objective = self.objective(steps=15)
        first = toy.batch(objective)
        probe = toy.objective(self.name, self.params, objective.context.training)

        def total() -> float:
            probe.model.load_state_dict(objective.model.state_dict())
            for name, module in objective.modules.items():
                probe.modules[name].load_state_dict(module.state_dict())
            with torch.no_grad():
                probe.model.train()
                named = toy.losses(probe, first)["model"]
            supervised = {n: v for n, v in named.items() if n.endswith("_ce")} or named
            return sum(float(value) for value in supervised.values())

        before = total()
        toy.trainer(objective).run()
        assert total() < before

    def test_its_parameters_are_checked(self) -> None:
        """An unknown parameter is refused by name."""
        with pytest.raises(UserError, match="no_such_parameter"):
            OBJECTIVES.params(Part(name=self.name, **self.params, no_such_parameter=1))
