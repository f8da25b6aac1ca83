"""Output-space adversarial alignment: AdaptSegNet's warm-up of IAST and HIAST, MinEnt, AdvEnt, IntraDA's training.

The segmentation network fools a discriminator of domains that looks at class maps of the target; the discriminator
learns to tell them apart. Both losses are taken with the same, pre-update weights. Domain labels: source (or easy) 0,
target (or hard) 1 (adversarial-warmup.md 6, advent.md 4). IntraDA is a round whose ``labelled`` images are the easy
target ones; where every image is easy there is no target, and what is left is cross-entropy on pseudo-labels.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from udamlf.config import OptimiserConfig, Strict
from udamlf.errors import UserError
from udamlf.losses.adversarial import discriminator_loss, generator_loss, min_entropy, self_information
from udamlf.losses.basic import cross_entropy
from udamlf.methods.base import BaseObjective, Batch, Context, Losses
from udamlf.models.discriminator import build as build_discriminator
from udamlf.seeding import torch_seed


class AdversarialParams(Strict):
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

    Params: ClassVar[type[Strict]] = AdversarialParams
    domains = ("source",)

    def __init__(self, params: AdversarialParams, context: Context) -> None:
        super().__init__(params, context)
        if not context.training.batch.target:
            raise UserError("adversarial training without target images", "some", "--set profile.warmup.batch.target=4")
        uses_aux = params.aux_weight or params.aux_ce or params.aux_entropy
        self.levels = ("main", "aux") if uses_aux else ("main",)
        self.entropy_weights = {"main": params.entropy, "aux": params.aux_entropy}
        weights = {"main": params.weight, "aux": params.aux_weight}
        # Two seeds: equal discriminators would see the same maps in the same way.
        self.discriminators = nn.ModuleDict(
            {
                level: build_discriminator(
                    context.space.num_classes,
                    params.discriminator,
                    params.width,
                    torch_seed(context.seed, "discriminator", level),
                )
                for level, weight in weights.items()
                if weight > 0
            }
        ).to(context.device)

    @property
    def weights(self) -> dict[str, float]:
        p: AdversarialParams = self.params
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
        assert batch.source is not None
        # Two forward passes, source first: the running BatchNorm statistics become a mixture (adversarial-warmup 1.4).
        source = self.model(batch.source.images)
        target = self.model(batch.target.images) if batch.target is not None else None
        network: dict[str, Tensor] = {}
        critics: list[Tensor] = []
        for level in self.levels:
            low = source.logits if level == "main" else source.aux
            if low is None:
                raise UserError(
                    "losses of an auxiliary head, which the network has not", "one", "--set profile.model.aux=true"
                )
            logits, labels = self.at_loss_resolution(low, batch.source.labels)
            if level == "main" or self.params.aux_ce:
                network[_named(level, "source_ce")] = cross_entropy(logits, labels, self.context.class_weights)
            if target is not None and batch.target is not None:
                low = target.logits if level == "main" else target.aux
                assert low is not None
                target_logits, _ = self.at_loss_resolution(low, batch.target.labels)
                critics += self._align(level, logits.softmax(1), target_logits.softmax(1), network)
        if not critics:
            return {"model": network}
        return {"model": network, "discriminator": {"discriminator": torch.stack(critics).sum()}}

    def _align(self, level: str, source: Tensor, target: Tensor, network: dict[str, Tensor]) -> list[Tensor]:
        """Add the network's terms on one head's target probabilities float [N,C,h,w] to ``network``; the loss of the
        head's discriminator, if it has one."""
        if self.entropy_weights[level]:
            network[_named(level, "target_entropy")] = min_entropy(target)
        if level not in self.discriminators:
            return []
        critic, distance = self.discriminators[level], self.params.distance
        seen = self._looks_at(target)
        network[f"adversarial_{level}"] = generator_loss(critic(seen), distance)
        shown = self._looks_at(source).detach()
        return [discriminator_loss(critic(shown), critic(seen.detach()), distance)]


def _named(level: str, loss: str) -> str:
    return loss if level == "main" else f"{level}_{loss}"
