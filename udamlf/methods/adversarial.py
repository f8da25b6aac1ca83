"""Output-space adversarial alignment: IAST's and HIAST's warm-up, MinEnt, AdvEnt, IntraDA (advent.md 4)."""

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.common.seeding import torch_seed
from udamlf.config.budget import OptimiserConfig
from udamlf.config.parts import Strict
from udamlf.losses import cross_entropy, self_information
from udamlf.models.discriminator import discriminator
from udamlf.training.objective import BaseObjective, Batch, Context, Losses

SOURCE, TARGET = 0.0, 1.0  # domain labels of the released code; the papers swap them, which is equivalent
Distance = Literal["least_squares", "bce_with_logits"]


def domain_loss(scores: Tensor, domain: float, distance: Distance) -> Tensor:
    """How far a discriminator's outputs d float [N, 1, h, w] are from a domain's label, in float32: the mean of
    (d - domain)^2 (LSGAN; AdaptSegNet, IAST) or of the binary cross-entropy of the logits d (AdvEnt)."""
    scores = scores.float()
    if distance == "least_squares":
        return (scores - domain).square().mean()
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))


def generator_loss(target_scores: Tensor, distance: Distance = "least_squares") -> Tensor:
    """The segmentation network's term: target outputs shall look like source ones."""
    return domain_loss(target_scores, SOURCE, distance)


def discriminator_loss(source_scores: Tensor, target_scores: Tensor, distance: Distance = "least_squares") -> Tensor:
    """The discriminator's loss: half the sum of both domains' terms. Its inputs must be detached from the network."""
    return 0.5 * (domain_loss(source_scores, SOURCE, distance) + domain_loss(target_scores, TARGET, distance))


def min_entropy(probabilities: Tensor) -> Tensor:
    """MinEnt: mean over images and pixels of the normalised entropy, 0..1, of float [N, C, H, W]."""
    return self_information(probabilities).sum(1).mean()


class AdversarialParams(Strict):
    """Parameters of ``adversarial``; the terms called ``aux`` are of the auxiliary head, which must then exist."""

    weight: float = Field(0.05, ge=0)  # lambda_adv; 0 trains no discriminator (MinEnt alone)
    aux_weight: float = Field(0.0, ge=0)
    aux_ce: float = Field(0.0, ge=0)  # weight of the source cross-entropy
    sees: Literal["probabilities", "self_information"] = "probabilities"  # by the discriminator: AdaptSegNet, AdvEnt
    distance: Distance = "least_squares"
    discriminator: Literal["iast", "advent", "proda"] = "iast"  # variant of its convolutions
    width: int = Field(64, ge=1)  # channels of its first convolution
    discriminator_optimiser: OptimiserConfig = OptimiserConfig(name="adam", lr=2e-5)  # with the network's schedule
    entropy: float = Field(0.0, ge=0)  # weight of MinEnt on all target pixels
    aux_entropy: float = Field(0.0, ge=0)


class Objective(BaseObjective):
    """Cross-entropy on the source, adversarial and entropy terms on the target, and the discriminators' losses."""

    Params: ClassVar[type[Strict]] = AdversarialParams
    domains = ("source", "target")

    def __init__(self, params: AdversarialParams, context: Context) -> None:
        super().__init__(params, context)
        p, lr = params, per_round(params.discriminator_optimiser.lr, context.round)
        aux = {"aux_source_ce": p.aux_ce, "adversarial_aux": p.aux_weight, "aux_target_entropy": p.aux_entropy}
        self.weights = {"adversarial_main": p.weight, "target_entropy": p.entropy, **aux}
        self.heads = ("main", "aux") if any(aux.values()) else ("main",)
        self.discriminators = nn.ModuleDict()
        for head in (head for head in self.heads if self.weights[f"adversarial_{head}"]):
            # A seed for each head: equal discriminators would see the same maps in the same way.
            seed = torch_seed(context.seed, "discriminator", head)
            critic = discriminator(context.space.num_classes, p.discriminator, p.width, seed)
            self.discriminators[head] = critic.to(context.device)
        if self.discriminators:
            groups = [{"params": list(self.discriminators.parameters())}]
            self.optimisers["discriminator"] = groups, p.discriminator_optimiser.model_copy(update={"lr": lr})
            self.modules["discriminators"] = self.discriminators

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None
        # Two forward passes, source first: the running BatchNorm statistics become a mixture (adversarial-warmup 1.4).
        source = self.model(batch.source.images)
        target = self.model(batch.target.images) if batch.target is not None else None
        network: dict[str, Tensor] = {}
        critics: list[Tensor] = []
        for head, prefix, maps in zip(self.heads, ("", "aux_"), ("logits", "aux"), strict=False):
            if getattr(source, maps) is None:
                raise UserError("losses of an auxiliary head", "a network with one", "--set profile.model.aux=true")
            logits, labels = self.at_loss_resolution(getattr(source, maps), batch.source.labels)
            if head == "main" or self.params.aux_ce:
                network[f"{prefix}source_ce"] = cross_entropy(logits, labels, self.context.class_weights)
            if target is None or batch.target is None:
                continue
            target_logits, _ = self.at_loss_resolution(getattr(target, maps), batch.target.labels)
            source_p, target_p = logits.softmax(1), target_logits.softmax(1)
            if self.weights[f"{prefix}target_entropy"]:
                network[f"{prefix}target_entropy"] = min_entropy(target_p)
            if head in self.discriminators:
                critic, distance = self.discriminators[head], self.params.distance
                if self.params.sees == "self_information":
                    source_p, target_p = self_information(source_p), self_information(target_p)
                network[f"adversarial_{head}"] = generator_loss(critic(target_p), distance)
                critics.append(discriminator_loss(critic(source_p.detach()), critic(target_p.detach()), distance))
        adversary = {"discriminator": {"discriminator": torch.stack(critics).sum()}} if critics else {}
        return {"model": network, **adversary}
