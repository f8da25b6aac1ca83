"""The online recipe's own losses, and DAFormer's feature distance in a step. The rest: contract, golden vectors."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from tests import toy
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.data.batches import Draw, Frames, Stream
from udamlf.data.mixing import largest_share
from udamlf.data.sample import Sample
from udamlf.losses import mixed_cross_entropy
from udamlf.methods import device_colour
from udamlf.methods.ema_mix import (
    EmaMixParams,
    Objective,
    downscale_labels,
    feature_distance,
)
from udamlf.training.objective import BaseObjective

STREETS = dataclasses.replace(toy.SPACE, name="streets", classes=("road", "car", "sky", "person", "pole"),
                              subsets={"5": ("road", "car", "sky", "person", "pole")}, rare=())  # fmt: skip


def with_distance(space: object = STREETS, pretrained: bool = True) -> BaseObjective:
    context = toy.objective("ema_mix", {}).context
    model = context.model.eval()
    initial = (lambda: toy.network(seed=5, aux=True)) if pretrained else None
    changed = dataclasses.replace(context, space=space, model=model, initial=initial)
    return Objective(EmaMixParams(feature_distance=0.005), changed)


def distance(method: BaseObjective) -> torch.Tensor:
    method.model.eval()
    return toy.losses(method, toy.batch(method))["model"]["source_feature_distance"]


def test_the_distance_is_of_thing_classes_to_the_pretrained_features() -> None:
    """Positive with a gradient for other weights than the pretrained ones, 0 for these, 0 where no thing class exists;
    the reference is neither trained nor saved."""
    method = with_distance()
    value = distance(method)
    assert value > 0 and value.requires_grad
    assert method.weights["source_feature_distance"] == 0.005
    assert set(method.modules) == {"teacher", "quality"}
    assert isinstance(method, Objective) and method.reference is not None
    method.model.load_state_dict(method.reference.state_dict())
    assert float(distance(method).detach()) == pytest.approx(0, abs=1e-5)
    assert float(distance(with_distance(toy.SPACE)).detach()) == 0


def test_without_pretrained_weights_it_is_refused() -> None:
    with pytest.raises(UserError, match="without pretrained weights"):
        with_distance(pretrained=False)


def test_mixed_loss_divides_by_all_pixels() -> None:
    """An ignored pixel counts in the divisor; a weight of 0 silences a pixel."""
    x, y = torch.zeros(1, 4, 1, 4), torch.tensor([[[0, 1, IGNORE, 2]]])
    weights = torch.tensor([[[1.0, 0.5, 1.0, 0.0]]])
    assert mixed_cross_entropy(x, y, weights).item() == pytest.approx(1.5 * math.log(4) / 4)


def test_a_source_crop_that_one_class_fills_is_drawn_again() -> None:
    """Two classes side by side, crops of a quarter of the width: four of five hold one class alone, and ten tries find
    the border in nine of ten. The target's crops are not chosen by their labels."""
    label = np.repeat(np.array([[0, 1]], np.uint8), 64, axis=1).repeat(16, axis=0)
    whole = Sample(np.zeros((16, 128, 3), np.uint8), label)
    augmentation = Augmentation(crop_hw=(16, 32))

    def alone(domain: str, **params: float) -> int:
        method = toy.objective("ema_mix", params)
        stream = Stream(domain, lambda index: whole, 1, augmentation, 0)
        crops = [method.prepare(Draw(stream, 0, rng(seed))) for seed in range(40)]
        return sum(largest_share(crop.label) == 1 for crop in crops)

    assert alone("source", crop_max_share=0.99) < 10 < 20 < alone("source")
    assert alone("target", crop_max_share=0.99) == alone("target") > 20


def test_pixels_in_the_margin_of_the_frame_are_not_trusted() -> None:
    """Rows above and below, columns left and right; a margin of more than the frame leaves none."""
    frame = Sample(np.zeros((16, 32, 3), np.uint8), np.zeros((16, 32), np.uint8))
    for margin, trusted in (((2, 4, 3, 1), 10 * 28), ((0, 20, 0, 0), 0), ((0, 0, 0, 40), 0)):
        method = toy.objective("ema_mix", {"margin": margin})
        stream = Stream("target", lambda index: frame, 1, Augmentation(flip=0.0), 0)
        assert method.prepare(Draw(stream, 0, rng(0))).maps["trusted"].sum() == trusted


def test_an_image_of_a_rare_class_is_cut_again_until_it_shows_it() -> None:
    """The class is a strip at the right end: one crop in sixteen would hold all of it; ten more are tried, each of them
    with its own tries for two classes (online-ema.md 2)."""
    label = np.zeros((16, 256), np.uint8)
    label[:, 240:] = 4
    whole = Sample(np.zeros((16, 256, 3), np.uint8), label)
    stream, drawn = Stream("source", lambda index: whole, 1, Augmentation(crop_hw=(16, 32)), 0), list[int]()

    class Counted(Draw):
        def crop(self, *arguments: Any, **options: Any) -> Sample:
            drawn[-1] += 1
            return super().crop(*arguments, **options)

    def shown(sampled: bool) -> int:
        method = toy.objective("ema_mix", {"rare_class_min_pixels": 64})  # in the crop half of them
        assert isinstance(method, Objective) and method.sampler is None
        method.sampler = Always() if sampled else None  # type: ignore[assignment]
        found = 0
        for seed in range(60):
            drawn.append(0)
            found += int((method.prepare(Counted(stream, 0, rng(seed))).label == 4).sum() > 32)
        return found

    once, again = shown(False), shown(True)
    assert once < 10 and max(drawn[:60]) == 1 and again > 25 and max(drawn[60:]) == 11


class Always:
    """A sampler that asks for class 4 of the only image."""

    def draw(self, generator: np.random.Generator) -> tuple[int, int]:
        return 4, 0


@pytest.mark.parametrize("together", [False, True])
def test_mixed_images_are_coloured_one_by_one_and_masked_ones_together(
    together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with an order of the four steps and a blur of its own, as the releases do."""
    calls: list[tuple[int, list[int]]] = []
    blurs: list[int] = []

    def jitter(images: torch.Tensor, factors: object, order: list[int]) -> torch.Tensor:
        calls.append((len(images), order))
        return images

    def blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        blurs.append(len(sigma))
        return images

    monkeypatch.setattr(device_colour, "colour_jitter", jitter)
    monkeypatch.setattr(device_colour, "gaussian_blur", blur)
    for seed in range(20):
        device_colour.coloured(torch.zeros(3, 3, 8, 8), toy.network(), rng(seed), 0.2, together)
    sizes = {count for count, _ in calls}
    assert sizes == ({3} if together else {1}) and set(blurs) == ({1} if together else {3})
    assert len({tuple(order) for _, order in calls[:3]}) > 1


def test_a_source_image_takes_the_colours_of_the_target_as_often_as_asked() -> None:
    """A grey source among dark blue target images; the target's own crops and all labels stay as they are."""
    source, target = (np.full((16, 16, 3), colour, np.uint8) for colour in ((120, 120, 120), (20, 30, 90)))
    label = np.zeros((16, 16), np.uint8)
    every: dict[str, Frames] = {
        name: ([Sample(image, label)].__getitem__, 1) for name, image in (("source", source), ("target", target))
    }

    def blue(domain: str, chance: float) -> int:
        method = toy.objective("ema_mix", {"target_colours": chance})
        stream = Stream(domain, *every[domain], Augmentation(), 0, domains=every)
        crops = [method.prepare(Draw(stream, 0, rng(seed))) for seed in range(40)]
        assert all(np.array_equal(crop.label, label) for crop in crops)
        return sum(int(np.abs(crop.image.astype(int) - target).max() <= 3) for crop in crops)

    assert [blue("source", chance) for chance in (0.0, 1.0)] == [0, 40] and 10 < blue("source", 0.5) < 30
    assert blue("target", 1.0) == 40


def test_downscaled_labels_need_a_dominant_class() -> None:
    """Three of four pixels are enough at 0.75, two are not; a cell of ignored pixels stays ignored."""
    full = torch.tensor([[[1, 1, 2, 2, IGNORE, IGNORE], [1, 0, 0, 0, IGNORE, IGNORE]]])
    full[0, 1, 2] = 2
    assert downscale_labels(full, 2, 3).tolist() == [[[1, 2, IGNORE]]]
    full[0, 0, 2] = 0
    assert downscale_labels(full, 2, 3).tolist() == [[[1, IGNORE, IGNORE]]]


def test_feature_distance_of_equal_features_has_no_nan_gradient() -> None:
    features = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    x = features.clone().requires_grad_()
    value = feature_distance(x, features, torch.ones(2, 3, 5, dtype=torch.bool))
    value.backward()
    assert value.item() == 0
    assert x.grad is not None and (x.grad == 0).all()
