"""CRST's regularisers: which pixels they count, and that nothing to regularise is 0."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from udamlf.data.labels import IGNORE
from udamlf.losses.basic import cross_entropy, entropy, kl_to_uniform
from udamlf.losses.crst import lrent, mrent, mrkld

LOGITS = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.randint(4, (2, 3, 5), generator=torch.Generator().manual_seed(1))
LABELS[0, 0] = IGNORE
VALID = LABELS != IGNORE


def test_without_image_weights_they_are_means_over_the_labelled_pixels() -> None:
    torch.testing.assert_close(mrkld(LOGITS, LABELS), kl_to_uniform(LOGITS, VALID))
    torch.testing.assert_close(mrent(LOGITS, LABELS), -entropy(LOGITS, VALID))


@pytest.mark.parametrize("term", [mrkld, mrent])
def test_an_image_of_weight_zero_counts_in_neither_sum_nor_divisor(term) -> None:  # type: ignore[no-untyped-def]
    alone = term(LOGITS[1:], LABELS[1:])
    torch.testing.assert_close(term(LOGITS, LABELS, torch.tensor([0.0, 0.1])), 0.1 * alone)


@pytest.mark.parametrize("term", [mrkld, mrent])
def test_nothing_to_regularise_is_zero_with_a_gradient(term) -> None:  # type: ignore[no-untyped-def]
    for labels, weights in ((LABELS, torch.zeros(2)), (torch.full_like(LABELS, IGNORE), None)):
        logits = LOGITS.clone().requires_grad_()
        value = term(logits, labels, weights)
        assert value.item() == 0
        value.backward()
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_lrent_of_one_hot_labels_is_cross_entropy() -> None:
    soft = F.one_hot(LABELS.masked_fill(~VALID, 0), 4).permute(0, 3, 1, 2) * VALID.unsqueeze(1)
    torch.testing.assert_close(lrent(LOGITS, soft.float()), cross_entropy(LOGITS, LABELS))
    assert lrent(LOGITS, torch.zeros_like(LOGITS)).item() == 0


def test_mrent_is_bounded_by_the_uniform_distribution() -> None:
    assert mrent(torch.zeros_like(LOGITS), LABELS).item() == pytest.approx(-math.log(4))
