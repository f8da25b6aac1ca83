"""What a network costs: counted against arithmetic done by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.config.budget import EvalProtocol
from udamlf.evaluation.cost import inference_cost
from udamlf.models.base import Output, SegmentationModel


class Attending(SegmentationModel):
    """A patch embedding of 8x8 pixels, attention among the patches in two heads, a classifier."""

    def __init__(self) -> None:
        super().__init__(5)
        self.embed, self.classifier = nn.Conv2d(3, 16, 8, 8), nn.Conv2d(16, 5, 1)

    def forward(self, images: Tensor) -> Output:
        x = self.embed(images)
        tokens = x.flatten(2).unflatten(1, (2, 8)).transpose(2, 3)
        attended = F.scaled_dot_product_attention(tokens, tokens, tokens)
        return Output(self.classifier(attended.transpose(2, 3).flatten(1, 2).view_as(x)))


@pytest.mark.parametrize("flip", [False, True])
def test_every_view_counts_and_attention_too(flip: bool) -> None:
    """Of a 32x64 image at half its size: 2 x 4 patches; a multiplication and an addition are two operations."""
    model, image = Attending(), np.zeros((32, 64, 3), np.uint8)
    cost = inference_cost(model, image, EvalProtocol(size_hw=(16, 32), flip=flip))
    patches = 2 * 4
    once = 2 * patches * (3 * 64 * 16 + 16 * 5) + 2 * 2 * patches * patches * 16
    assert cost["cost/gflops"] * 1e9 == pytest.approx(once * (1 + flip))
    assert cost["cost/parameters"] == 3 * 64 * 16 + 16 + 16 * 5 + 5
    assert cost["cost/frames_per_second"] > 0 and model.training
