"""Self-training on pseudo-labels (ST, CBST, IAST): cross-entropy, and IAST's regularisers (iast.md 3)."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.mining import Miner, Rule
from udamlf.data.sample import Domain, Sample
from udamlf.losses import cross_entropy, entropy, kl_to_uniform
from udamlf.training.objective import Batch, Context, Losses, TargetObjective

Pairs = dict[str, tuple[Tensor, Tensor]]
"""Domain -> logits [N, C, h, w], labels [N, h, w]; a mixed batch may hold one domain alone."""


class SelfTrainingParams(Strict):
    pool: Literal["pixels", "domains"] = "domains"  # the mean: over all labelled pixels (CBST), or one per domain
    source_weight: float = Field(1.0, ge=0)  # of the source's own mean (IAST's published batches hold no source)
    entropy: float = Field(0.0, ge=0)  # weight of the entropy of the ignored region
    kl: float = Field(0.0, ge=0)  # weight of the KL to uniform of the labelled region
    # Both are divided by the number of classes once more, as IAST's release does (iast.md 3), or as in its paper.
    regulariser_scale: Literal["per_class", "per_pixel"] = "per_class"
    # Power of the source's class weights on the target's own mean; below 1 wrong labels of rare classes weigh less.
    target_class_weights: float = Field(1.0, ge=0, le=1)
    mining: Rule | None = None  # small-class mining of crops


class Objective(TargetObjective):
    """Cross-entropy on source labels and target pseudo-labels, and terms on the regions of the target."""

    Params: ClassVar[type[Strict]] = SelfTrainingParams
    mixes = True
    needs: ClassVar = {"mining": ("class_sizes",)}
    loss = staticmethod(cross_entropy)

    def __init__(self, params: SelfTrainingParams, context: Context) -> None:
        super().__init__(params, context)
        self.weights = {"source_ce": params.source_weight, "target_entropy": params.entropy, "target_kl": params.kl}
        self.miner = Miner(params.mining, context.published["class_sizes"]) if params.mining else None

    def prepare(self, draw: Draw) -> Sample:
        frame, miner = draw.read(draw.index), self.miner
        if miner is None or draw.domain not in miner.domains:
            return draw.crop(frame)
        return draw.crop(frame, lambda geometry: miner.place(frame.label, geometry, draw.rng))

    def losses(self, batch: Batch) -> Iterator[Losses]:
        domains = {n: d for n, d in (("source", batch.source), ("target", batch.target)) if d is not None}
        images = [self.target_view(d, batch) if n == "target" else d.images for n, d in domains.items()]
        outputs = zip(domains.items(), self.forward_together(*images), strict=True)
        pairs = {n: self.at_loss_resolution(output.logits, d.labels) for (n, d), output in outputs}
        regularisers = self.regularisers(*pairs["target"]) if "target" in pairs else {}
        yield {"model": self.supervised(pairs, batch.target) | regularisers}
        if batch.target is not None:
            yield from self.in_parts(False, *self.further_terms(batch, batch.target.labels))

    def supervised(self, pairs: Pairs, target: Domain | None) -> dict[str, Tensor]:
        """Cross-entropy of the domains that the batch holds."""
        weights = {"source": self.context.class_weights}
        if self.params.pool == "pixels":
            logits, labels = (torch.cat(parts) for parts in zip(*pairs.values(), strict=True))
            return {"pooled_ce": self.loss(logits, labels, weights["source"])}
        weights["target"] = self.tempered_class_weights(self.params.target_class_weights)
        return {f"{name}_ce": self.loss(*pair, weights[name]) for name, pair in pairs.items()}

    def regularisers(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Terms on the regions of the target: logits [N, C, h, w] with labels [N, h, w]."""
        named, per_class = {}, self.params.regulariser_scale == "per_class"
        if self.params.entropy:
            named["target_entropy"] = entropy(logits, labels == IGNORE, per_class)
        if self.params.kl:
            named["target_kl"] = kl_to_uniform(logits, labels != IGNORE, per_class)
        return named
