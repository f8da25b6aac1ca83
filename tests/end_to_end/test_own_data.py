"""A user's own folder of images, three new classes and two domains: ten lines of YAML, and the real commands."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.data.own import CLASSES, SCENARIO, write_fields
from tests.end_to_end.conftest import STEPS, UDAMLF, Place
from udamlf.config.labels import CustomSpace, find_space

README = Path(__file__).parents[2] / "README.md"
SMALL = ("profile.frames_hw=[32,64]", "profile.labelling.size_hw=[32,64]", "profile.evaluation.size_hw=[32,64]")


@pytest.fixture(scope="module")
def scenario(place: Place) -> Path:
    return write_fields(place.folder / "own")


def chain(place: Place, scenario: Path, method: str, *options: str) -> subprocess.CompletedProcess[str]:
    overrides = [text for value in (*STEPS, *SMALL) for text in ("--set", value)]
    command = ["run", "--scenario", str(scenario), "--method", method, "--data-root", str(scenario.parent)]
    return place.call(UDAMLF, *command, "--no-references", *overrides, *options)


@pytest.fixture(scope="module")
def tables(place: Place, scenario: Path) -> dict[str, str]:
    """What `udamlf run` prints of a chain without and of one with a selector."""
    printed = {}
    for method, options in (("source_only", ()), ("cbst", ("--rounds", "1"))):
        done = chain(place, scenario, method, *options)
        assert done.returncode == 0, done.stderr
        printed[method] = done.stdout
    return printed


def test_the_readme_shows_this_scenario() -> None:
    assert SCENARIO.strip() in README.read_text(encoding="utf-8")
    assert len(SCENARIO.strip().splitlines()) == 10


def test_the_data_are_checked_before(place: Place, scenario: Path) -> None:
    out = place.udamlf("data", "check", str(scenario), "--data-root", str(scenario.parent))
    assert "source_train: 4 images, 4 with label" in out and "target_train: 4 images, 2 with label" in out
    assert "% of pixels in 4 labels: path " in out and out.endswith("0 bad files\n")


def test_a_chain_runs_on_them_and_its_table_has_their_classes(tables: dict[str, str]) -> None:
    for method, text in tables.items():
        assert "day2night, IoU in % on real data, split target_test" in text and method in text
        for name in ("mIoU 3", *CLASSES):
            assert f"\n{name} " in text


def test_runs_tell_their_label_space_by_their_tags_alone(place: Place, tables: dict[str, str]) -> None:
    """So `compare` needs no scenario file."""
    (parent,) = place.runs(stage="chain", method="cbst")
    assert find_space(parent.data.tags["label_space"]) == CustomSpace(classes=CLASSES).space()
    rows = json.loads(place.udamlf("compare", "--scenario", "day2night", "--format", "json"))
    assert [row["method"] for row in rows] == ["source_only", "cbst"]
    assert all(list(row["iou"]) == [*CLASSES] for row in rows)
    assert "day2night" in place.udamlf("compare", "--gains", "--format", "markdown")


def test_a_further_split_keeps_the_work_and_the_row(place: Place, scenario: Path, tables: dict[str, str]) -> None:
    tree = yaml.safe_load(scenario.read_text())
    tree["splits"]["target_dev"] = {"dataset": "fields", "split": "night/00[67]"}
    longer = scenario.with_name("longer.yaml")
    longer.write_text(yaml.safe_dump(tree), encoding="utf-8")
    done = chain(place, longer, "source_only")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reused") == 2 and " done" not in done.stderr
    rows = json.loads(place.udamlf("compare", "--scenario", "day2night", "--format", "json"))
    assert [row["method"] for row in rows] == ["source_only", "cbst"]


def test_evaluate_takes_splits_of_the_scenario_and_of_its_target_s_data_set(
    place: Place, scenario: Path, tables: dict[str, str]
) -> None:
    (trained,) = place.runs(stage="self_train", method="cbst")
    command = ["evaluate", "--run-id", trained.info.run_id, "--format", "json"]
    (scenario.parent / "fields" / "lists" / "one.txt").write_text("night/007\n")
    masks = place.folder / "masks"
    for split, images in (("source_train", 4), ("one", 1)):
        result = json.loads(place.udamlf(*command, "--split", split, "--save-predictions", str(masks / split)))
        assert (result["split"], result["images"]) == (split, images)
    assert [p.relative_to(masks).as_posix() for p in masks.rglob("*7.png")] == ["one/night/007.png"]
    done = place.call(UDAMLF, *command, "--split", "tset")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for text in ("no", "'tset'", "of day2night: source_train", "of fields: one, test", "did you mean 'test'?"):
        assert text in done.stderr


def test_bad_files_end_a_chain_before_its_warm_up_and_are_all_listed(place: Place, scenario: Path) -> None:
    broken = write_fields(place.folder / "broken")
    images = broken.parent / "fields" / "images"
    for name in ("day/000.png", "night/005.png", "night/007.png"):
        (images / name).write_bytes(b"")
    before = len(place.runs(stage="warmup"))
    done = chain(place, broken, "source_only", "--seed", "3")
    assert done.returncode == 2 and "bad files in split source_train: 1" in done.stderr
    assert f"udamlf data check {broken}" in done.stderr and len(place.runs(stage="warmup")) == before
    checked = place.call(UDAMLF, "data", "check", str(broken), "--data-root", str(broken.parent))
    assert checked.returncode == 2
    assert "\n3 bad files\n" in checked.stdout  # one of them is of two splits
    for name in ("day/000.png", "night/005.png", "night/007.png"):
        assert f"{images / name} is missing or empty" in checked.stdout
