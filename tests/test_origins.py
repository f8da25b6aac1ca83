"""A value that does not count is named: which, what wins; and what is as shipped is not talked about."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from udamlf.config import compose
from udamlf.config.compose import resolve
from udamlf.config.parts import CONFIGS


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ``resolve`` warns of."""
    texts: list[str] = []
    monkeypatch.setattr(compose, "_warn", texts.append)
    return texts


def copied(method: str, folder: Path, old: str, new: str) -> str:
    """A user's copy of a shipped method, with one value changed."""
    text = (CONFIGS / "methods" / f"{method}.yaml").read_text()
    assert old in text
    path = folder / "mine.yaml"
    path.write_text(text.replace(old, new))
    return str(path)


def test_a_copied_file_is_told_of_the_one_value_that_does_not_count(tmp_path: Path, said: list[str]) -> None:
    """alpha: 0.60 in the main part of IAST's file, where the miniature's adapted block sets whole rounds."""
    path = copied("iast", tmp_path, "alpha: 0.20", "alpha: 0.60")
    config = resolve("gta2city", path)
    assert config.method.round_at(1).selector.alpha == 0.5  # type: ignore[union-attr]
    (text,) = said
    for words in ("method.round.2.selector.alpha=0.6 of", path, "method.round of", "adapted.miniature", "--set"):
        assert words in text
    said.clear()
    resolve("gta2city", path, recipe="published")
    assert said == []


@pytest.mark.parametrize("beside_the_shipped", [False, True])
def test_a_file_that_extends_is_told_too_and_what_counts_is_not_named(
    beside_the_shipped: bool, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, name = tmp_path, str(tmp_path / "mine.yaml")
    if beside_the_shipped:
        shutil.copytree(CONFIGS, tmp_path, dirs_exist_ok=True)
        monkeypatch.setattr(compose, "CONFIGS", tmp_path)
        folder, name = tmp_path / "methods", "mine"
    tree = {"extends": "st", "name": "mine", "title": "mine", "round.selector.portion": [0.6], "rounds": 5}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    resolve("gta2city", name)
    assert [text.split(" of ")[0] for text in said] == [
        "not used: method.round.selector.portion=[0.6]", "not used: method.rounds=5"]  # fmt: skip
    said.clear()
    tree["adapted"] = {"miniature": {"method.round.selector.portion": [0.6], "method.rounds": 5}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    resolve("gta2city", name)
    assert said == []


def test_a_profile_of_the_users_is_told_what_the_method_sets(tmp_path: Path, said: list[str]) -> None:
    tree = {"extends": "miniature", "name": "short", "title": "short", "round.batch": {"source": 2, "target": 2}}
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(tree))
    resolve("gta2city", "iast", str(tmp_path / "short.yaml"))
    assert len(said) == 2 and all("profile.round.batch of" in text and "iast.yaml" in text for text in said)


def test_an_option_is_told_of_the_rounds_that_have_a_value_of_their_own(said: list[str]) -> None:
    resolve("gta2city", "iast", recipe="published", overrides=["profile.round.steps=60"])
    text = "not used in round 1: profile.round.steps of --set; what counts is method.round.1.training.steps=900"
    assert said == [text]
    said.clear()
    resolve("gta2city", "iast", recipe="published",
            overrides=["profile.round.steps=60", "method.round.1.training.steps=30"])  # fmt: skip
    assert said == []


def test_a_reference_is_not_told_of_what_was_set_for_a_method(said: list[str]) -> None:
    resolve("gta2city", "adabn", overrides=["profile.round.steps=60"])
    assert said == []


@pytest.mark.parametrize("method", compose.available("methods"))
@pytest.mark.parametrize("scenario", ["gta2city", "camvid2kitti"])
def test_shipped_files_are_silent(method: str, scenario: str, said: list[str]) -> None:
    for recipe in ("adapted", "published"):
        resolve(scenario, method, recipe=recipe)  # type: ignore[arg-type]
    assert said == []
