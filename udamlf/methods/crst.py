"""CRST (Zou et al., ICCV 2019; cbst.md 10): MRKLD and MRENT temper the confidence, LRENT has soft labels."""

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw
from udamlf.data.colour import jitter
from udamlf.data.sample import Domain, Sample
from udamlf.losses import cross_entropy, entropy, kl_to_uniform, masked_mean, soft_cross_entropy
from udamlf.methods import self_training
from udamlf.selection.class_balanced import entropy_regularised
from udamlf.training.objective import Batch, Context


def mrkld(logits: Tensor, labels: Tensor, image_weights: Tensor | None = None) -> Tensor:
    """KL to uniform over labelled pixels; ``image_weights`` float [N] multiply each image, 0 leaves it out."""
    if image_weights is None:
        return kl_to_uniform(logits, labels != IGNORE)
    weights = image_weights.to(logits).view(-1, 1, 1)
    return masked_mean(-F.log_softmax(logits, 1).mean(1) * weights, (labels != IGNORE) & (weights != 0))


def mrent(logits: Tensor, labels: Tensor) -> Tensor:
    """Model regularisation by negative entropy: mean of sum_c p_c log p_c (-log C..0) over labelled pixels."""
    return -entropy(logits, labels != IGNORE)


def lrent(logits: Tensor, soft_labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Cross-entropy against soft labels float [N, C, H, W], mean over the pixels that have one; the others are 0."""
    if class_weights is None:
        return soft_cross_entropy(logits, soft_labels, torch.any(soft_labels != 0, dim=1))
    weighted = soft_labels * class_weights.view(1, -1, 1, 1)
    total = weighted.sum()
    return -(weighted * F.log_softmax(logits, 1)).sum() / torch.where(total > 0, total, 1.0)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Labels int64 [N, H, W] as float32 [N, C, H, W]; 0 for every class where ignored."""
    valid = labels != IGNORE
    return F.one_hot(labels.where(valid, 0), num_classes).permute(0, 3, 1, 2).float() * valid[:, None]


class CrstParams(self_training.SelfTrainingParams):
    mrkld: float = Field(0.0, ge=0)  # weight of the KL to uniform; released: 0.1 an image, times 0.1
    mrent: float = Field(0.0, ge=0)  # weight of the negative entropy
    lrent: float | None = Field(None, gt=0)  # alpha of the soft labels, 0.25; the selector's is ``soft_alpha``
    lrent_jitter: float = Field(0.0, ge=0)  # photometric, of the student's view alone; jitter_target is then 0


class Objective(self_training.Objective):
    """Self-training with tempered confidence, or with soft labels that the frozen labeller makes in every step."""

    Params: ClassVar[type[Strict]] = CrstParams
    needs: ClassVar = {**self_training.Objective.needs, "lrent": ("thresholds", "divisors")}

    def __init__(self, params: CrstParams, context: Context) -> None:
        super().__init__(params, context)
        self.weights |= {"target_mrkld": params.mrkld, "target_mrent": params.mrent}
        if params.lrent is None:
            return
        thresholds = context.published["thresholds"]
        # A top-1 probability is at least 1/C: what is lower was weighted by a prior, which a crop does not know.
        if np.nanmin(np.append(thresholds, np.inf)) < 0.99 / context.space.num_classes:
            raise UserError("lrent with thresholds of scores weighted by a prior", "a selector without spatial prior")
        assert context.teacher is not None
        self.labeller = context.teacher().to(context.device).eval().requires_grad_(False)
        self.divisors = torch.from_numpy(np.array(context.published["divisors"])).to(context.device)

    def prepare(self, draw: Draw) -> Sample:
        crop = super().prepare(draw)
        if draw.domain == "target" and self.params.lrent_jitter:
            crop.images["student"] = jitter(crop.image, draw.rng, self.params.lrent_jitter)
        return crop

    def target_view(self, target: Domain, batch: Batch) -> Tensor:
        return target.views.get("student", target.images)

    @staticmethod
    def loss(logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
        return (lrent if labels.is_floating_point() else cross_entropy)(logits, labels, class_weights)

    def supervised(self, pairs: self_training.Pairs, target: Domain | None) -> dict[str, Tensor]:
        if self.params.lrent is not None and target is not None:
            logits, labels = pairs["target"]
            pairs = {**pairs, "target": (logits, self.soft_labels(target.images, labels))}
            if self.params.pool == "pixels" and "source" in pairs:
                source_logits, hard = pairs["source"]
                pairs["source"] = (source_logits, one_hot(hard, logits.shape[1]))
        return super().supervised(pairs, target)

    @torch.no_grad()
    def soft_labels(self, images: Tensor, labels: Tensor) -> Tensor:
        """LRENT's soft labels of crops, float32 [N, C, h, w], of the pixels that have one in int64 [N, h, w]."""
        scores = self.labeller.upsample(self.labeller(images).logits.float(), labels.shape[-2:]).softmax(1)
        soft = torch.stack([entropy_regularised(image, self.divisors, self.params.lrent)[0] for image in scores])
        return soft * (labels != IGNORE)[:, None]

    def regularisers(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        terms = {"target_mrkld": mrkld, "target_mrent": mrent}
        named = {name: term(logits, labels) for name, term in terms.items() if self.weights[name]}
        return super().regularisers(logits, labels) | named
