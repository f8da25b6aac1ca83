"""What is wrong with data is found before it is used: all of it, by name, and of the same files once."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.own import write_fields, write_scenario
from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder
from udamlf.config.compose import resolve
from udamlf.data.check import check_headers, look
from udamlf.data.dataset import DataSet, Frame
from udamlf.data.splits import ScenarioData
from udamlf.runs.doctor import cache_data, look_at

SIDES = ("source", "target")
SPLITS = {"source_train": True, "target_train": False, "target_test": True}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScenarioData:
    monkeypatch.setenv("UDAMLF_CACHE", str(tmp_path / "cache"))
    scenario = write_fields(tmp_path)
    return ScenarioData(resolve(str(scenario), "source_only"), tmp_path)


def damage(data: ScenarioData) -> list[str]:
    """Spoil one file after another of source_train; what is wrong, in the frames' order."""
    images, labels = ([*map(str, (data.root / "fields" / f / "day").glob("*.png"))] for f in ("images", "masks"))
    images, labels = sorted(images), sorted(labels)
    os.truncate(images[0], os.path.getsize(images[0]) - 20)
    cv2.imwrite(labels[0], np.zeros((32, 64, 3), np.uint8))
    cv2.imwrite(labels[1], np.zeros((16, 64), np.uint8))
    Path(images[2]).write_bytes(b"")
    Path(labels[3]).unlink()
    return [f"{images[0]} (", f"{labels[0]} has pixel format 'RGB'", f"{labels[1]} is 64x16, its image 64x32",
            f"{images[2]} is missing or empty", f"image without label: {images[3]}"]  # fmt: skip


def test_whole_data_has_counts_a_histogram_and_no_bad_file(data: ScenarioData) -> None:
    seen: list[tuple[int, int]] = []
    findings = look(data, "source_train", watch=lambda done, of: seen.append((done, of)))
    assert (findings.images, findings.labels, findings.decoded, findings.bad) == (4, 4, 4, [])
    assert seen == [(n, 4) for n in (1, 2, 3, 4)]
    labels = [data.dataset("source_train").read_label(f, data.config.space) for f in data.samples("source_train")]
    np.testing.assert_array_equal(findings.pixels, sum(np.bincount(label.ravel(), minlength=256) for label in labels))
    assert "path " in findings.histogram(data.config.space) and "ignored 3.1" in findings.histogram(data.config.space)
    assert look(data, "source_train", decode=2).decoded == 2
    unlabelled = look(data, "target_train")
    assert (unlabelled.images, unlabelled.labels, unlabelled.bad) == (4, 2, [])


def test_a_look_names_splits_that_are_missing_or_not_apart(data: ScenarioData) -> None:
    """An image that is learnt with its label and scored is a fault; one of the target's is told."""

    def told(**globs: str) -> tuple[str, list[str]]:
        splits = {name: {"dataset": "fields", "split": split} for name, split in globs.items()}
        path = write_scenario(data.root, splits=splits)
        texts, bad = zip(*look_at(str(path), str(data.root), None), strict=True)
        return "\n".join(texts), [line for lines in bad for line in lines]

    text, bad = told(source_train="day/*", source_val="day/00[23]", target_train="night/*", target_test="test")
    assert "2 images of source_val, e.g. " in bad[0] and bad[0].endswith("in source_train too, whose labels are learnt")
    assert len(bad) == 1 and "2 images of target_test, e.g. " in text and "in target_train too, whose images" in text
    text, bad = told(source_train="day/*", target_trian="night/*", target_test="test")
    assert bad[-1] == "scenario day2night has no split 'target_train'" and "did you mean 'target_trian'?" in text
    text, bad = told(source_train="day/*", target_train="night/00[45]", target_test="test")
    assert bad == [] and " too" not in text


def test_every_bad_file_is_found(data: ScenarioData) -> None:
    expected = damage(data)
    for findings in (look(data, "source_train"), look(data, "source_train", decode=1)):
        assert len(findings.bad) == len(expected)
        for line, text in zip(findings.bad, expected, strict=True):
            assert text in line
    assert look(data, "target_test").bad == []


def test_an_image_that_a_list_names_may_be_missing_and_is_then_bad(data: ScenarioData) -> None:
    (data.root / "fields" / "images" / "night" / "006.png").unlink()
    (line,) = look(data, "target_test").bad
    assert "night/006.png is missing or empty" in line


def test_odd_ids_are_found_where_labels_are_decoded_and_a_class_that_never_occurs_is_named(data: ScenarioData) -> None:
    for number, value in ((0, 9), (1, 1), (2, 1), (3, 1)):
        path = data.root / "fields" / "masks" / "day" / f"00{number}.png"
        cv2.imwrite(str(path), np.full((32, 64), value, np.uint8))
    findings = look(data, "source_train")
    assert len(findings.bad) == 1 and "day/000.png holds the ids [9]" in findings.bad[0]
    assert findings.histogram(data.config.space).endswith("crop 100.0, weed 0.0, ignored 0.0; no pixel of path, weed")


def test_a_chain_is_told_of_bad_headers_with_the_command_that_lists_them(data: ScenarioData) -> None:
    check_headers(data, SPLITS, "udamlf data check it")
    images = data.root / "fields" / "images" / "night"
    for number in range(4, 8):
        (images / f"00{number}.png").write_bytes(b"")
    data.samples.cache_clear()
    with pytest.raises(UserError) as error:
        check_headers(data, SPLITS, "udamlf data check it")
    assert "bad files in split target_train: 4" in str(error.value) and "night/004.png" in str(error.value)
    assert "udamlf data check it" in str(error.value)
    check_headers(data, {"source_train": True}, "")  # what is not opened is not looked at


def test_an_audit_takes_the_labels_of_the_target_that_there_are(data: ScenarioData) -> None:
    check_headers(data, {"target_train": True}, "")
    cv2.imwrite(str(data.root / "fields" / "masks" / "night" / "006.png"), np.zeros((3, 3), np.uint8))
    data.samples.cache_clear()
    check_headers(data, {"target_train": False}, "")
    with pytest.raises(UserError, match=r"006\.png is 3x3"):
        check_headers(data, {"target_train": True}, "")
    (data.root / "fields" / "masks" / "day" / "000.png").unlink()
    with pytest.raises(UserError, match="image without label"):
        check_headers(data, {"source_train": True}, "")


def test_a_source_without_held_out_frames_is_no_fault(data: ScenarioData) -> None:
    """GTA5 as released has no ``val`` split; any other split that is missing is one."""
    splits = {**data.config.scenario.splits, "source_val": data.config.scenario.splits["source_train"]}
    splits["source_val"] = splits["source_val"].model_copy(update={"split": "val"})
    scenario = data.config.scenario.model_copy(update={"splits": splits})
    lacking = ScenarioData(data.config.model_copy(update={"scenario": scenario}), data.root)
    check_headers(lacking, {"source_val": True, **SPLITS}, "")
    assert not lacking.has("source_val")


def test_headers_of_the_same_files_are_looked_at_once(data: ScenarioData, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    faults = DataSet.faults

    def counted(dataset: DataSet, frame: Frame, *needed: bool) -> list[str]:
        looked.append(frame.name)
        return faults(dataset, frame, *needed)

    monkeypatch.setattr(DataSet, "faults", counted)
    check_headers(data, SPLITS, "")
    assert len(looked) == 4 + 4 + 2
    check_headers(data, SPLITS, "")
    assert len(looked) == 10
    first = data.samples("source_train")[0].image
    first.write_bytes(first.read_bytes())
    os.utime(first, ns=(1, 1))
    check_headers(data, SPLITS, "")
    assert sorted(looked[10:]) == [f"day/00{n}" for n in range(4)]


def test_frames_are_decoded_and_kept_before_a_chain(data: ScenarioData) -> None:
    """`udamlf data cache`: what the trainings of a method read, labels where they are declared."""
    request = {"scenario": str(data.root / "day2night.yaml"), "method": "st", "data_root": str(data.root)}
    lines = list(cache_data(request))
    assert [line.split(" in ")[0] for line in lines] == [
        f"{s}_train: 4 frames at 256x128" for s in ("source", "target")
    ]
    assert len(list(cache_folder().glob("frames/*.npy"))) == 3
