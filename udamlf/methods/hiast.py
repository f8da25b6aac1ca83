"""HIAST's training: hard-class copy-paste, weak and strong views, an EMA teacher, region-adaptive regularisers.

Zhu et al., "Hard-aware Instance Adaptive Self-training", TPAMI 2025 (arXiv 2302.06992); hiast.md sections 3 to 5.
The student sees the strong view only; the teacher labels the ignored region softly from the weak view.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from udamlf.config import Strict
from udamlf.data.augment.copy_paste import Donors, copy_paste
from udamlf.data.augment.strong import strong_view
from udamlf.data.view import View
from udamlf.losses.basic import cross_entropy, region_terms
from udamlf.methods.base import BaseObjective, Batch, Context, Losses
from udamlf.models.ema import ema_update, make_teacher
from udamlf.selection.class_statistics import candidate_lists, hard_classes, sampling_probabilities


class HiastParams(Strict):
    """Parameters of ``hiast``; the defaults are the released ones.

    Attributes:
        hard_classes: how many classes of lowest mean confidence are pasted; 0 pastes nothing.
        max_donors: 1 is what the released code does; more is the rule its comments intend.
        decay: of the EMA teacher, from the first step on.
        entropy, kl, consistency: weights of the regularisers.
        consistency_region: where the teacher's soft labels are followed.
        regulariser_scale: ``per_class`` carries the released extra 1/C; ``per_pixel`` is the paper's formula.
        source_weight: weight of a source cross-entropy in the same BatchNorm batch; 0 is the published method.
        target_class_weights: power (0..1) of the class weights, taken from the source labels, in the target
            cross-entropy; 0 is the published method.
        strong: whether the student sees the strong view (else the weak one).
    """

    hard_classes: int = Field(14, ge=0)
    max_donors: int = Field(1, ge=1)
    decay: float = Field(0.999, ge=0, lt=1)
    entropy: float = Field(1.0, ge=0)
    kl: float = Field(0.1, ge=0)
    consistency: float = Field(0.5, ge=0)
    consistency_region: Literal["ignored", "confident", "all"] = "ignored"
    regulariser_scale: Literal["per_class", "per_pixel"] = "per_class"
    source_weight: float = Field(0.0, ge=0)
    target_class_weights: float = Field(0.0, ge=0, le=1)
    strong: bool = True


def donors(context: Context, hard: int) -> Donors | None:
    """Donor statistics of the round's own pseudo-labels; None without any image that could donate.

    A class without a kept pixel has no candidate and is never drawn (the released code fails on it).
    """
    extras = context.label_extras
    if hard == 0 or "class_mean_confidence" not in extras:
        return None
    mean = extras["class_mean_confidence"]
    candidates = candidate_lists(extras["class_pixels"], extras["labelled_images"])
    excluded = [c for c in range(len(mean)) if len(candidates[c]) == 0]
    chosen = hard_classes(mean, hard, excluded).tolist()
    if not chosen:
        return None
    probability = sampling_probabilities(mean, excluded, chosen)
    return Donors(chosen, probability, {c: candidates[c].tolist() for c in chosen})


class Objective(BaseObjective):
    """Cross-entropy and KL on the confident region, entropy and the teacher's consistency on the ignored one."""

    Params: ClassVar[type[Strict]] = HiastParams
    domains = ("target",)

    def __init__(self, params: HiastParams, context: Context) -> None:
        super().__init__(params, context)
        self.teacher = make_teacher(context.model).eval()
        self.donors = donors(context, params.hard_classes)

    @property
    def weights(self) -> dict[str, float]:
        p: HiastParams = self.params
        return {
            "source_ce": p.source_weight,
            "target_kl": p.kl,
            "target_entropy": p.entropy,
            "target_consistency": p.consistency,
        }

    def modules(self) -> dict[str, nn.Module]:
        return {"teacher": self.teacher}

    def teacher_network(self) -> nn.Module:
        return self.teacher

    def before_geometry(self, domain: str, view: View, rng: np.random.Generator, read: Callable[[int], View]) -> View:
        if domain != "target" or self.donors is None:
            return view

        def donor(index: int) -> tuple[np.ndarray, np.ndarray]:
            given = read(index)
            return given.image, given.label

        pasted = copy_paste(view.image, view.label, self.donors, donor, rng, self.params.max_donors)
        return View(pasted.image, pasted.label)

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        if domain == "target" and self.params.strong:
            view.images["strong"] = strong_view(view.image, rng)
        return view

    @torch.no_grad()
    def _teach(self, images: Tensor, labels: Tensor) -> Tensor:
        self.teacher.eval()
        logits, _ = self.at_loss_resolution(self.teacher(images).logits, labels)
        return logits.softmax(1)

    def losses(self, batch: Batch) -> Losses:
        assert batch.target is not None
        p: HiastParams = self.params
        target = batch.target
        taught = self._teach(target.images, target.labels) if p.consistency else None
        seen = target.views.get("strong", target.images)
        named: dict[str, Tensor] = {}
        if batch.source is None:
            output = self.model(seen)
        else:
            on_source, output = self.forward_together(batch.source.images, seen)
            source_logits, source_labels = self.at_loss_resolution(on_source.logits, batch.source.labels)
            named["source_ce"] = cross_entropy(source_logits, source_labels, self.context.class_weights)
        logits, labels = self.at_loss_resolution(output.logits, target.labels)
        terms = region_terms(logits, labels, taught, p.consistency_region, p.regulariser_scale == "per_class")
        weights = self.tempered_class_weights(p.target_class_weights)
        named["target_ce"] = terms.cross_entropy if weights is None else cross_entropy(logits, labels, weights)
        named |= {"target_kl": terms.kl_to_uniform, "target_entropy": terms.entropy}
        if terms.consistency is not None:
            # HIAST's N counts classes too: without the extra 1/C it is C times as large.
            scale = 1 if p.regulariser_scale == "per_class" else logits.shape[1]
            named["target_consistency"] = terms.consistency * scale
        return {"model": named}

    def after_step(self, step: int) -> None:
        ema_update(self.teacher, self.model, self.params.decay, "copy")
