"""ProDA's stages 2 and 3 (Zhang et al., CVPR 2021; proda.md 9): hard labels, and distillation from the last network."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.strong_view import gather_maps
from udamlf.losses import cross_entropy, entropy
from udamlf.methods.proda import StrongViewObjective, StrongViewParams
from udamlf.models.base import Output
from udamlf.training.objective import Batch, Context, Losses

Form = Literal["corrected", "released"]


def distillation(student_logits: Tensor, teacher_logits: Tensor, form: Form = "corrected") -> Tensor:
    """Mean over pixels and classes of logits float [N, C, h, w]: "corrected" is KL(teacher || student) / C, "released"
    has the student's probability in its logarithm's place, a bug that the authors confirmed (proda.md, 13.6)."""
    log_teacher = F.log_softmax(teacher_logits.detach(), 1)
    if form == "corrected":
        return F.kl_div(F.log_softmax(student_logits, 1), log_teacher, reduction="none", log_target=True).mean()
    return (log_teacher.exp() * (log_teacher - torch.softmax(student_logits, 1))).mean()


class DistillationParams(StrongViewParams):
    form: Form = "corrected"


class Objective(StrongViewObjective):
    """Cross-entropy on source and hard target labels, and distillation from the previous network; weights of 1."""

    Params: ClassVar[type[Strict]] = DistillationParams

    def __init__(self, params: DistillationParams, context: Context) -> None:
        super().__init__(params, context)
        if context.teacher is None:
            raise UserError("objective distillation without a teacher", "a round after another training")
        self.teacher = context.teacher().to(context.device).eval()
        self.weights = {"target_entropy": params.entropy}

    def losses(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        strong, index = batch.target.views["strong"], batch.target.arrays["strong_index"]
        labels = gather_maps(self.labels_on_grid(batch.target.labels).unsqueeze(1), index, IGNORE).squeeze(1)

        def on_strong(output: Output) -> dict[str, Tensor]:
            logits = self.model.upsample(output.logits.float(), labels.shape[-2:])
            with torch.no_grad():
                targets = self.model.upsample(self.teacher(strong).logits.float(), labels.shape[-2:])
            weights = self.tempered_class_weights(self.params.target_class_weights)
            named = {"target_ce": cross_entropy(logits, labels, weights)}
            named["distillation"] = distillation(logits, targets, self.params.form)
            if self.params.entropy:
                named["target_entropy"] = entropy(logits, labels == IGNORE)
            return named

        further = self.further_terms(batch, batch.target.labels)
        yield from self.with_source(batch.source, self.params.joint_batch, (strong, on_strong), *further)
