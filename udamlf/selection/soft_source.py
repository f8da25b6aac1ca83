"""As ``soft``, with prototypes of the source: of the pixels whose prediction is the label (proda.md 6)."""

import numpy as np
import torch
from torch import Tensor

from udamlf.config.labels import IGNORE
from udamlf.data.geometry import resize_label
from udamlf.models.base import Output
from udamlf.selection import soft


def rightly_predicted(logits: Tensor, label: Tensor) -> Tensor:
    """Predicted classes int64 [N, h, w] of logits [N, C, h, w]; IGNORE where the label [N, h, w] is another one."""
    predicted = logits.argmax(1)
    return predicted.masked_fill(predicted != label, IGNORE)


class Selector(soft.Selector):
    reads_source = observes_source = True

    def observe_source(self, output: Output, label: np.ndarray) -> None:
        small = resize_label(label, (output.logits.shape[-2], output.logits.shape[-1]))
        truth = torch.from_numpy(small).to(output.logits.device)
        super().learn(output, rightly_predicted(output.logits, truth[None]))

    def learn(self, output: Output, classes: Tensor) -> None:
        """The target's features are no part of the prototypes."""
