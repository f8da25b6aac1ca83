"""ProDA's stages 2 and 3: a student from self-supervised weights learns hard labels and from the previous network.

Zhang et al., CVPR 2021 (arXiv 2101.10979); proda.md, section 9. Labels, student and teacher meet on the strong view of
the crop; the teacher is frozen and sees the same image, cutout included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.augment.randaugment import gather_maps
from udamlf.data.labels import IGNORE
from udamlf.errors import UserError
from udamlf.losses.basic import cross_entropy, entropy
from udamlf.losses.proda import distillation
from udamlf.methods.base import Batch, Context, Losses
from udamlf.methods.proda import StrongViewObjective, Term, ViewParams
from udamlf.models.base import Output


class DistillationParams(ViewParams):
    """Parameters of ``distillation``; the defaults are the published ones.

    Attributes:
        target_weight: weight of the cross-entropy on the hard labels.
        distillation: weight of the distillation, over all pixels.
        form: "corrected" is the KL divergence; "released" the inner product that the published checkpoints were
            trained with (proda.md, 13.6).
    """

    target_weight: float = Field(1.0, ge=0)
    distillation: float = Field(1.0, ge=0)
    form: Literal["corrected", "released"] = "corrected"


class Objective(StrongViewObjective):
    """Cross-entropy on source and hard target labels, and distillation from the previous network."""

    Params: ClassVar[type[Strict]] = DistillationParams

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        if context.teacher is None:
            raise UserError("objective distillation without a teacher", "a round after another training")
        self.teacher = context.teacher().to(context.device).eval()

    @property
    def weights(self) -> dict[str, float]:
        p: DistillationParams = self.params
        return {
            "source_ce": p.source_weight,
            "target_ce": p.target_weight,
            "target_entropy": p.entropy,
            "distillation": p.distillation,
        }

    def parts(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        strong, index = batch.target.views["strong"], batch.target.arrays["strong_index"]
        labels = gather_maps(self.labels_on_grid(batch.target.labels).unsqueeze(1), index, IGNORE).squeeze(1)
        terms: list[Term] = [] if batch.source is None else [self.source_term(batch.source)]
        terms.append((strong, lambda output: self._on_strong(output, labels, strong)))
        yield from self.in_parts(terms)

    def _on_strong(self, output: Output, labels: Tensor, strong: Tensor) -> dict[str, Tensor]:
        size = (labels.shape[-2], labels.shape[-1])
        logits = self.model.upsample(output.logits.float(), size)
        with torch.no_grad():
            taught = self.model.upsample(self.teacher(strong).logits.float(), size)
        named = {
            "target_ce": cross_entropy(logits, labels, self.target_weights()),
            "distillation": distillation(logits, taught, self.params.form),
        }
        if self.params.entropy:
            named["target_entropy"] = entropy(logits, labels == IGNORE)
        return named
