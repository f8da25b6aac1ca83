"""ProDA's first labelling: labels, soft labels and prototypes of one pass, against direct computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.selection.helpers import space
from udamlf.errors import UserError
from udamlf.models.base import Output
from udamlf.selection.base import build, label_images
from udamlf.selection.soft import Soft
from udamlf.selection.soft_labels import decode_soft_label

CLASSES, CHANNELS, GRID = 5, 7, (6, 9)


def outputs(images: int = 4, seed: int = 0) -> list[Output]:
    """Network outputs of which the last class is never the most probable and class 3 always rare."""
    draw = torch.Generator().manual_seed(seed)
    shift = torch.tensor([0.0, 0.0, 0.0, -2.0, -50.0]).view(1, -1, 1, 1)
    logits = [2 * torch.randn(1, CLASSES, *GRID, generator=draw) + shift for _ in range(images)]
    return [Output(x, features=torch.randn(1, CHANNELS, *GRID, generator=draw)) for x in logits]


def labelled(given: list[Output], **params: Any) -> tuple[Soft, dict[int, np.ndarray]]:
    """A selector that has seen the images; its label maps."""
    selector = build("soft", params, space(CLASSES), round=1)
    assert isinstance(selector, Soft)

    def scores(index: int) -> Tensor:
        selector.observe_network(given[index], index)
        return given[index].logits[0].softmax(0)

    return selector, dict(label_images(selector, len(given), 0, scores))


@pytest.mark.parametrize("weighting", ["image", "pixel"])
def test_prototypes_are_the_means_of_one_pass(weighting: str) -> None:
    """Mean over images of the mean over the pixels of a class, or the mean over all of its pixels; an image with fewer
    than ``min_pixels`` of them does not count, a class never seen has none."""
    given, minimum = outputs(), 8
    selector, _ = labelled(given, weighting=weighting, min_pixels=minimum)
    found = selector.extras()
    for c in range(CLASSES):
        members = [o.features[0][:, o.logits[0].argmax(0) == c] for o in given]
        members = [m for m in members if m.shape[1] >= minimum]
        if not members:
            assert not found["prototypes"][c].any() and found["prototype_counts"][c] == 0
            continue
        means = torch.stack([m.mean(1) for m in members]).mean(0)
        expected = means if weighting == "image" else torch.cat(members, 1).mean(1)
        np.testing.assert_allclose(found["prototypes"][c], expected, atol=1e-5)
        counted = len(members) if weighting == "image" else sum(m.shape[1] for m in members)
        assert found["prototype_counts"][c] == counted
    assert found["prototypes"].dtype == np.float32 and not found["prototypes"][CLASSES - 1].any()


def test_every_pixel_has_its_most_probable_class() -> None:
    given = outputs()
    _, labels = labelled(given)
    assert all(np.array_equal(labels[i], o.logits[0].argmax(0)) for i, o in enumerate(given))


def test_what_is_stored_of_the_soft_labels() -> None:
    """``full`` is exact, ``compact`` keeps the most probable classes to half precision, ``none`` keeps nothing; a soft
    label is handed out once, so that they do not pile up."""
    given = outputs()
    truth = given[2].logits[0].softmax(0)
    selector, _ = labelled(given, storage="full")
    assert torch.equal(decode_soft_label(selector.soft_label(2), CLASSES), truth)
    with pytest.raises(KeyError):
        selector.soft_label(2)
    selector, _ = labelled(given, storage="compact", top=2)
    stored = selector.soft_label(2)
    assert stored.shape == (2, *GRID)
    decoded = decode_soft_label(stored, CLASSES)
    assert torch.equal(decoded.argmax(0), truth.argmax(0)) and float((decoded - truth).abs().max()) < 0.2
    selector, _ = labelled(given, storage="none")
    assert not selector.stores_soft and "prototypes" in selector.extras()


def test_a_network_without_features_is_refused() -> None:
    with pytest.raises(UserError, match="features"):
        labelled([Output(o.logits) for o in outputs()])
