"""Self-training on pseudo-labels (ST, CBST, IAST): cross-entropy on source and target, and region regularisers.

The regularisers are IAST's (ECCV 2020, section 3): entropy is minimised on the ignored region,
confidence is tempered by a KL to uniform on the labelled one.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.labels import IGNORE
from udamlf.losses.basic import cross_entropy, entropy, kl_to_uniform
from udamlf.methods.base import Batch, BaseObjective, Losses


class Params(Strict):
    """Parameters of ``self_training``.

    Attributes:
        pool: mean over all labelled pixels of both domains (CBST), or a separate mean per domain (``source_weight``
            and ``target_weight`` then weigh them).
        source_weight: 0 leaves the source out; its images are then not even read (IAST).
        entropy: weight of the entropy of the ignored region.
        kl: weight of the KL to uniform of the labelled region.
        regulariser_scale: ``per_class`` divides both by the number of classes once more, as IAST's released code does
            (iast.md, 3); ``per_pixel`` is the paper's formula.
        joint_batch: source and target share one forward pass and thus their BatchNorm statistics.
        target_class_weights: class weights, taken from the source labels, also on the target.
    """

    pool: Literal["pixels", "domains"] = "domains"
    source_weight: float = Field(1.0, ge=0)
    target_weight: float = Field(1.0, ge=0)
    entropy: float = Field(0.0, ge=0)
    kl: float = Field(0.0, ge=0)
    regulariser_scale: Literal["per_class", "per_pixel"] = "per_class"
    joint_batch: bool = True
    target_class_weights: bool = True


class Objective(BaseObjective):
    """Cross-entropy on source labels and target pseudo-labels, entropy and KL on the regions of the target."""

    Params = Params
    domains = ("source", "target")

    @property
    def weights(self) -> dict[str, float]:
        p: Params = self.params
        return {
            "source_ce": p.source_weight,
            "target_ce": p.target_weight,
            "target_entropy": p.entropy,
            "target_kl": p.kl,
        }

    def losses(self, batch: Batch) -> Losses:
        assert batch.target is not None
        p: Params = self.params
        domains = [d for d in (batch.source, batch.target) if d is not None]
        if p.joint_batch:
            outputs = self.forward_together(*(d.images for d in domains))
        else:
            outputs = [self.model(d.images) for d in domains]
        pairs = [self.at_loss_resolution(o.logits, d.labels) for o, d in zip(outputs, domains, strict=True)]
        logits, labels = pairs[-1]
        named: dict[str, Tensor] = {}
        if p.pool == "pixels":
            together = [torch.cat(parts) for parts in zip(*pairs, strict=True)]
            named["pooled_ce"] = cross_entropy(together[0], together[1], self.context.class_weights)
        else:
            if batch.source is not None:
                named["source_ce"] = cross_entropy(*pairs[0], self.context.class_weights)
            weights = self.context.class_weights if p.target_class_weights else None
            named["target_ce"] = cross_entropy(logits, labels, weights)
        per_class = p.regulariser_scale == "per_class"
        if p.entropy:
            named["target_entropy"] = entropy(logits, labels == IGNORE, per_class)
        if p.kl:
            named["target_kl"] = kl_to_uniform(logits, labels != IGNORE, per_class)
        return {"model": named}
