"""Data sets and label spaces that a scenario's file describes: one reader for them and for the shipped ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from tests.data.own import CLASSES, SCENARIO, frame, write_fields, write_scenario
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.config.labels import IGNORE, LABEL_SPACES, CustomSpace, distinct_colours, find_space, space_tag
from udamlf.config.schema import FolderData
from udamlf.data.check import check_apart
from udamlf.data.dataset import SHIPPED, DataSet, folder_data_set
from udamlf.data.splits import ScenarioData
from udamlf.runs.chain import Chain
from udamlf.runs.plan import Request

FIELDS = yaml.safe_load(SCENARIO)["datasets"]["fields"]
COLOURED = {"images": "images/**/*.png", "labels": "masks/**/*.png"}
SPLITS = yaml.safe_load(SCENARIO)["splits"]


def data_of(root: Path, **changes: object) -> ScenarioData:
    path = write_scenario(root, **changes) if changes else root / "day2night.yaml"
    return ScenarioData(resolve(str(path), "source_only", data_root=str(root)), root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_fields(tmp_path)
    return tmp_path


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_described_folder_is_read_by_globs_and_lists(root: Path) -> None:
    data = data_of(root)
    names = {split: [f.name for f in data.samples(split)] for split in ("source_train", "target_train", "target_test")}
    assert names == {
        "source_train": [f"day/00{n}" for n in range(4)],
        "target_train": [f"night/00{n}" for n in range(4, 8)],
        "target_test": ["night/006", "night/007"],
    }
    first = data.samples("source_train", require_labels=True)[0]
    image, ids = frame(0)
    np.testing.assert_array_equal(data.dataset("source_train").read_image(first), image[:, :, ::-1])
    np.testing.assert_array_equal(data.dataset("source_train").read_label(first, data.config.space), ids)
    cv2.imwrite(str(first.label), image)
    with pytest.raises(UserError, match=r"pixel format 'RGB'[\s\S]*a picture has `colours`"):
        data.dataset("source_train").read_label(first, data.config.space)
    assert data.config.space.classes == CLASSES and data.config.space.headline == "3"


def test_a_list_may_begin_with_the_mark_of_a_windows_editor(root: Path) -> None:
    (root / "fields" / "lists" / "test.txt").write_bytes(b"\xef\xbb\xbfnight/006\r\nnight/007\r\n")
    assert [each.name for each in data_of(root).samples("target_test")] == ["night/006", "night/007"]


def test_a_pipe_and_a_label_that_lost_its_ids_are_refused(root: Path) -> None:
    """Who opens a pipe waits for its writer; JPEG's neighbours of a class are other classes."""
    data = data_of(root)
    first = data.samples("source_train", require_labels=True)[0]
    dataset, label = data.dataset("source_train"), first.label
    assert label is not None
    label.write_bytes(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes())
    with pytest.raises(UserError, match="is a JPEG file"):
        dataset.read_label(first, data.config.space)
    first.image.unlink()
    os.mkfifo(first.image)
    with pytest.raises(UserError, match="no regular file"):
        dataset.read_image(first)


@pytest.mark.parametrize(
    ("images", "labels", "name"),
    [
        ("img/*.jpg", "ann/*_gt.png", "a"),
        ("*/rgb_*.png", "*/rgb_*_mask.png", None),  # the wildcards hold the folder and the name
        ("img/**/*.jpg", "ann/**/*.png", "day/one/a"),
        ("*.png", "*_mask.png", "a"),  # a label is no image, though it fits the glob of images
        ("data (1)/x.y/*.png", "data (1)/masks/*.png", "a+b"),
    ],
)
def test_a_frame_s_name_is_what_the_wildcards_stand_for(
    tmp_path: Path, images: str, labels: str, name: str | None
) -> None:
    described = FolderData(images=images, labels=labels, ids={0: "path", 9: "crop"})
    dataset, name = folder_data_set("mine", described), name or "one/rgb_a"
    for number, pattern in enumerate((dataset.image, dataset.label)):
        path = tmp_path / "mine" / pattern.format(name=name)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((4, 6), 9 * number, np.uint8))
    (found,) = dataset.samples(tmp_path, "*")
    assert found.name == name
    space = CustomSpace(classes=CLASSES).space()
    assert (dataset.read_label(found, space) == 1).all()
    predicted = dataset.write_prediction(tmp_path / "out", found, np.full((4, 6), 1, np.uint8), space)
    assert predicted == tmp_path / "out" / f"{name}.png" and (dataset.labels.read(predicted) == 9).all()


def test_links_to_folders_are_followed_and_hidden_files_are_no_frames(root: Path, tmp_path: Path) -> None:
    (root / "fields" / "images" / "day").rename(tmp_path / "elsewhere")
    (root / "fields" / "images" / "day").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "._000.png").write_bytes(b"what macOS leaves")
    assert len(data_of(root).samples("source_train")) == 4


def test_a_label_is_not_both_learnt_and_scored(root: Path) -> None:
    """Whatever names the splits give the image; the target's training images, whose labels nobody learns, may be."""
    check_apart(data_of(root), ["source_train"], "target_test")
    globs = {"source_train": "*/00[0-367]", "target_train": "night/*", "target_test": "test"}
    splits = {name: {"dataset": "fields", "split": split} for name, split in globs.items()}
    path = write_scenario(root, splits=splits)
    with pytest.raises(UserError, match=r"2 images of target_test, e.g. \S*night\S*, are in source_train too"):
        Chain(Request(str(path), "st", data_root=str(root)))


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_label_that_is_reached_by_a_link_is_the_same(root: Path, linked: str) -> None:
    images, masks = root / "fields" / "images", root / "fields" / "masks"
    for place in (images, masks):
        if linked == "file":
            (place / "day" / "night.png").symlink_to(place / "night" / "006.png")
        else:
            (place / "dawn").symlink_to(place / "night")
    globs = {
        "source_train": "day/*" if linked == "file" else "dawn/*",
        "target_train": "night/*",
        "target_test": "test",
    }
    data = data_of(root, splits={name: {"dataset": "fields", "split": split} for name, split in globs.items()})
    with pytest.raises(UserError, match=r"are in source_train too"):
        check_apart(data, ["source_train"], "target_test")


def test_a_method_that_learns_the_target_s_labels_says_so(root: Path) -> None:
    path, learns = str(root / "day2night.yaml"), ("method.warmup.source=target_train",)
    with pytest.raises(UserError, match=r"st learns the labels of target_train[\s\S]*role: oracle"):
        Chain(Request(path, "st", data_root=str(root), overrides=learns))
    labelled = ("scenario.splits.target_train.split=night/00[67]",)
    with pytest.raises(UserError, match=r"2 images of target_test, .* are in target_train too"):
        Chain(Request(path, "oracle", data_root=str(root), overrides=labelled))
    with pytest.raises(UserError, match=r"image without label: \S*004.png \(2 of 4 in target_train\)"):
        Chain(Request(path, "oracle", data_root=str(root)))


@pytest.mark.parametrize("held_out", [True, False])
def test_a_reported_split_without_labels_is_refused_before_the_training(root: Path, held_out: bool) -> None:
    """With what can be reported in its place: the score at home, once the source has frames that are not learnt."""
    shutil.rmtree(root / "fields" / "masks" / "night")
    source = {"source_train": "day/00[012]", "source_val": "day/00[3]"} if held_out else {"source_train": "day/*"}
    globs = {**source, "target_train": "night/*", "target_test": "test"}
    splits = {name: {"dataset": "fields", "split": split} for name, split in globs.items()}
    request = Request(str(write_scenario(root, splits=splits)), "source_only", data_root=str(root))
    with pytest.raises(UserError) as error:
        Chain(request)
    message, expected, hint = str(error.value).splitlines()
    assert message.endswith("night/006.png (2 of 2 in target_test)") and expected.endswith("masks/night/006.png")
    assert hint.startswith("try: --set profile.report=source_val") == held_out and "source_val" in hint
    if held_out:
        Chain(replace(request, overrides=("profile.report=source_val",)))


def test_labels_that_are_not_described_are_asked_for(root: Path) -> None:
    bare = {"images": "images/**/*.png"}
    with pytest.raises(UserError, match=r"4 of 4 in source_train[\s\S]*`labels` in `datasets.fields`"):
        Chain(Request(str(write_scenario(root, datasets={"fields": bare})), "st", data_root=str(root)))


def test_labels_may_be_coloured_pictures(root: Path) -> None:
    """A colour without a class of the label space is ignored; one that is not named at all is an error."""
    colours = {"weed": [200, 0, 0], "path": [1, 2, 3], "unknown": [0, 0, 0], "crop": [0, 200, 0]}
    fields = {"images": "images/**/*.png", "labels": "masks/**/*.png", "colours": colours}
    data = data_of(root, datasets={"fields": fields})
    dataset, space = data.dataset("source_train"), data.config.space
    table = np.zeros((256, 3), np.uint8)
    table[:3] = [colours[name] for name in CLASSES]
    first, second = data.samples("source_train")[:2]
    _, ids = frame(0)
    cv2.imwrite(str(first.label), table[ids][:, :, ::-1])
    np.testing.assert_array_equal(dataset.read_label(first, space), ids)
    with pytest.raises(UserError, match=r"pixel format 'L'[\s\S]*is described by `ids`"):
        dataset.read_label(second, space)
    dataset.labels.write(second.label, dataset.raw_ids(space)[ids])  # type: ignore[arg-type]
    np.testing.assert_array_equal(dataset.read_label(second, space), ids)
    cv2.imwrite(str(first.label), np.full((32, 64, 3), 77, np.uint8))
    with pytest.raises(UserError, match=r"colour \(77, 77, 77\)"):
        dataset.read_label(first, space)


def test_other_colours_are_another_decoding(root: Path) -> None:
    """They count in keys, and in the cache of decoded labels."""

    def decoding(**colours: list[int]) -> list[object]:
        described = FolderData(images="a/*.png", labels="b/*.png", colours=colours)
        return folder_data_set("mine", described).decoding(CustomSpace(classes=CLASSES).space())

    assert decoding(path=[1, 1, 1], crop=[2, 2, 2]) != decoding(path=[1, 1, 1], crop=[3, 3, 3])


def test_an_unknown_id_is_an_error_and_a_void_one_is_ignored(root: Path) -> None:
    data = data_of(root)
    first = data.samples("source_train")[0]
    cv2.imwrite(str(first.label), np.full((32, 64), 7, np.uint8))
    with pytest.raises(UserError, match=r"holds the ids \[7\]"):
        data.dataset("source_train").read_label(first, data.config.space)
    fields = {"images": "images/**/*.png", "labels": "masks/**/*.png", "ids": {0: "path"}, "void": [7, 255]}
    data = data_of(root, datasets={"fields": fields})
    assert (data.dataset("source_train").read_label(first, data.config.space) == IGNORE).all()


def test_a_shipped_source_and_an_own_target_share_an_own_space_of_coarser_classes(tmp_path: Path) -> None:
    write_fields(tmp_path)
    space = {"classes": ["road", "vehicle", "person"], "coarser": {"car": "vehicle", "truck": "vehicle"}}
    fields = {"images": "images/**/*.png", "labels": "masks/**/*.png", "ids": ["road", "vehicle", "person"]}
    splits = {
        "source_train": {"dataset": "gta5", "split": "train"},
        "target_train": {"dataset": "fields", "split": "*"},
    }
    data = data_of(tmp_path, label_space=space, datasets={"fields": fields}, splits=splits, report="target_train")
    table = data.dataset("source_train").train_ids(data.config.space)
    assert table[[7, 26, 27, 24, 23]].tolist() == [0, 1, 1, 2, IGNORE]
    assert data.dataset("target_train").train_ids(data.config.space)[:3].tolist() == [0, 1, 2]
    assert data.dataset("source_train") is SHIPPED["gta5"] and isinstance(data.dataset("target_train"), DataSet)


@pytest.mark.parametrize(
    ("splits", "images", "said"),
    [
        (
            {"target_test": "tset"},
            "images/**/*.png",
            "'tset' of fields has no frame; its frames are day/000 to night/007",
        ),
        ({"source_train": "days/*"}, "images/**/*.png", "'days/*' of fields has no frame; its frames are day/000"),
        ({}, "images/**/*.jpg", "has no frame; there is none at all, in {root}/fields/images/**/*.jpg"),
    ],
)
def test_a_split_without_frames_says_what_frames_there_are(
    root: Path, splits: dict[str, str], images: str, said: str
) -> None:
    changed = {**SPLITS, **{name: {"dataset": "fields", "split": split} for name, split in splits.items()}}
    path = write_scenario(root, splits=changed, datasets={"fields": {**FIELDS, "images": images}})
    with pytest.raises(UserError) as error:
        Chain(Request(str(path), "source_only", data_root=str(root)))
    assert said.format(root=root) in str(error.value)
    assert f"a glob of frame names | a list of them in {root}/fields/lists" in str(error.value)
    assert ("create " in str(error.value)) == ("target_test" in splits)


def test_a_data_root_that_is_one_folder_too_deep_is_told(root: Path) -> None:
    with pytest.raises(UserError, match=rf"no data set fields[\s\S]*try: --data-root {root}$"):
        data_of(root).dataset("source_train").samples(root / "fields", "day/*")


def test_a_file_that_is_not_there_is_named_with_those_beside_it(root: Path) -> None:
    with pytest.raises(UserError, match=rf"no file {root}/day2nigth.yaml[\s\S]*did you mean '{root}/day2night.yaml'"):
        resolve(str(root / "day2nigth.yaml"), "st")


# --- splits that are there --------------------------------------------------------------------------------------------


def test_whether_a_split_is_there(root: Path, tiny_world: Path) -> None:
    data = data_of(root)
    assert data.has("source_train") and data.has("target_test")
    assert not data.has("source_val"), "the scenario does not name it"
    (root / "fields" / "lists" / "test.txt").unlink()
    assert not data.has("target_test")
    assert not ScenarioData(data.config, root / "nowhere").has("source_train")
    gta = ScenarioData(resolve("gta2city", "source_only"), tiny_world)
    assert gta.has("source_train") and gta.has("source_val") and gta.has("target_test")


def test_gta5_as_it_is_released_has_no_val(tmp_path: Path, tiny_world: Path) -> None:
    (tmp_path / "gta5").mkdir()
    for folder in ("images", "labels"):
        (tmp_path / "gta5" / folder).symlink_to(tiny_world / "gta5" / folder)
    data = ScenarioData(resolve("gta2city", "source_only"), tmp_path)
    assert data.has("source_train") and not data.has("source_val") and not data.has("target_train")


# --- descriptions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"fields": {"images": "images/a.png"}}}, "`images` is a glob"),
        ({"datasets": {"fields": {"images": "a/*.png", "labels": "b/**/*.png", "ids": ["path"]}}}, "wildcards"),
        ({"datasets": {"fields": {"images": "a/*.png", "labels": "b/*.png"}}}, "`ids` or `colours`"),
        ({"datasets": {"fields": {"images": "/a/*.png"}}}, "datasets.fields.images: paths below the data set's folder"),
        ({"datasets": {"fields": {"images": "{a,b}/*.png"}}}, "no wildcards but * and **"),
        ({"datasets": {"fields": {**COLOURED, "colours": {"path": None}}}}, "path: a colour is [red, green, blue]"),
        ({"datasets": {"fields": {**COLOURED, "colours": {"path": "#804080"}}}}, "(found '#804080')"),
        ({"datasets": {"../x": {"images": "a/*.png"}}}, "datasets"),
        ({"datasets": {"fields": {"image": "a/*.png"}}}, "did you mean 'images'"),
        ({"splits": {"day*": {"dataset": "fields", "split": "day/*"}}}, "splits.day*"),
        ({"datasets": {}}, "unknown data set 'fields'"),
        ({"splits": {**SPLITS, "target_dev": {"dataset": "feilds", "split": "*"}}}, "did you mean 'fields'? one of: "),
        ({"label_space": {"classes": ["path", "corp", "weed"]}}, "class 'corp' of the label space has no id in"),
        ({"label_space": {"classes": ["path", "crop", "tree"]}}, "no id in data set fields (source_train)"),
        ({"datasets": {"fields": {**FIELDS, "ids": ["path", "corp", "weed"]}}}, "did you mean 'corp'?"),
        (
            {"datasets": {"fields": {**FIELDS, "void": 255, "ids": {0: "path", 1: "crop", 255: "weed"}}}},
            "id 255 of data set fields is",
        ),
        ({"label_space": {"classes": ["path", "path"]}}, "'path' stands there twice"),
        ({"label_space": {"classes": ["path"]}}, "label_space.classes"),
        ({"label_space": {"classes": ["path", "crop"], "subsets": {"2": ["cop"]}}}, "none of the classes; did you"),
        ({"label_space": {"clases": ["path", "crop"]}}, "did you mean 'classes'"),
        ({"label_space": "cityscapes91"}, "unknown label space 'cityscapes91'"),
    ],
)
def test_a_mistake_in_a_description_is_named_before_anything_runs(
    root: Path, changes: dict[str, object], message: str
) -> None:
    path = write_scenario(root, **changes)
    with pytest.raises(UserError) as error:
        Request(str(path), "source_only", data_root=str(root)).resolve()
    assert message in str(error.value)


def test_who_does_not_learn_the_source_s_labels_may_lack_a_class_there(root: Path) -> None:
    """A target, which may have one of nearly that name besides, or the source of a method that does not open it."""
    (root / "night").symlink_to(root / "fields")
    lacking = {**FIELDS, "ids": ["path", "crop", "weeds"]}
    datasets = {"fields": FIELDS, "night": lacking}
    splits = {**SPLITS, "target_test": {"dataset": "night", "split": "test"}}
    Request(str(write_scenario(root, datasets=datasets, splits=splits)), "st", data_root=str(root)).resolve()
    path = str(write_scenario(root, datasets={"fields": lacking}))
    Request(path, "oracle", data_root=str(root)).resolve()
    with pytest.raises(UserError, match="no id in data set fields"):
        Request(path, "st", data_root=str(root)).resolve()


def test_a_chain_up_to_a_step_asks_for_what_these_steps_open(root: Path) -> None:
    shutil.rmtree(root / "fields" / "masks" / "night")
    request = Request(str(root / "day2night.yaml"), "st", data_root=str(root))
    Chain(request, last_step=("pseudo_label", 1))
    with pytest.raises(UserError, match="image without label"):
        Chain(request)


def test_a_reported_split_that_is_not_there_is_refused(root: Path) -> None:
    splits = {**SPLITS, "source_val": {"dataset": "fields", "split": "noon/*"}}
    path = str(write_scenario(root, splits=splits))
    Chain(Request(path, "st", data_root=str(root)))
    with pytest.raises(UserError, match=r"split 'noon/\*' of fields has no frame"):
        Chain(Request(path, "st", data_root=str(root), overrides=("profile.report=source_val",)))


@pytest.mark.parametrize("space", ["cityscapes13", "cityscapes16", "cityscapes19", "synthia19"])
def test_shipped_data_and_label_spaces_go_together(space: str) -> None:
    """SYNTHIA has ids for all 19 classes, though three of them never occur."""
    for scenario in ("gta2city", "syn2city"):
        Request(scenario, "st", overrides=(f"scenario.label_space={space}",)).resolve()


def test_a_label_space_is_found_from_a_tag_alone() -> None:
    own = CustomSpace(classes=CLASSES, subsets={"plants": ("crop", "weed")}, rare=("weed",), colours=((1, 2, 3),) * 3)
    assert find_space(space_tag(own)) == own.space()
    assert own.space().headline == "plants" and own.space().palette == ((1, 2, 3),) * 3
    assert own.space().name != CustomSpace(classes=("crop", "path", "weed")).space().name
    for name, space in LABEL_SPACES.items():
        assert find_space(space_tag(name)) is space
    for wrong in ("", "{}", "[1]", "cityscapes20", '{"classes": 3}'):
        with pytest.raises(UserError, match="unknown label space"):
            find_space(wrong)


@pytest.mark.parametrize("count", [2, 11, 20, 254])
def test_colours_that_are_made_differ(count: int) -> None:
    colours = distinct_colours(count)
    assert len(set(colours)) == count and (0, 0, 0) not in colours
    gaps = [sum(abs(a - b) for a, b in zip(x, y, strict=True)) for x, y in combinations(colours, 2)]
    assert count > 20 or min(gaps) > 60


def test_a_further_label_space_is_an_entry_of_the_file(tmp_path: Path) -> None:
    """In a copy of the package whose file has one more."""
    root = Path(__file__).parents[2]
    for folder in ("udamlf", "configs"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    with open(tmp_path / "configs" / "label_spaces.yaml", "a") as file:
        file.write("halves:\n  classes: [left, right]\n")
    code = "from udamlf.config.labels import find_space; print(*find_space('halves').classes)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == "left right\n", done.stderr
