"""ProDA's strong view: labels follow the image, the released counterpart does not, and draws are reproducible."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.data.strong_view import (
    FILL,
    GEOMETRIC,
    OPERATIONS,
    StrongView,
    cutout_box,
    draw_strong_view,
    gather_maps,
    strong_image,
    strong_index,
)

HW, SCALE = (256, 448), 4
COARSE = (HW[0] // SCALE, HW[1] // SCALE)


def regions(seed: int = 0) -> np.ndarray:
    """A label map of large regions, uint8 [H,W] with 4 classes."""
    noise = Image.fromarray(rng(seed, "regions").random((4, 6)).astype(np.float32))
    return (np.asarray(noise.resize(HW[::-1], Image.Resampling.BICUBIC)).clip(0, 0.999) * 4).astype(np.uint8)


def geometric(seed: int, name: str, **options: float) -> StrongView:
    """A drawn view without its colour operations, which has at least one of the geometric ones."""
    for number in range(1000):
        view = draw_strong_view(rng(seed, name, number), HW, **options)  # type: ignore[arg-type]
        operations = tuple(operation for operation in view.operations if operation[0] in GEOMETRIC)
        if operations:
            return view._replace(operations=operations)
    raise AssertionError("no geometric operation was drawn")


def by_pillow(label: np.ndarray, view: StrongView) -> np.ndarray:
    """The full-resolution label moved one operation after another with Pillow's own geometry."""
    pixels = Image.fromarray(label[:, ::-1].copy() if view.hflip else label)
    for name, p in view.operations:
        if name == "Rotate":
            pixels = pixels.rotate(p, fillcolor=IGNORE)
        elif name in GEOMETRIC:
            rows = {"ShearX": (1, p, 0, 0, 1, 0), "ShearY": (1, 0, 0, p, 1, 0)}
            rows |= {"TranslateX": (1, 0, p, 0, 1, 0), "TranslateY": (1, 0, 0, 0, 1, p)}
            pixels = pixels.transform(pixels.size, Image.Transform.AFFINE, rows[name], fillcolor=IGNORE)
    return np.asarray(pixels)


def agreement(view: StrongView, released: bool) -> float:
    """Share of coarse cells whose moved label is that of the transformed image's label at the cell's centre.

    Counted where the transformed image shows something, or the moved label does not: one composed map keeps what an
    operation pushes out and the next one brings back, for the image as well as for its labels.
    """
    label = regions()
    centres = (slice(SCALE // 2, None, SCALE),) * 2
    index = torch.from_numpy(strong_index(view, COARSE, SCALE, released))
    coarse = torch.from_numpy(label[centres].copy())
    moved = gather_maps(coarse[None, None], index[None], IGNORE)[0, 0].numpy()
    truth = by_pillow(label, view)[centres]
    return float((moved == truth)[(truth != IGNORE) | (moved == IGNORE)].mean())


@pytest.mark.parametrize("seed", range(30))
def test_labels_follow_the_image(seed: int) -> None:
    """Any drawn view, geometric operations in any order and repeated: at least 95 % of the cells agree."""
    view = geometric(seed, "view", cutout_share=0)
    assert agreement(view, released=False) >= 0.95


@pytest.mark.parametrize(
    "operations",
    [
        (("TranslateX", 60.0),),
        (("Rotate", 25.0), ("ShearX", 0.27)),
        (("ShearY", 0.27), ("ShearY", -0.27)),
    ],
    ids=["TranslateX", "order", "repeated"],
)
def test_released_labels_leave_the_image(operations: tuple[tuple[str, float], ...]) -> None:
    """The three measured defects of the released counterpart, and that the default has none of them."""
    view = StrongView(False, operations, None)
    assert agreement(view, released=True) < 0.9 < 0.95 < agreement(view, released=False)


@pytest.mark.parametrize("name", [name for name in GEOMETRIC if name != "TranslateX"])
def test_released_labels_agree_for_one_operation(name: str) -> None:
    """For a single operation other than TranslateX both geometries are the same."""
    parameter = {"Rotate": 15.0, "TranslateY": 16.0}.get(name, 0.15)
    assert agreement(StrongView(True, ((name, parameter),), None), released=True) >= 0.95


def test_image_moves_like_its_labels() -> None:
    """A label map drawn as colours and moved as an image shows the moved labels (grey where invalid)."""
    label = regions()
    colours = np.repeat((label * 60)[:, :, None], 3, 2)
    for seed in range(10):
        view = geometric(seed, "image")
        image = strong_image(colours, view)
        index = strong_index(view, HW, 1).ravel()
        expected = np.where(index >= 0, colours[:, :, 0].ravel()[index], FILL).reshape(HW)
        if view.cutout is not None:  # its last row and column are inside for the image, outside for maps
            x0, y0, x1, y1 = view.cutout
            expected[y0 : y1 + 1, x0 : x1 + 1] = FILL
        assert (np.abs(image[:, :, 0].astype(int) - expected) <= 2).mean() > 0.9
        assert image.dtype == np.uint8 and image.shape == colours.shape


def test_nothing_drawn_changes_nothing() -> None:
    view = StrongView(False, (("Identity", 0.0),), None)
    image = rng(0).integers(0, 256, (*HW, 3)).astype(np.uint8)
    np.testing.assert_array_equal(strong_image(image, view), image)
    np.testing.assert_array_equal(strong_index(view, COARSE).ravel(), np.arange(math.prod(COARSE)))


def test_mirror_and_cutout_are_exact() -> None:
    """Mirrored index, and -1 exactly in the cutout's cells."""
    index = strong_index(StrongView(True, (), (8, 4, 24, 12)), COARSE, SCALE)
    expected = np.arange(math.prod(COARSE)).reshape(COARSE)[:, ::-1].copy()
    expected[1:3, 2:6] = -1
    np.testing.assert_array_equal(index, expected)


def test_views_are_a_function_of_the_seed_and_cover_everything() -> None:
    """Equal generators give equal views; every operation is drawn, with both signs; cutouts stay in the crop."""
    assert draw_strong_view(rng(1, 2), HW) == draw_strong_view(rng(1, 2), HW)
    views = [draw_strong_view(rng(seed), HW) for seed in range(600)]
    operations = [operation for view in views for operation in view.operations]
    assert {name for name, _ in operations} == set(OPERATIONS)
    for name in GEOMETRIC:
        signs = {math.copysign(1, parameter) for other, parameter in operations if other == name}
        assert signs == {-1.0, 1.0}
    assert 0.4 < np.mean([view.hflip for view in views]) < 0.6
    assert 0.85 < len(operations) / len(views) < 1.15  # two draws, each applied at 0.5
    for view in views:
        assert view.cutout is not None
        x0, y0, x1, y1 = view.cutout
        assert 0 <= x0 < x1 <= HW[1] and 0 <= y0 < y1 <= HW[0]


def test_cutout_keeps_its_size_at_the_left_only() -> None:
    """The released rule: clipped on the left and top the box keeps its full side, on the right it shrinks."""
    assert cutout_box((0.0, 0.0), 42, HW) == (0, 0, 42, 42)
    assert cutout_box((HW[1], HW[0]), 42, HW) == (HW[1] - 21, HW[0] - 21, HW[1], HW[0])


def test_gather_keeps_dtype_and_pads() -> None:
    """Integer labels and float maps of a batch, each with its own geometry."""
    index = torch.tensor([[[3, -1], [1, 0]], [[-1, -1], [2, 2]]])
    labels = torch.arange(8, dtype=torch.uint8).view(2, 1, 2, 2)
    moved = gather_maps(labels, index, IGNORE)
    assert moved.dtype == torch.uint8
    assert moved.flatten(1).tolist() == [[3, IGNORE, 1, 0], [IGNORE, IGNORE, 6, 6]]
    maps = labels.float().expand(-1, 3, -1, -1)
    assert gather_maps(maps, index, -1.0)[1, 2].tolist() == [[-1, -1], [6, 6]]
