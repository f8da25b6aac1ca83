"""An edit retrains only what it changes: the code's part of a key, on a copy of the package that is then edited."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from udamlf.config.compose import available, resolve
from udamlf.runs import plan as keys
from udamlf.runs.plan import plan

Edit = Callable[[str, Callable[[str], str]], set[str]]
STEPS = {"warmup": 0, "pseudo_label": 1, "self_train": 1, "evaluate": 3}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The root of a copy of the package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(keys.PROJECT_ROOT / keys.PACKAGE, tmp_path / keys.PACKAGE, ignore=ignored)
    return tmp_path


def digests(root: Path, method: str) -> dict[str, dict[str, str]]:
    """Stage -> digests of its modules, for a method on gta2city."""
    keys._module.cache_clear()
    config = resolve("gta2city", method)
    rounds = {
        name: round for name, round in STEPS.items() if (name, round) in {(s.stage, s.round) for s in plan(config)}
    }
    return {name: keys.module_digests(keys.modules(config, name, round), root) for name, round in rounds.items()}


def changed_by(package: Path, file: str, edit: Callable[[str], str], method: str = "st") -> set[str]:
    """Stages of a method whose key an edit of a file changes."""
    before = digests(package, method)
    path = package / keys.PACKAGE / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert edit(text) != text or not path.is_file()
    path.write_text(edit(text), encoding="utf-8")
    after = digests(package, method)
    return {name for name in before if before[name] != after[name]}


def appended(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n{line}\n"


CODE = appended("EDITED = 1")
TRAINED = {"warmup", "self_train"}


@pytest.mark.parametrize(
    ("file", "edit"),
    [
        ("methods/brand_new.py", lambda _: "class Objective:\n    pass\n"),
        ("methods/broken.py", lambda _: "def half_written("),
        ("selection/brand_new.py", lambda _: "class Selector:\n    pass\n"),
        ("models/brand_new.py", lambda _: "class Network:\n    pass\n"),
        ("stages/brand_new.py", lambda _: "class Stage:\n    pass\n"),
        ("losses.py", appended("# a comment")),
        ("losses.py", lambda text: text.replace('"""', '"""Other words. ', 1)),
        ("evaluation/score.py", appended("# a comment")),
        ("training/loop.py", lambda text: text.replace('"""One step', '"""Other words: one step')),
        ("selection/instance_adaptive.py", CODE),
        ("methods/hiast.py", CODE),
        ("models/deeplabv2.py", CODE),
        ("stages/target_subset.py", CODE),
        ("config/schema.py", CODE),
        ("config/labels.py", CODE),
        ("report/figures.py", CODE),
        ("runs/chain.py", CODE),
        ("cli/__init__.py", CODE),
        ("miniature/world.py", CODE),
    ],
)
def test_an_edit_of_what_a_method_does_not_use_changes_no_key(
    package: Path, file: str, edit: Callable[[str], str]
) -> None:
    assert changed_by(package, file, edit) == set()


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("losses.py", TRAINED),
        ("methods/supervised.py", {"warmup"}),
        ("methods/self_training.py", {"self_train"}),
        ("training/loop.py", TRAINED),
        ("stages/train.py", TRAINED),
        ("stages/warmup.py", {"warmup"}),
        ("stages/pseudo_label.py", {"pseudo_label"}),
        ("stages/labelling.py", {"pseudo_label", "self_train"}),  # the second: the teacher of a round
        ("selection/global_.py", {"pseudo_label"}),
        ("selection/class_balanced.py", {"pseudo_label"}),
        ("selection/base.py", {"pseudo_label"}),
        ("evaluation/score.py", {"evaluate"}),
        ("evaluation/predict.py", {"pseudo_label", "evaluate"}),
        ("models/compact.py", set(STEPS)),
        ("data/raster.py", set(STEPS)),
        ("common/rounds.py", {"pseudo_label", *TRAINED}),
        ("common/seeding.py", set(STEPS)),
    ],
)
def test_an_edit_changes_the_keys_of_the_stages_that_use_it_and_no_other(
    package: Path, file: str, stages: set[str]
) -> None:
    """What it changes further reaches the others through their inputs."""
    assert changed_by(package, file, CODE) == stages


def test_a_number_in_a_loss_is_code_and_a_line_break_is_not(package: Path) -> None:
    """What counts is the syntax tree."""
    assert changed_by(package, "losses.py", lambda text: text.replace("min=1)", "min=2)", 1)) >= TRAINED
    assert changed_by(package, "losses.py", lambda text: text.replace("\n\n\ndef ", "\n\n\n\n\ndef ")) == set()


@pytest.mark.parametrize(
    ("change", "stages"),
    [
        ({"classes": ("street", *resolve("gta2city", "st").space.classes[1:])}, set(STEPS)),  # "road" is then ignored
        ({"rare": ()}, set(STEPS)),
        ({"not_in_source": ("snow",)}, set(STEPS)),
        ({"subsets": {"1": ("road",)}}, {"evaluate"}),
        ({"palette": ((0, 0, 0),) * 19}, set()),
    ],
)
def test_a_label_space_counts_with_what_a_result_depends_on(change: dict, stages: set[str]) -> None:
    """With its values: another label space in the same file retrains nothing."""

    def by_stage(**changes: Any) -> dict[str, str]:
        config = resolve("gta2city", "st")
        config.__dict__["space"] = replace(config.space, **changes)  # where the cached property keeps it
        return {n: keys.key_of(keys.key_parts(config, n, r, {}, lambda split, labels: split)) for n, r in STEPS.items()}

    plain, changed = by_stage(), by_stage(**change)
    assert {name for name in STEPS if plain[name] != changed[name]} == stages


def test_initial_weights_count_with_their_content(tmp_path: Path) -> None:
    """Another file under the same name is another training, whose checkpoint is then another input."""
    weights = tmp_path / "weights.pth"
    config = resolve("gta2city", "st", "paper", overrides=[f"profile.model.weights={weights}"])

    def by_stage(content: bytes) -> dict[str, str]:
        weights.write_bytes(content)
        rounds = {**STEPS, "evaluate": config.method.rounds}
        every = {n: keys.key_parts(config, n, r, {}, lambda split, labels: split) for n, r in rounds.items()}
        return {n: keys.key_of(parts) for n, parts in every.items()}

    one, same, other = by_stage(b"one"), by_stage(b"one"), by_stage(b"two")
    assert one == same
    assert {name for name in one if one[name] != other[name]} == TRAINED


@pytest.mark.parametrize("method", available("methods"))
def test_every_step_of_every_method_has_its_parts_in_its_code(method: str) -> None:
    config = resolve("gta2city", method)
    for step in plan(config):
        modules = keys.modules(config, step.stage, step.round)
        assert f"udamlf.stages.{step.stage}" in modules
        for name in modules:
            assert keys._file(name, keys.PROJECT_ROOT).is_file(), name
