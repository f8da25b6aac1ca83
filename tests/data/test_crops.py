"""Training crops: the configured geometry, the image and its maps cut alike, whatever the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.data.batches import Draw, Place, Stream
from udamlf.data.geometry import Geometry, draw_geometry
from udamlf.data.mixing import paste
from udamlf.data.sample import Sample

RULES: dict[str, dict[str, Any]] = {
    "whole": {},
    "crop": {"crop_hw": (20, 30)},
    "sized": {"crop_hw": (20, 30), "crop_height_range": (12, 40)},
    "scaled": {"crop_hw": (20, 30), "scale_range": (0.5, 1.6)},
    "cbst": {"crop_hw": (24, 24), "scale_range": (0.7, 1.3), "cbst_length": 60},
    "weak": {"crop_hw": (24, 32), "scale_range": (0.8, 1.2), "nominal_width": 60},
}


def frame(height: int = 32, width: int = 60) -> Sample:
    """A frame whose pixels tell where they come from: red is the row, green the column, and the label both's parity."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, rows * 0 + 90], axis=2).astype(np.uint8)
    label = ((rows // 4 + columns // 4) % 2).astype(np.uint8)
    return Sample(image, label, {"copy": label.copy()})


def training_crop(
    whole_frame: Sample, augmentation: Augmentation, generator: np.random.Generator, place: Place = lambda box: box
) -> Sample:
    stream = Stream("source", lambda index: whole_frame, 1, augmentation, 0)
    return Draw(stream, 0, generator).crop(whole_frame, place)


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10**6), height=st.integers(16, 70), width=st.integers(16, 90))
@settings(max_examples=25)
def test_any_frame_gives_a_crop_of_the_configured_size(rule: str, seed: int, height: int, width: int) -> None:
    """Frames smaller than the crop too: what lies outside is ignored. Maps are cut as the label is; the frame is left
    as it was."""
    augmentation = Augmentation(**RULES[rule])
    whole_frame = frame(height, width)
    view = training_crop(whole_frame, augmentation, rng(seed))
    expected = augmentation.crop_hw or (height, width)
    assert view.image.shape == (*expected, 3) and view.image.dtype == np.uint8
    assert view.label.shape == expected and view.label.dtype == np.uint8
    assert set(np.unique(view.label)) <= {0, 1, IGNORE}
    assert np.array_equal(view.maps["copy"], view.label)
    untouched = frame(height, width)
    assert np.array_equal(whole_frame.image, untouched.image) and np.array_equal(whole_frame.label, untouched.label)


@pytest.mark.parametrize("rule", RULES)
def test_a_crop_is_a_function_of_the_generator(rule: str) -> None:
    augmentation = Augmentation(**RULES[rule])
    one, same, other = (training_crop(frame(), augmentation, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.image, same.image) and np.array_equal(one.label, same.label)
    if rule != "whole":
        assert not np.array_equal(one.image, other.image)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_the_whole_frame_is_the_frame_or_its_mirror(flip: float) -> None:
    view = training_crop(frame(), Augmentation(flip=flip), rng(0))
    step = -1 if flip else 1
    assert np.array_equal(view.image, frame().image[:, ::step])
    assert np.array_equal(view.label, frame().label[:, ::step])


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40)
def test_a_plain_crop_shows_the_frame_s_own_pixels(seed: int) -> None:
    """Without a scale nothing is resampled: red and green say where the crop was, and the label is that place's."""
    view = training_crop(frame(), Augmentation(crop_hw=(20, 30)), rng(seed))
    rows, columns = view.image[..., 0].astype(int), view.image[..., 1].astype(int)
    assert np.array_equal(frame().image[rows, columns], view.image)
    assert np.array_equal(frame().label[rows, columns], view.label)
    assert np.all(np.abs(np.diff(columns, axis=1)) == 1) and np.all(np.diff(rows, axis=0) == 1)


def test_crops_cover_the_frame_and_both_mirrors() -> None:
    """Over many draws every row and column is seen, the borders too; mirrored about half of the time."""
    seen = np.zeros((32, 60), bool)
    mirrored = 0
    for seed in range(200):
        view = training_crop(frame(), Augmentation(crop_hw=(20, 30)), rng(seed))
        seen[view.image[..., 0], view.image[..., 1]] = True
        mirrored += int(view.image[0, 0, 1] > view.image[0, 1, 1])
    assert seen.any(0).all() and seen.any(1).all()
    assert 70 < mirrored < 130


def test_a_crop_s_box_may_be_moved() -> None:
    """``place`` has the last word on the box (small-class mining)."""

    def corner(geometry: Geometry) -> Geometry:
        return Geometry(0, 0, geometry.height, geometry.width, geometry.output_hw)

    view = training_crop(frame(), Augmentation(crop_hw=(20, 30)), rng(3), corner)
    assert np.array_equal(view.image, frame().image[:20, :30])


def test_brightness_and_contrast_leave_labels_alone() -> None:
    """With probability 1 the image changes, with 0 it does not; the geometry is the same."""
    plain, changed = (
        training_crop(frame(), Augmentation(crop_hw=(20, 30), brightness_contrast=p), rng(5)) for p in (0.0, 1.0)
    )
    assert np.array_equal(plain.label, changed.label)
    assert not np.array_equal(plain.image, changed.image)


def test_the_rules_follow_the_configuration() -> None:
    """A height range wins over a scale range; a scale range with cbst_length takes CBST's integer rule."""
    geometries = {
        name: [draw_geometry(rng(seed), (32, 60), Augmentation(**rule)) for seed in range(40)]
        for name, rule in RULES.items()
        if name != "weak"
    }
    assert {(g.height, g.width) for g in geometries["whole"]} == {(32, 60)}
    assert {(g.height, g.width) for g in geometries["crop"]} == {(20, 30)}
    assert all(12 <= g.height <= 40 and g.width == int(g.height * 1.5) for g in geometries["sized"])
    assert {round(20 / g.height, 1) for g in geometries["scaled"]} <= {s / 10 for s in range(5, 18)}
    assert all(g.height == g.width for g in geometries["cbst"])
    assert len({g.height for g in geometries["cbst"]}) > 3


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10**6), height=st.integers(16, 70), width=st.integers(16, 90))
@settings(max_examples=15)
def test_what_is_pasted_into_a_crop_is_the_crop_of_what_is_pasted(
    rule: str, seed: int, height: int, width: int
) -> None:
    """A donor's pixels, of another size than the frame, wherever the crop lies."""
    augmentation, whole, donor = Augmentation(**RULES[rule]), frame(height, width), frame(40, 50)
    draw = Draw(Stream("source", lambda index: whole, 1, augmentation, 0), 0, rng(seed))
    crop = draw.crop(Sample(whole.image, whole.label), donor=(donor, [1]))
    pasted = paste(whole.image, whole.label, donor.image, donor.label, [1])
    expected = training_crop(Sample(pasted.image, pasted.label), augmentation, rng(seed))
    assert np.array_equal(crop.image, expected.image) and np.array_equal(crop.label, expected.label)
