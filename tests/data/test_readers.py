"""Readers: official layouts and raw formats, and a clear error that names the file for every bad input."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.worlds import FORMATS, random_frame, write_data_set
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.config.labels import CAMVID_11, CITYSCAPES_16, CITYSCAPES_19, IGNORE, ROBOTCAR_9
from udamlf.data.dataset import SHIPPED, listing_digest, split_of

everywhere = pytest.mark.parametrize("name", sorted(FORMATS))


def test_every_shipped_data_set_has_its_name_and_legal_ids() -> None:
    assert set(SHIPPED) == set(FORMATS)
    for name, data_set in SHIPPED.items():
        assert data_set.name == name
        assert set(data_set.raw_classes) | {data_set.void_id} <= set(data_set.known_ids)


def test_unknown_data_set_names_the_nearest() -> None:
    scenario = resolve("gta2city", "st", overrides=["scenario.splits.source_train.dataset=cityscape"]).scenario
    with pytest.raises(UserError, match="did you mean 'cityscapes'"):
        split_of(scenario, "source_train")


# --- official formats ---------------------------------------------------------------------------------------------


@everywhere
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    """Samples come sorted, labels exactly, images exactly (CamVid: JPEG)."""
    data_set, space, split = write_data_set(tmp_path, name)
    samples = data_set.samples(tmp_path, split)
    names = FORMATS[name][2]
    assert [s.name for s in samples] == sorted(names)
    for sample in samples:
        image, ids = random_frame(names.index(sample.name), space)
        read = data_set.read_image(sample)
        assert read.dtype == np.uint8
        assert read.shape == image.shape
        if name != "camvid":
            np.testing.assert_array_equal(read, image)
        np.testing.assert_array_equal(data_set.read_label(sample, space), ids)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 9), width=st.integers(1, 9), name=st.sampled_from([*FORMATS]))
def test_round_trip_of_any_size(tmp_path_factory: pytest.TempPathFactory, seed: int, height: int, width: int,
                                name: str) -> None:  # fmt: skip
    """Train ids -> raw format -> train ids is the identity, for odd sizes and single pixels."""
    data_set, (space, split, names) = SHIPPED[name], FORMATS[name]
    root = tmp_path_factory.mktemp("round")
    image, ids = random_frame(seed, space, (height, width))
    data_set.write(root, split, names[0], image, ids, space)
    data_set.write_list(root, split, names[:1])
    (sample,) = data_set.samples(root, split)
    np.testing.assert_array_equal(data_set.read_label(sample, space), ids)


def test_files_lie_where_the_official_releases_have_them(tmp_path: Path) -> None:
    for name in FORMATS:
        write_data_set(tmp_path, name)
    for path in (
        "cityscapes/leftImg8bit/val/ulm/ulm_000001_000019_leftImg8bit.png",
        "cityscapes/gtFine/val/ulm/ulm_000001_000019_gtFine_labelIds.png",
        "gta5/images/00001.png",
        "gta5/labels/00001.png",
        "synthia/RAND_CITYSCAPES/RGB/0000001.png",
        "synthia/RAND_CITYSCAPES/GT/LABELS/0000001.png",
        "robotcar/val/a_000001.png",
        "robotcar/anno/a_000001.png",
        "kitti/training/image_2/000001_10.png",
        "kitti/training/semantic/000001_10.png",
        "camvid/images/0006R0_f00930.jpg",
        "camvid/labels/0006R0_f00930.png",
    ):
        assert (tmp_path / path).is_file(), path


def test_raw_pixel_formats(tmp_path: Path) -> None:
    """GTA5 palette indices, SYNTHIA 16-bit with the id in red, RobotCar 4 channels, Cityscapes and CamVid grey."""
    paths = {}
    for name in FORMATS:
        data_set, _, split = write_data_set(tmp_path, name)
        paths[name] = data_set.samples(tmp_path, split)[0].label
    modes = {name: Image.open(path).mode for name, path in paths.items() if name != "synthia"}
    assert modes == {"cityscapes": "L", "camvid": "L", "kitti": "L", "gta5": "P", "robotcar": "RGBA"}
    synthia = cv2.imread(str(paths["synthia"]), cv2.IMREAD_UNCHANGED)
    assert synthia.dtype == np.uint16
    assert synthia.shape[2] == 3
    assert synthia[:, :, 2].any()
    assert not synthia[:, :, :2].any()


def test_synthia_reads_the_first_channel_not_the_last(tmp_path: Path) -> None:
    """A file made as the release's are: id in red, instance numbers above 255 elsewhere."""
    data_set, _, _ = write_data_set(tmp_path, "synthia")
    sample = data_set.samples(tmp_path, "train")[0]
    shape = data_set.read_image(sample).shape
    bgr = np.full(shape, 4000, np.uint16)
    bgr[:, :, 2] = 3  # road
    cv2.imwrite(str(sample.label), bgr)
    assert (data_set.read_label(sample, CITYSCAPES_16) == CITYSCAPES_16.classes.index("road")).all()


def test_gta5_indices_not_colours(tmp_path: Path) -> None:
    """The palette plays no part: the same indices under another palette are the same labels."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    sample = data_set.samples(tmp_path, split)[0]
    before = data_set.read_label(sample, space)
    image = Image.open(sample.label)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(sample.label)
    np.testing.assert_array_equal(data_set.read_label(sample, space), before)


def test_frames_of_several_sizes(tmp_path: Path) -> None:
    """GTA5's frames differ in size; each is read at its own."""
    data_set = SHIPPED["gta5"]
    for i, size in enumerate([(10, 16), (11, 18)]):
        data_set.write(tmp_path, "train", f"0000{i}", *random_frame(i, CITYSCAPES_19, size), CITYSCAPES_19)
    shapes = [data_set.read_label(s, CITYSCAPES_19).shape for s in data_set.samples(tmp_path, "train")]
    assert shapes == [(10, 16), (11, 18)]


@pytest.mark.parametrize(
    ("space", "dropped"), [(CITYSCAPES_16, ("terrain", "truck", "train")), (ROBOTCAR_9, ("wall",))]
)
def test_cityscapes_in_smaller_spaces(tmp_path: Path, space, dropped: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    """A class that the space lacks is ignored, never shifted into another one; coarser classes take their parts."""
    data_set, full, split = write_data_set(tmp_path, "cityscapes")
    sample = data_set.samples(tmp_path, split)[0]
    fine, coarse = data_set.read_label(sample, full), data_set.read_label(sample, space)
    for name in dropped:
        assert (coarse[fine == full.classes.index(name)] == IGNORE).all()
    for name in set(full.classes) & set(space.classes):
        assert (coarse[fine == full.classes.index(name)] == space.classes.index(name)).all()


def test_kitti_s_label_ids_are_camvid_s_classes() -> None:
    """CamVid's own grouping: walls and bridges are buildings, lights and signs one class, motorcycles bicyclists; what
    it has no class for (ego vehicle, dynamic, ground, rail track) is ignored."""
    table, classes = SHIPPED["kitti"].train_ids(CAMVID_11), CAMVID_11.classes
    groups = {
        "sky": [23], "building": [11, 12, 15, 16], "pole": [17, 18], "road": [7], "pavement": [8, 9], "tree": [21, 22],
        "sign_symbol": [19, 20], "fence": [13, 14], "car": [*range(26, 32)], "pedestrian": [24],
        "bicyclist": [25, 32, 33],
    }  # fmt: skip
    for name, ids in groups.items():
        assert [classes[table[raw]] for raw in ids] == [name] * len(ids)
    named = {raw for ids in groups.values() for raw in ids}
    assert all(table[raw] == IGNORE for raw in range(256) if raw not in named)


def test_robotcar_parts_of_coarse_classes() -> None:
    table = SHIPPED["cityscapes"].train_ids(ROBOTCAR_9)
    coarse = {raw: ROBOTCAR_9.classes[table[raw]] for raw in (24, 25, 26, 27, 28, 32, 33)}
    assert list(coarse.values()) == ["person"] * 2 + ["automobile"] * 3 + ["two_wheeler"] * 2


# --- splits -------------------------------------------------------------------------------------------------------


@everywhere
def test_a_list_defines_a_split(tmp_path: Path, name: str) -> None:
    data_set, _, _ = write_data_set(tmp_path, name)
    listed = FORMATS[name][2][0]
    data_set.write_list(tmp_path, "mine", [listed])
    (sample,) = data_set.samples(tmp_path, "mine")
    assert sample.name == listed


@everywhere
def test_unknown_split_says_which_list_to_create(tmp_path: Path, name: str) -> None:
    data_set, _, _ = write_data_set(tmp_path, name)
    with pytest.raises(UserError, match=r"create .*lists/holdout\.txt"):
        data_set.samples(tmp_path, "holdout")


def test_list_with_a_missing_or_repeated_name(tmp_path: Path) -> None:
    data_set, _, _ = write_data_set(tmp_path, "gta5")
    data_set.write_list(tmp_path, "a", ["00001", "77777"])
    with pytest.raises(UserError, match=r"77777\.png"):
        data_set.samples(tmp_path, "a")
    data_set.write_list(tmp_path, "b", ["00001", "00001"])
    with pytest.raises(UserError, match="twice"):
        data_set.samples(tmp_path, "b")


@everywhere
def test_unlabelled_frames(tmp_path: Path, name: str) -> None:
    """Target training needs no labels: label is None; asked for, the error names the image."""
    data_set, space, split = write_data_set(tmp_path, name)
    labelled = data_set.samples(tmp_path, split)
    os.remove(labelled[0].label)  # type: ignore[arg-type]
    first = data_set.samples(tmp_path, split)[0]
    assert first.label is None
    with pytest.raises(UserError, match=labelled[0].image.name):
        data_set.read_label(first, space)


@everywhere
def test_missing_and_empty_folders(tmp_path: Path, name: str) -> None:
    """Which folder was looked for, what was found, where the data set is to be had."""
    data_set, split = SHIPPED[name], FORMATS[name][1]
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(UserError) as error:
        data_set.samples(tmp_path, split)
    assert str(tmp_path / data_set.name) in str(error.value)
    assert "elsewhere" in str(error.value)
    assert data_set.home in str(error.value)
    with pytest.raises(UserError, match="does not exist"):
        data_set.samples(tmp_path / "nowhere", split)
    (tmp_path / data_set.name / "lists").mkdir(parents=True)
    (tmp_path / data_set.name / "lists" / f"{split}.txt").write_text("\n")
    with pytest.raises(UserError, match="has no frame"):
        data_set.samples(tmp_path, split)
    (tmp_path / data_set.name / "lists" / f"{split}.txt").unlink()
    with pytest.raises(UserError):
        data_set.samples(tmp_path, split)


# --- predictions and digests --------------------------------------------------------------------------------------


@everywhere
def test_predictions_are_in_the_raw_format(tmp_path: Path, name: str) -> None:
    """A saved mask read as a raw label gives the predicted train ids."""
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    _, ids = random_frame(9, space)
    path = data_set.write_prediction(tmp_path / "masks", sample, ids, space)
    np.testing.assert_array_equal(data_set.train_ids(space)[data_set.labels.read(path)], ids)


def test_cityscapes_submission_keeps_the_original_name(tmp_path: Path) -> None:
    """8-bit single-channel label ids under the image's own name, as the test server asks."""
    data_set, space, split = write_data_set(tmp_path, "cityscapes")
    sample = data_set.samples(tmp_path, split)[0]
    path = data_set.write_prediction(tmp_path, sample, np.full((12, 20), 13, np.uint8), space)
    assert path.name == sample.image.name
    with Image.open(path) as image:
        assert image.mode == "L"
        assert np.unique(np.asarray(image)).tolist() == [26]  # car


def test_listing_digest(tmp_path: Path) -> None:
    """Depends on names and sizes, not on the place; a lost frame changes it, a lost label only for who reads labels."""
    data_set, _, split = write_data_set(tmp_path / "a", "gta5")
    write_data_set(tmp_path / "b", "gta5")
    here, there = (data_set.samples(tmp_path / r, split) for r in "ab")
    assert listing_digest(here, True) == listing_digest(there, True) != listing_digest(here, False)
    assert listing_digest(here[:1], False) != listing_digest(here, False)
    os.remove(there[0].label)  # type: ignore[arg-type]
    without = data_set.samples(tmp_path / "b", split)
    assert listing_digest(without, True) != listing_digest(here, True)
    assert listing_digest(without, False) == listing_digest(here, False)
