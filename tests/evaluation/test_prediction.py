"""A prediction depends on the image and the protocol alone, and leaves the network as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import EvalProtocol
from udamlf.evaluation.predict import input_sizes, label_scores, network_logits, resized, scores, upsample_probabilities
from udamlf.models.base import Output, SegmentationModel

IMAGES = rng(0, "images").integers(0, 256, (3, 20, 28, 3), np.uint8)


class Small(SegmentationModel):
    """A stride-2 convolution, BatchNorm and dropout: everything that eval mode must switch off."""

    align_corners = True

    def __init__(self) -> None:
        super().__init__(4)
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3, 2, 1)
        self.norm = nn.BatchNorm2d(4)
        self.dropout = nn.Dropout2d(0.5)
        self.sizes: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Output:
        self.sizes.append((images.shape[-2], images.shape[-1]))
        return Output(self.dropout(self.norm(self.conv(images))))


@pytest.fixture
def model() -> Small:
    return Small()


PROTOCOLS = [
    EvalProtocol(),
    EvalProtocol(average="logits"),
    EvalProtocol(average="network", flip=True),
    EvalProtocol(size_hw=(10, 14), interpolation="bilinear"),
    EvalProtocol(size_hw=(10, 14), average="output", flip=True),
    EvalProtocol(size_hw=(10, 14), interpolation="lanczos", average="cbst", flip=True),
    EvalProtocol(size_hw=(10, 14), interpolation="lanczos", flip=True),
    EvalProtocol(scales=(0.5, 1.0, (25, 30)), flip=True),
]


def test_a_test_size_of_no_pixel_is_refused() -> None:
    with pytest.raises(UserError, match="a test size of"):
        input_sizes(EvalProtocol(scales=(0.0001,)), (1024, 2048))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_model_is_left_as_it_was(model: Small, protocol: EvalProtocol) -> None:
    model.train()
    model.norm.eval()  # a mixed mode must survive too
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    first = scores(model, IMAGES, protocol)
    assert [module.training for module in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(first, scores(model, IMAGES, protocol))
    assert not first.requires_grad


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_batch_size_does_not_matter(model: Small, protocol: EvalProtocol) -> None:
    together = scores(model, IMAGES, protocol)
    alone = torch.cat([scores(model, image[None], protocol) for image in IMAGES])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_shapes_and_distributions(model: Small, protocol: EvalProtocol) -> None:
    for output_hw in (None, (40, 56)):
        result = scores(model, IMAGES, protocol, output_hw)
        assert result.shape == (3, 4, *(output_hw or (20, 28)))
        if protocol.average != "logits":
            torch.testing.assert_close(result.sum(1), torch.ones_like(result[:, 0]))
        labels = scores(model, IMAGES, protocol, output_hw).argmax(1).byte().numpy()
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, result.argmax(1).numpy())


def test_the_network_sees_the_sizes_of_the_protocol(model: Small) -> None:
    scores(model, IMAGES, EvalProtocol(size_hw=(10, 16), scales=(0.5, 1.25, (7, 9))))
    assert model.sizes == [(5, 8), (12, 20), (7, 9)]


def test_flip_makes_the_prediction_equivariant_to_mirroring(model: Small) -> None:
    protocol = EvalProtocol(flip=True)
    mirrored = scores(model, IMAGES[:, :, ::-1], protocol)
    torch.testing.assert_close(mirrored.flip(-1), scores(model, IMAGES, protocol))


def test_several_scales_are_averaged(model: Small) -> None:
    both = scores(model, IMAGES, EvalProtocol(scales=(0.5, 1.0)))
    single = [scores(model, IMAGES, EvalProtocol(scales=(s,))) for s in (0.5, 1.0)]
    torch.testing.assert_close(both, (single[0] + single[1]) / 2)


def test_cbst_mirrors_the_canvas_and_resamples_with_pillow(model: Small) -> None:
    """Against the words of cbst.md 4.1: a canvas of a multiple of 8 with the image at its top left, its mirror image,
    the mean of both softmaxes, upsampled as the golden vectors have it."""
    result = scores(model, IMAGES, EvalProtocol(average="cbst", flip=True), (30, 40))
    assert model.sizes == [(24, 32), (24, 32)]
    canvas = torch.zeros(3, 3, 24, 32)
    canvas[:, :, :20, :28] = model.normalise(torch.from_numpy(IMAGES))
    model.eval()
    with torch.no_grad():
        plain, mirrored = (model(c).logits.softmax(1) for c in (canvas, canvas.flip(-1)))
    grid = (plain + mirrored.flip(-1)) / 2
    expected = [upsample_probabilities(image.numpy(), 2, (20, 28), (30, 40)) for image in grid]
    torch.testing.assert_close(result, torch.from_numpy(np.stack(expected)))


def test_cbst_needs_a_whole_stride(model: Small) -> None:
    model.conv.padding = (0, 0)  # 11 rows of 24
    with pytest.raises(UserError, match="average: cbst with a network that makes"):
        scores(model, IMAGES, EvalProtocol(average="cbst"))


def test_output_takes_the_softmax_last(model: Small) -> None:
    """Logits upsampled at once to the output, where probabilities are taken (CRST); or to the input's size, and from
    there to the output's, without probabilities (DAFormer)."""
    protocols = {name: EvalProtocol(size_hw=(10, 14), average=name) for name in ("output", "logits")}
    output, logits = (scores(model, IMAGES, protocol, (30, 40)) for protocol in protocols.values())
    (small,) = network_logits(model, resized(IMAGES, protocols["output"]), protocols["output"])
    torch.testing.assert_close(output, model.upsample(small, (30, 40)).softmax(1))
    by_input = F.interpolate(model.upsample(small, (10, 14)), (30, 40), mode="bilinear", align_corners=True)
    torch.testing.assert_close(logits, by_input)


def test_the_lowest_class_wins_a_tie(model: Small) -> None:
    nn.init.zeros_(model.norm.weight)
    assert (scores(model, IMAGES, EvalProtocol()).max(1).indices == 0).all()


def test_a_protocol_is_frozen_strict_and_has_a_scale() -> None:
    for wrong in ({"scale": 1}, {"scales": ()}, {"interpolation": "cubic"}):
        with pytest.raises(ValidationError):
            EvalProtocol(**wrong)
    with pytest.raises(ValidationError):
        EvalProtocol().flip = True  # type: ignore[misc]
    protocol = EvalProtocol(size_hw=[512, 1024], scales=[0.5, [900, 1800]])
    assert input_sizes(protocol, (1024, 2048)) == [(256, 512), (900, 1800)]
    assert EvalProtocol(**protocol.model_dump(mode="json")) == protocol


@pytest.mark.parametrize(
    ("size_hw", "output_hw", "expected"),
    [(None, None, (20, 28)), ((10, 14), None, (10, 14)), ((10, 14), "native", (20, 28)), (None, (7, 9), (7, 9))],
)
def test_labels_have_the_size_of_the_protocol(model: Small, size_hw: Any, output_hw: Any, expected: Any) -> None:
    assert label_scores(model, IMAGES[0], EvalProtocol(size_hw=size_hw, output_hw=output_hw)).shape == (4, *expected)
