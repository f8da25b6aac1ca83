"""Batches are a pure function of (seed, step): of no worker, no starting point, no earlier batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.data.batches import MAX_CROP_ATTEMPTS, Batches, Draw, Stream, plain
from udamlf.data.colour import random_brightness_contrast
from udamlf.data.geometry import cut_image, draw_geometry
from udamlf.data.sample import Domain, Sample

CROP = Augmentation(
    crop_hw=(16, 24), scale_range=(0.7, 1.4), brightness_contrast=0.5, jitter_source=0.4, jitter_target=0.2
)
SOURCE, TARGET = toy.source_frames(), toy.target_frames()


def busy(draw: Draw) -> Sample:
    """Does all that a draw allows, and draws numbers for each of it."""
    rare = draw.rng.random() < 0.5
    if rare:
        draw.index = int(draw.rng.integers(toy.IMAGES))
    frame, other = draw.read(draw.index), draw.read(int(draw.rng.integers(toy.IMAGES)))
    image = frame.image.copy()
    image[:8] = other.image[:8]
    mixed = Sample(image, frame.label, {"again": frame.label})
    crop = draw.crop(mixed, accept=lambda crop: not rare or bool((crop.label == 2).any()))
    crop.images["noisy"] = np.clip(crop.image + draw.rng.integers(0, 9, crop.image.shape), 0, 250).astype(np.uint8)
    return crop


def reader(frames: list[Sample]) -> Callable[[int], Sample]:
    return lambda index: frames[index]


def streams(seed: int = 3, prepare: Callable[[Draw], Sample] = busy) -> dict[str, tuple[Stream, int]]:
    """Three source and two target images a batch."""
    return {
        "source": (Stream("source", reader(SOURCE), len(SOURCE), CROP, seed, prepare), 3),
        "target": (Stream("target", reader(TARGET), len(TARGET), CROP, seed, prepare), 2),
    }


def tensors(batch: dict[str, Domain]) -> dict[str, Tensor]:
    """Everything a batch holds."""
    values: dict[str, Tensor] = {}
    for name, domain in batch.items():
        parts = {"images": domain.images, "labels": domain.labels, "index": torch.tensor(domain.index)}
        parts |= {f"maps/{key}": value for key, value in domain.maps.items()}
        parts |= {f"views/{key}": value for key, value in domain.views.items()}
        values |= {f"{name}/{key}": value for key, value in parts.items()}
    return values


def assert_same(one: dict[str, Domain], other: dict[str, Domain]) -> None:
    mine, theirs = tensors(one), tensors(other)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def reference() -> list[dict[str, Domain]]:
    """The first 12 batches, each made by streams of its own."""
    return [Batches(streams(), 0, 12, 0).at(step) for step in range(12)]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("start", [0, 5, 11])
def test_workers_and_start_do_not_matter(workers: int, start: int, reference: list[dict[str, Domain]]) -> None:
    """Any number of threads, from any step on: the same batches in the same order."""
    batches = list(Batches(streams(), start, 12, workers))
    assert [step for step, _ in batches] == list(range(start, 12))
    for step, batch in batches:
        assert_same(batch, reference[step])


@given(st.permutations(range(12)))
@settings(max_examples=5)
def test_the_order_of_asking_does_not_matter(order: list[int]) -> None:
    """The same stream objects asked for steps in any order, also twice."""
    batches = Batches(streams(), 0, 12, 0)
    first = {step: batches.at(step) for step in order}
    for step in range(0, 12, 5):
        assert_same(first[step], batches.at(step))
        assert_same(first[step], Batches(streams(), 0, 12, 0).at(step))


def test_seeds_and_steps_differ(reference: list[dict[str, Domain]]) -> None:
    images = [batch["source"].images for batch in reference] + [Batches(streams(4), 0, 1, 0).at(0)["source"].images]
    assert all(not torch.equal(a, b) for i, a in enumerate(images) for b in images[:i])


def test_domains_draw_apart() -> None:
    """Source and target of equal length do not walk their splits in step."""
    orders = [[stream.sample(i)[1] for i in range(24)] for stream, _ in streams(prepare=plain).values()]
    assert orders[0] != orders[1]


def test_the_source_may_have_a_range_of_its_own() -> None:
    """Everything else is shared, and what is no augmentation is refused."""
    shared = CROP.model_copy(update={"jitter_source": 0.0, "jitter_target": 0.0, "source": {"scale_range": (4.0, 4.0)}})
    widths = {
        name: {
            cut.geometry.width
            for step in range(6)
            for cut in Batches({name: (Stream(name, reader(SOURCE), 6, shared, 3), 2)}, 0, 1, 0).at(step)[name].cuts
        }
        for name in ("source", "target")
    }
    assert widths["source"] == {6} and min(widths["target"]) >= 24 / 1.4 - 1
    assert shared.of("target") is shared and shared.of("source").flip == shared.flip
    with pytest.raises(ValueError, match="scale_rang"):
        Augmentation(source={"scale_rang": (1.0, 1.0)})


def test_a_mixed_pass_holds_every_frame_of_both_domains_once() -> None:
    """cbst.md 5: one shuffled list, so that a batch of two holds two of one domain, or one of each; whatever the
    workers and the first step."""
    pair = {name: (stream, 1) for name, (stream, _) in streams(prepare=plain).items()}
    frames = sorted((name, index) for name in pair for index in range(toy.IMAGES))
    batches = [Batches(pair, 0, 1, 0, mixed=True).at(step) for step in range(3 * toy.IMAGES)]
    passes = [batches[e * toy.IMAGES : (e + 1) * toy.IMAGES] for e in range(3)]
    seen = [[(name, i) for batch in each for name, domain in batch.items() for i in domain.index] for each in passes]
    assert [sorted(each) for each in seen] == [frames] * 3 and seen[0] != seen[1] != seen[2]
    assert {tuple(sorted(batch)) for batch in batches} == {("source",), ("target",), ("source", "target")}
    for step, batch in Batches(pair, 5, 12, 3, mixed=True):
        assert_same(batch, batches[step])


@given(count=st.integers(1, 40), size=st.integers(1, 9), seed=st.integers(0, 2**62))
@settings(max_examples=40)
def test_every_pass_is_a_permutation(count: int, size: int, seed: int) -> None:
    """Whatever the batch size, samples e*n .. e*n + n-1 of the training are each frame once; passes differ."""
    frame = Sample(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8))
    stream = Stream("source", lambda index: frame, count, Augmentation(), seed)
    batches = Batches({"source": (stream, size)}, 0, 1, 0)
    steps = -(-3 * count // size)
    seen = [index for step in range(steps) for index in batches.at(step)["source"].index][: 3 * count]
    passes = [seen[e * count : (e + 1) * count] for e in range(3)]
    assert all(sorted(entries) == list(range(count)) for entries in passes)
    if count > 12:
        assert passes[0] != passes[1] != passes[2]


def test_frames_are_never_changed() -> None:
    """Preparation, jitter and crops work on copies: the frames in memory are those of the file."""
    before = [(v.image.copy(), v.label.copy()) for v in SOURCE]
    for _ in Batches(streams(), 0, 6, 0):
        pass
    for view, (image, label) in zip(SOURCE, before, strict=True):
        assert np.array_equal(view.image, image) and np.array_equal(view.label, label)


def test_a_batch_has_the_promised_types(reference: list[dict[str, Domain]]) -> None:
    """uint8 images NHWC and maps NHW of the crop's size; labels are classes or IGNORE; maps follow the label."""
    for name, size in (("source", 3), ("target", 2)):
        domain = reference[0][name]
        assert domain.images.shape == domain.views["noisy"].shape == (size, 16, 24, 3)
        assert domain.labels.shape == (size, 16, 24)
        assert domain.images.dtype == domain.labels.dtype == torch.uint8
        assert torch.equal(domain.maps["again"], domain.labels)
        assert set(domain.labels.unique().tolist()) <= {*range(toy.SPACE.num_classes), IGNORE}
        assert len(domain.index) == size


def test_a_domain_without_images_is_left_out() -> None:
    """Batch size 0 reads nothing."""

    def unread(index: int) -> Sample:
        raise AssertionError("read")

    stream = Stream("target", unread, 5, CROP, 0)
    assert Batches({"target": (stream, 0)}, 0, 3, 0).at(1) == {}


def test_brightness_and_contrast_come_before_the_resize_and_hold_for_what_is_pasted() -> None:
    """adversarial-warmup.md 3.4: what they clip, the resize then mixes."""
    augmentation = Augmentation(crop_hw=(16, 24), crop_height_range=(9, 30), brightness_contrast=1.0)
    image = rng(0).integers(0, 2, (32, 48, 3), np.uint8) * 255
    frame, grey = (
        Sample(image, np.zeros((32, 48), np.uint8)),
        Sample(np.full_like(image, 100), np.ones((32, 48), np.uint8)),
    )
    for seed in range(5):
        stream, draw = Stream("target", reader([frame]), 1, augmentation, 0), rng(seed)
        geometry = draw_geometry(draw, (32, 48), augmentation)
        expected = cut_image(random_brightness_contrast(draw, 1.0)(image), geometry)
        assert np.array_equal(Draw(stream, 0, rng(seed)).crop(frame).image, expected)
        pasted = Draw(stream, 0, rng(seed)).crop(replace(grey, label=frame.label), donor=(grey, [1]))
        assert np.ptp(pasted.image) == 0 and (pasted.label == 1).all()


@pytest.mark.parametrize(("accepted_at", "asked"), [(3, 3), (99, MAX_CROP_ATTEMPTS)])
def test_a_crop_is_drawn_again_until_it_is_accepted(accepted_at: int, asked: int) -> None:
    """After ten that were refused the next one is taken, whatever it is (online-ema.md 2)."""
    crops: list[Sample] = []

    def accept(crop: Sample) -> bool:
        crops.append(crop)
        return len(crops) == accepted_at

    def refusing(draw: Draw) -> Sample:
        return draw.crop(draw.read(draw.index), accept=accept)

    view, _ = Stream("source", reader(SOURCE), len(SOURCE), CROP, 0, refusing).sample(0)
    assert len(crops) == asked
    assert np.array_equal(view.image, crops[-1].image) == (asked == accepted_at)
    assert not np.array_equal(crops[0].image, crops[-1].image)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_while_reading_reaches_the_loop(workers: int) -> None:
    """At its step, as it is; the batches before it are delivered."""

    def read(index: int) -> Sample:
        if index == 4:
            raise UserError("frame 4 is damaged")
        return SOURCE[index]

    stream = Stream("source", read, len(SOURCE), CROP, 1)
    whole = Stream("source", reader(SOURCE), len(SOURCE), CROP, 1)
    broken = next(n for n in range(len(SOURCE)) if whole.sample(n)[1] == 4)
    delivered: list[int] = []
    with pytest.raises(UserError, match="frame 4"):
        for step, _ in Batches({"source": (stream, 1)}, 0, 6, workers):
            delivered.append(step)
    assert delivered == list(range(broken))


def test_frames_of_several_sizes_need_a_size() -> None:
    """Whole frames of two sizes in one batch: an error that says what to set."""
    views = [Sample(np.zeros((8, w, 3), np.uint8), np.zeros((8, w), np.uint8)) for w in (8, 12)]
    stream = Stream("source", reader(views), 2, Augmentation(), 0)
    with pytest.raises(UserError, match=r"several sizes[\s\S]*frames_hw"):
        Batches({"source": (stream, 2)}, 0, 1, 0).at(0)
