"""Class mixing: who is pasted, what the online labels weigh, and that nothing depends on more than the generator."""

from __future__ import annotations

import numpy as np
import torch

from udamlf.data.augment.class_mix import choose_classes, mix, mix_mask, online_labels
from udamlf.data.labels import IGNORE
from udamlf.seeding import rng


def test_half_of_the_images_own_classes_are_pasted() -> None:
    """ceil(K/2) whole classes of the image, never ignored pixels; an image without labels gives nothing."""
    drawn = rng(0, "labels").integers(0, 7, (8, 10)).astype(np.uint8)
    few, none = np.where(drawn < 3, drawn, np.uint8(IGNORE)), np.full_like(drawn, IGNORE)
    for label, own in ((drawn, 7), (few, 3), (none, 0)):
        mask = mix_mask(label, rng(0, "mix")).astype(bool)
        pasted = set(label[mask].tolist())
        assert len(pasted) == -(-own // 2) and IGNORE not in pasted
        assert not (set(label[~mask].tolist()) & pasted)
    assert not mix_mask(drawn, rng(0, "mix"), share=0.0).any()


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
