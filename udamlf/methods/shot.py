"""Source-free adaptation (SHOT; Liang et al., ICML 2020, arXiv 2002.08546) on top of ``self_training``: from a network
alone. Each prediction is to be sure and their mean diverse; what maps features to classes stays the source's."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from udamlf.config.parts import Strict
from udamlf.losses import entropy
from udamlf.methods import self_training
from udamlf.training.objective import Context


def negative_diversity(logits: Tensor) -> Tensor:
    """sum_c m_c log m_c (-log C..0) of the mean m of the predictions float [N, C, H, W] over images and pixels."""
    mean = F.softmax(logits, 1).mean((0, 2, 3))
    return torch.xlogy(mean, mean).sum()


class ShotParams(self_training.SelfTrainingParams):
    """Parameters of ``shot``, beside those of ``self_training``, whose cross-entropy has weight 1 here (SHOT: 0.3)."""

    certainty: float = Field(1.0, ge=0)  # weight of the mean entropy of all pixels
    diversity: float = Field(1.0, ge=0)


class Objective(self_training.Objective):
    """Cross-entropy on the pseudo-labels, and the information that predictions hold."""

    Params: ClassVar[type[Strict]] = ShotParams

    def __init__(self, params: ShotParams, context: Context) -> None:
        super().__init__(params, context)
        self.weights |= {"target_certainty": params.certainty, "target_diversity": params.diversity}
        for name, parameter in self.model.named_parameters():
            if name.startswith(f"{self.model.classifier_name}."):
                parameter.requires_grad_(False)

    def regularisers(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        terms = super().regularisers(logits, labels)
        terms["target_certainty"] = entropy(logits, torch.ones_like(labels, dtype=torch.bool))
        return terms | {"target_diversity": negative_diversity(logits)}
