"""Splits: a stage opens what it declares and nothing else; a choice of images cuts ``target_train`` alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.data.splits import SUBSET, ScenarioData, check_subset, is_generated, subset_images

CONFIG = resolve("gta2city", "source_only")


def test_only_declared_splits_are_opened_and_only_declared_labels(tiny_world: Path) -> None:
    data = ScenarioData(CONFIG, tiny_world, splits={"source_train": True, "target_train": False})
    assert all(frame.label is not None for frame in data.samples("source_train", True))
    assert all(frame.label is None for frame in data.samples("target_train"))
    with pytest.raises(UserError, match="labels of target_train"):
        data.frames("target_train", with_labels=True)
    with pytest.raises(UserError, match="split target_test"):
        data.samples("target_test")
    with pytest.raises(UserError, match="no split 'nowhere'"):
        ScenarioData(CONFIG, tiny_world).samples("nowhere")


def test_a_choice_cuts_the_target_s_training_images_and_their_digest(tiny_world: Path) -> None:
    whole = ScenarioData(CONFIG, tiny_world)
    first = whole.samples("target_train")[0].name
    part = ScenarioData(CONFIG, tiny_world, [first])
    assert [frame.name for frame in part.samples("target_train")] == [first]
    assert len(part.samples("target_test")) == len(whole.samples("target_test"))
    assert part.digest("target_train", False) != whole.digest("target_train", False)
    assert part.digest("source_train", True) == whole.digest("source_train", True)


def test_a_generated_root_is_told_from_real_data(tiny_world: Path, tmp_path: Path) -> None:
    assert is_generated(tiny_world) and ScenarioData(CONFIG, tiny_world).kind == "miniature"
    assert not is_generated(tmp_path) and ScenarioData(CONFIG, tmp_path).kind == "real"


@pytest.mark.parametrize("text", [None, "", "[]", "{}"])
def test_a_missing_or_damaged_choice_is_named(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / SUBSET).write_text(text)
    with pytest.raises(UserError, match=SUBSET):
        subset_images(tmp_path)
    (tmp_path / SUBSET).write_text(json.dumps({"images": ["a"]}))
    assert subset_images(tmp_path) == ["a"]


def test_a_subset_larger_than_the_split() -> None:
    check_subset(5, 5)
    with pytest.raises(UserError, match=r"top_k=4"):
        check_subset(5, 4)
