"""Class mixing: who is pasted, what the online labels weigh, and that nothing depends on more than the generator."""

from __future__ import annotations

import numpy as np
import torch

from udamlf.data.augment.class_mix import choose_classes, mix, mix_masks, online_labels
from udamlf.data.labels import IGNORE
from udamlf.seeding import rng


def source_labels() -> torch.Tensor:
    labels = torch.randint(0, 7, (3, 8, 10), generator=torch.Generator().manual_seed(0))
    labels[1] = torch.where(labels[1] < 3, labels[1], IGNORE)
    labels[2] = IGNORE
    return labels


def test_half_of_the_samples_own_classes_are_pasted() -> None:
    """ceil(K/2) whole classes of each sample, never ignored pixels; a sample without labels gives nothing."""
    labels = source_labels()
    masks = mix_masks(labels, rng(0, "mix"))
    for label, mask, own in zip(labels, masks, (7, 3, 0), strict=True):
        pasted = set(label[mask].tolist())
        assert len(pasted) == -(-own // 2) and IGNORE not in pasted
        assert not (set(label[~mask].tolist()) & pasted)


def test_released_slip_draws_from_the_batch() -> None:
    """With classes of the batch an image of few classes may get none of them, and IGNORE may be pasted."""
    labels = source_labels()
    pasted = [set(labels[1][mix_masks(labels, rng(s), classes_of="batch")[1]].tolist()) for s in range(60)]
    assert {len(found - {IGNORE}) for found in pasted} == {0, 1, 2, 3}
    assert any(IGNORE in found for found in pasted)


def test_choice_is_a_function_of_the_generator() -> None:
    present = np.arange(9)
    one, other = (choose_classes(present, rng(4, "x")) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert len(set(one.tolist())) == 5
    drawn = {tuple(sorted(choose_classes(present, rng(s)).tolist())) for s in range(30)}
    assert len(drawn) > 10


def test_online_labels_weigh_by_the_confident_share() -> None:
    """One scalar for the whole batch, 0 in the ignored rows, and no ignored pixel."""
    logits = torch.zeros(2, 3, 6, 4)
    logits[0, 1] = 20.0
    found = online_labels(logits, threshold=0.9, ignore_top=1, ignore_bottom=2)
    assert found.confident_share.item() == 0.5
    assert (found.labels[0] == 1).all() and (found.labels < 3).all()
    assert (found.weights[:, 1:4] == 0.5).all()
    assert found.weights[:, 0].abs().sum() == 0 and found.weights[:, 4:].abs().sum() == 0
    assert (online_labels(logits, threshold=0.9).weights == 0.5).all()


def test_mix_takes_source_where_the_mask_is_true() -> None:
    """Images, labels and weights alike."""
    mask = torch.tensor([[[True, False]]])
    image = mix(mask, torch.ones(1, 3, 1, 2), torch.zeros(1, 3, 1, 2))
    assert image[0, :, 0].tolist() == [[1.0, 0.0]] * 3
    assert mix(mask, torch.tensor([[[4, 4]]]), torch.tensor([[[IGNORE, 6]]])).tolist() == [[[4, 6]]]
