"""ProDA's first labelling: labels, soft labels and prototypes of one pass, against direct computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.selection.helpers import make
from udamlf.common.errors import UserError
from udamlf.data.pseudo_labels import decode_soft_label
from udamlf.models.base import Output
from udamlf.selection.base import label_images
from udamlf.selection.soft import MIN_PIXELS

CLASSES, CHANNELS, GRID = 5, 7, (6, 9)


def outputs(images: int = 4, seed: int = 0) -> list[Output]:
    """Network outputs of which the last class is never the most probable and class 3 always rare."""
    draw = torch.Generator().manual_seed(seed)
    shift = torch.tensor([0.0, 0.0, 0.0, -2.0, -50.0]).view(1, -1, 1, 1)
    logits = [2 * torch.randn(1, CLASSES, *GRID, generator=draw) + shift for _ in range(images)]
    return [Output(x, features=torch.randn(1, CHANNELS, *GRID, generator=draw)) for x in logits]


def labelled(network: list[Output]) -> tuple[Any, dict[int, np.ndarray]]:
    """A selector that has seen the images; its label maps."""
    selector = make("soft")

    def scores(index: int) -> Tensor:
        selector.observe_network(network[index], index)
        return network[index].logits[0].softmax(0)

    return selector, dict(label_images(selector, len(network), 0, scores))


def test_prototypes_are_the_means_of_one_pass() -> None:
    """Mean over images of the mean over the pixels of a class; an image with too few of them does not count, a class
    never seen has none."""
    network = outputs()
    arrays = labelled(network)[0].publish().arrays
    for c in range(CLASSES):
        members = [o.features[0][:, o.logits[0].argmax(0) == c] for o in network if o.features is not None]
        means = [m.mean(1) for m in members if m.shape[1] >= MIN_PIXELS]
        assert arrays["prototype_counts"][c] == len(means)
        expected = torch.stack(means).mean(0) if means else torch.zeros(CHANNELS)
        np.testing.assert_allclose(arrays["prototypes"][c], expected, atol=1e-5)
    assert arrays["prototypes"].dtype == np.float32 and arrays["prototype_counts"][:3].min() > 0


def test_every_pixel_has_its_most_probable_class_and_a_soft_label_is_handed_out_once() -> None:
    """Once, so that they do not pile up."""
    network = outputs()
    selector, labels = labelled(network)
    assert selector.stores_soft
    for index, output in enumerate(network):
        truth = output.logits[0].softmax(0)
        assert np.array_equal(labels[index], truth.argmax(0))
        decoded = decode_soft_label(selector.soft_label(index), CLASSES)
        assert torch.equal(decoded.argmax(0), truth.argmax(0)) and float((decoded - truth).abs().max()) < 0.01
        with pytest.raises(KeyError):
            selector.soft_label(index)


def test_a_network_without_features_is_refused() -> None:
    with pytest.raises(UserError, match="features"):
        labelled([Output(o.logits) for o in outputs()])
