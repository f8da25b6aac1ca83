"""HIAST's regularisers: the single losses from one softmax, and a consistency that counts pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests import toy
from udamlf.config.labels import IGNORE, SYNTHIA_19
from udamlf.losses import entropy, kl_to_uniform, soft_cross_entropy
from udamlf.methods.hiast import Objective, consistency, donors, region_terms

N, C, H, W = 2, 5, 6, 7
LABELS = torch.randint(C, (N, H, W), generator=torch.Generator().manual_seed(2))
LABELS[torch.rand(N, H, W, generator=torch.Generator().manual_seed(3)) < 0.4] = IGNORE
TARGETS = torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(4)).softmax(1)


def logits() -> torch.Tensor:
    return torch.randn(N, C, H, W, generator=torch.Generator().manual_seed(1)).requires_grad_()


@pytest.mark.parametrize("per_class", [True, False])
def test_region_terms_are_the_single_losses(per_class: bool) -> None:
    z, ignored = logits(), LABELS == IGNORE
    terms = region_terms(z, LABELS, TARGETS, per_class)
    torch.testing.assert_close(terms["target_kl"], kl_to_uniform(z, ~ignored, per_class))
    torch.testing.assert_close(terms["target_entropy"], entropy(z, ignored, per_class))
    pixels = soft_cross_entropy(z, TARGETS, ignored)
    torch.testing.assert_close(terms["target_consistency"], pixels / C if per_class else pixels)


def test_consistency_counts_only_the_pairs_that_are_not_zero() -> None:
    """One non-zero pair a pixel: no factor 1/C is left."""
    everywhere = torch.ones(N, H, W, dtype=torch.bool)
    one_hot = F.one_hot(torch.zeros(N, H, W, dtype=torch.long), C).permute(0, 3, 1, 2).float()
    z = logits()
    torch.testing.assert_close(
        consistency(z.log_softmax(1), one_hot, everywhere), soft_cross_entropy(z, one_hot, everywhere)
    )


@pytest.mark.parametrize("label", [0, IGNORE])
def test_an_empty_region_gives_zero_and_the_teacher_no_gradient(label: int) -> None:
    z, targets = logits(), TARGETS.clone().requires_grad_()
    terms = region_terms(z, torch.full_like(LABELS, label), targets)
    empty = {"target_kl"} if label == IGNORE else {"target_entropy", "target_consistency"}
    assert {name for name, value in terms.items() if value.item() == 0} == empty
    torch.stack(list(terms.values())).sum().backward()
    assert targets.grad is None and z.grad is not None and bool(z.grad.isfinite().all())


def test_hard_classes_are_pasted_into_the_target_alone() -> None:
    """With every class of the toy world hard, pasted frames have more labels than without; the source has no donors."""
    pasting, plain = (toy.objective("hiast", {"hard_share": share}) for share in (1.0, 0.0))
    assert isinstance(pasting, Objective) and isinstance(plain, Objective)
    assert pasting.donors is not None and plain.donors is None
    batches = [toy.batch(method) for method in (pasting, plain)]
    labelled = [(b.target.labels != IGNORE).sum() for b in batches if b.target is not None]
    assert labelled[0] > labelled[1]
    assert batches[0].source is not None and not batches[0].source.views


def test_an_output_that_no_score_counts_is_never_pasted() -> None:
    """SYNTHIA's files have 19 outputs; a network that sees terrain somewhere, unsurely, pastes it nowhere."""
    context, terrain, scored = toy.objective("hiast").context, 9, SYNTHIA_19.indices("16")
    pixels = np.full((3, 19), 50)
    pixels[:, [9, 14, 16]] = 0
    pixels[0, terrain] = 7
    mean = np.where(np.arange(19) == terrain, 0.5, 0.9)
    published = {"class_mean_confidence": mean, "class_pixels": pixels, "labelled_images": np.arange(3)}
    found = donors(replace(context, space=SYNTHIA_19, published=published), 14)
    assert len(found.hard_classes) == 14
    assert set(found.hard_classes) <= set(scored) and not found.probability[[9, 14, 16]].any()
