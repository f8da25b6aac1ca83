"""ProDA's and the online recipe's losses: definitions, limits, empty masks, and where gradients go."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor

from udamlf.data.labels import IGNORE
from udamlf.losses.feature_distance import class_mask, downscale_labels, feature_distance
from udamlf.losses.mixed import mixed_cross_entropy
from udamlf.losses.proda import distillation, reverse_cross_entropy, structure_consistency, symmetric_cross_entropy


def logits(seed: int = 0, strength: float = 3.0) -> Tensor:
    return strength * torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(seed))


def labels() -> Tensor:
    drawn = torch.randint(0, 5, (2, 3, 5), generator=torch.Generator().manual_seed(9))
    return drawn.masked_fill(drawn == 4, IGNORE)


def test_reverse_cross_entropy_is_its_definition() -> None:
    """The closed form equals -sum q log g pixel by pixel."""
    x, y, total, count = logits(), labels(), 0.0, 0
    probabilities = torch.softmax(x, 1).clamp(min=1e-7)
    for n, i, j in (y != IGNORE).nonzero().tolist():
        for c in range(4):
            total -= float(probabilities[n, c, i, j]) * math.log(1.0 if c == y[n, i, j] else 1e-4)
        count += 1
    assert float(reverse_cross_entropy(x, y)) == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: reverse_cross_entropy(x, torch.full((2, 3, 5), IGNORE)),
        lambda x: symmetric_cross_entropy(x, torch.full((2, 3, 5), IGNORE)),
        lambda x: structure_consistency(x, logits(1), torch.zeros(2, 3, 5, dtype=torch.bool)),
        lambda x: feature_distance(x, logits(1), torch.zeros(2, 3, 5, dtype=torch.bool)),
        lambda x: mixed_cross_entropy(x, torch.full((2, 3, 5), IGNORE), torch.ones(2, 3, 5)),
    ],
)
def test_empty_mask_gives_zero_with_a_gradient_path(loss: Callable[[Tensor], Tensor]) -> None:
    x = logits().requires_grad_()
    value = loss(x)
    value.backward()
    assert value.item() == 0
    assert x.grad is not None and (x.grad == 0).all()


def test_reverse_cross_entropy_forgives_noise() -> None:
    """A confident wrong pixel costs at most -log(label floor) and pushes no gradient: the point of the loss."""
    x = torch.tensor([30.0, 0, 0, 0]).view(1, 4, 1, 1).requires_grad_()
    value = reverse_cross_entropy(x, torch.tensor([[[1]]]))
    value.backward()
    assert value.item() == pytest.approx(-math.log(1e-4), rel=1e-4)
    assert x.grad is not None and x.grad.abs().max() < 1e-5


def test_structure_is_zero_for_equal_distances_and_positive_else() -> None:
    """KL of the assignments; pixels that are not valid, and the teacher, take no part."""
    student, teacher = logits(0).abs().requires_grad_(), logits(1).abs().requires_grad_()
    valid = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(4)) < 0.5
    assert structure_consistency(student, student, valid).item() == pytest.approx(0, abs=1e-7)
    value = structure_consistency(student, teacher, valid)
    value.backward()
    assert value > 0 and teacher.grad is None
    elsewhere = torch.where(valid.unsqueeze(1), teacher, torch.full_like(teacher, 250.0))
    assert structure_consistency(student, elsewhere, valid).item() == value.item()
    assert student.grad is not None and (student.grad.abs().sum(1) > 0).equal(valid)


def test_structure_survives_far_prototypes() -> None:
    """Distances of thousands give no nan though the assignments underflow."""
    student = (1000 * logits(0).abs()).requires_grad_()
    value = structure_consistency(student, 1000 * logits(1).abs(), torch.ones(2, 3, 5, dtype=torch.bool))
    value.backward()
    assert value.isfinite() and student.grad is not None and student.grad.isfinite().all()


def test_only_the_corrected_distillation_is_a_divergence() -> None:
    """It is 0, with no gradient, for equal logits; the released form still pushes, which is its bug."""
    gradients = {}
    forms: tuple[Literal["corrected", "released"], ...] = ("corrected", "released")
    for form in forms:
        x = logits().requires_grad_()
        distillation(x, logits(), form).backward()
        assert x.grad is not None
        gradients[form] = x.grad.abs().max().item()
    assert distillation(logits(), logits()).item() == pytest.approx(0, abs=1e-7)
    assert distillation(logits(), logits(1)) > 0
    assert gradients["corrected"] < 1e-7 < 1e-4 < gradients["released"]


def test_mixed_loss_divides_by_all_pixels() -> None:
    """An ignored pixel counts in the divisor; a weight of 0 silences a pixel."""
    x, y = torch.zeros(1, 4, 1, 4), torch.tensor([[[0, 1, IGNORE, 2]]])
    weights = torch.tensor([[[1.0, 0.5, 1.0, 0.0]]])
    assert mixed_cross_entropy(x, y, weights).item() == pytest.approx(1.5 * math.log(4) / 4)


def test_downscaled_labels_need_a_dominant_class() -> None:
    """Three of four pixels are enough at 0.75, two are not; a cell of ignored pixels stays ignored."""
    full = torch.tensor([[[1, 1, 2, 2, IGNORE, IGNORE], [1, 0, 0, 0, IGNORE, IGNORE]]])
    full[0, 1, 2] = 2
    assert downscale_labels(full, 2, 3).tolist() == [[[1, 2, IGNORE]]]
    full[0, 0, 2] = 0
    assert downscale_labels(full, 2, 3).tolist() == [[[1, IGNORE, IGNORE]]]
    assert class_mask(torch.tensor([[1, 2, IGNORE]]), [2, 7]).tolist() == [[False, True, False]]


def test_feature_distance_of_equal_features_has_no_nan_gradient() -> None:
    x = logits().requires_grad_()
    value = feature_distance(x, logits(), torch.ones(2, 3, 5, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert x.grad is not None and (x.grad == 0).all()
