"""Output-space adversarial alignment: AdaptSegNet's warm-up of IAST and HIAST, MinEnt, AdvEnt, and IntraDA's easy -> hard
training.

The segmentation network fools a discriminator of domains that looks at class maps of the target; the discriminator
learns to tell them apart. Both losses are taken with the same, pre-update weights. Domain labels: source (or easy) 0,
target (or hard) 1 (adversarial-warmup.md 6, advent.md 4).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from udamlf.config import OptimiserConfig, Strict
from udamlf.losses.adversarial import discriminator_loss, generator_loss, min_entropy, self_information
from udamlf.losses.basic import cross_entropy
from udamlf.methods.base import BaseObjective, Batch, Context, Losses
from udamlf.models.discriminator import build as build_discriminator


class Params(Strict):
    """Parameters of ``adversarial``.

    Attributes:
        weight: lambda_adv of the main head; 0 trains no discriminator (MinEnt alone).
        aux_weight: lambda_adv of the auxiliary head, which must exist when positive.
        aux_ce: weight of the auxiliary head's source cross-entropy.
        sees: what the discriminator looks at: the probabilities (AdaptSegNet) or their self-information (AdvEnt).
        distance: least squares (IAST, HIAST) or binary cross-entropy with logits (AdvEnt).
        discriminator: variant of its convolutions; ``width`` of its first one.
        discriminator_optimiser: its learning rate follows the network's schedule.
        entropy: weight of MinEnt on all target pixels; ``aux_entropy`` the same on the auxiliary head.
        labelled: domain with labels; ``target`` is IntraDA: easy target images carry pseudo-labels, hard ones none.
    """

    weight: float = Field(0.05, ge=0)
    aux_weight: float = Field(0.0, ge=0)
    aux_ce: float = Field(0.0, ge=0)
    sees: Literal["probabilities", "self_information"] = "probabilities"
    distance: Literal["least_squares", "bce_with_logits"] = "least_squares"
    discriminator: Literal["iast", "advent", "proda"] = "iast"
    width: int = Field(64, ge=1)
    discriminator_optimiser: OptimiserConfig = OptimiserConfig(name="adam", lr=2e-5)
    entropy: float = Field(0.0, ge=0)
    aux_entropy: float = Field(0.0, ge=0)


class Objective(BaseObjective):
    """Cross-entropy on the source, adversarial and entropy terms on the target, and the discriminators' losses."""

    Params = Params
    domains = ("source", "target")

    def __init__(self, params: Params, context: Context) -> None:
        super().__init__(params, context)
        levels = {"main": params.weight, "aux": params.aux_weight}
        self.discriminators = nn.ModuleDict(
            {
                level: build_discriminator(context.space.num_classes, params.discriminator, params.width, context.seed)
                for level, weight in levels.items()
                if weight > 0
            }
        ).to(context.device)

    @property
    def weights(self) -> dict[str, float]:
        p: Params = self.params
        return {
            "aux_source_ce": p.aux_ce,
            "adversarial_main": p.weight,
            "adversarial_aux": p.aux_weight,
            "target_entropy": p.entropy,
            "aux_target_entropy": p.aux_entropy,
        }

    def modules(self) -> dict[str, nn.Module]:
        return {"discriminators": self.discriminators} if len(self.discriminators) else {}

    def optimisers(self) -> dict[str, tuple[list[dict[str, object]], OptimiserConfig]]:
        if not len(self.discriminators):
            return {}
        groups: list[dict[str, object]] = [{"params": list(self.discriminators.parameters())}]
        return {"discriminator": (groups, self.params.discriminator_optimiser)}

    def _looks_at(self, probabilities: Tensor) -> Tensor:
        return probabilities if self.params.sees == "probabilities" else self_information(probabilities)

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None and batch.target is not None
        p: Params = self.params
        # Two forward passes, source first: the running BatchNorm statistics become a mixture (adversarial-warmup.md 1.4).
        source, target = self.model(batch.source.images), self.model(batch.target.images)
        network: dict[str, Tensor] = {}
        critics: list[Tensor] = []
        levels = [("main", source.logits, target.logits), ("aux", source.aux, target.aux)]
        for level, source_low, target_low in levels:
            if source_low is None or target_low is None:
                continue
            prefix = "" if level == "main" else "aux_"
            source_logits, labels = self.at_loss_resolution(source_low, batch.source.labels)
            target_logits, _ = self.at_loss_resolution(target_low, batch.target.labels)
            if level == "main" or p.aux_ce:
                ce = cross_entropy(source_logits, labels, self.context.class_weights)
                network[f"{prefix}source_ce"] = ce
            probabilities = target_logits.softmax(1)
            if p.aux_entropy if prefix else p.entropy:
                network[f"{prefix}target_entropy"] = min_entropy(probabilities)
            if level in self.discriminators:
                critic = self.discriminators[level]
                seen = self._looks_at(probabilities)
                network[f"adversarial_{level}"] = generator_loss(critic(seen), p.distance)
                shown = self._looks_at(source_logits.softmax(1)).detach()
                critics.append(discriminator_loss(critic(shown), critic(seen.detach()), p.distance))
        if not critics:
            return {"model": network}
        return {"model": network, "discriminator": {"discriminator": torch.stack(critics).sum()}}
