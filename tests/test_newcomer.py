"""What CONTRIBUTING.md says of adding something, done as it stands there on a copy of the project: a method, a selector
and a backbone touch two files each, a stage its module and MLproject; real chains then use all of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import folder_in_memory
from tests.end_to_end.conftest import Place
from udamlf.runs.launch import PROJECT_ROOT

COPIED = ("udamlf", "configs", "entrypoints", "MLproject", "conda.yaml")
TOUCHED = {
    "A method": ["configs/methods/masked.yaml", "udamlf/methods/masked.py"],
    "A selector": ["configs/methods/margin.yaml", "udamlf/selection/margin.py"],
    "A backbone": ["configs/profiles/tiny.yaml", "udamlf/models/tiny.py"],
    "A stage": ["MLproject", "udamlf/stages/brightness.py"],
}


def examples() -> dict[str, dict[str, str]]:
    """Heading -> file -> the code that CONTRIBUTING.md gives for it."""
    text = (PROJECT_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sections = re.split(r"^### ", text, flags=re.M)[1:]
    code = re.compile(r"`([\w/.]+)`:\n\n```(?:python|yaml)\n(.*?)```", re.S)
    return {section.split(":")[0]: dict(code.findall(section)) for section in sections}


@pytest.fixture(scope="module")
def place(empty_store: Path, tiny_world: Path) -> Iterator[Place]:
    """A store beside a copy of the project to which all four examples were added."""
    with folder_in_memory() as folder:
        project = folder / "project"
        for name in COPIED:
            source = PROJECT_ROOT / name
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, project / name, ignore=ignore) if source.is_dir() else shutil.copy(source, project)
        for files in examples().values():
            for file, code in files.items():
                before = (project / file).read_text(encoding="utf-8") if (project / file).exists() else ""
                (project / file).write_text(f"{before}\n{code}" if before else code, encoding="utf-8")
        shutil.copy(empty_store, folder / "mlflow.db")
        yield Place(folder, tiny_world, f"sqlite:///{folder}/mlflow.db")


@pytest.mark.parametrize("what", TOUCHED)
def test_each_addition_touches_two_files(what: str) -> None:
    assert sorted(examples()[what]) == TOUCHED[what]


RUN = """
import json, sys
from udamlf.cli import cli, guarded

for arguments in json.loads(sys.argv[1]):
    guarded(cli, arguments)
"""


@pytest.fixture(scope="module")
def said(place: Place) -> str:
    """Standard error of a process that does `udamlf run` of the copy twice: with the method; with the selector and the
    backbone."""
    budget = ("profile.warmup.steps=2", "profile.round.steps=2", "method.round.training.steps=2")
    overrides = [text for step in budget for text in ("--set", step)]
    common = ["run", "--scenario", "gta2city", "--data-root", str(place.world), "--no-references", *overrides]
    method = [*common, "--method", "masked", "--set", "method.round.objective.threshold=0.05"]
    others = [*common, "--method", "margin", "--profile", "tiny", "--rounds", "1"]
    path = os.pathsep.join((str(place.folder / "project"), os.environ.get("PYTHONPATH", "")))
    done = place.call(sys.executable, "-c", RUN, json.dumps([method, others]), PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_method_trains_and_the_stage_is_part_of_its_chain(place: Place, said: str) -> None:
    (training,) = place.runs(stage="self_train", method="masked")
    assert training.data.metrics["train/masked_ce"] > 0
    (stage,) = place.runs(stage="brightness", method="masked")
    levels = json.loads((Path(stage.info.artifact_uri.removeprefix("file://")) / "brightness.json").read_text())
    assert len(levels) == 4 and all(0 < level < 255 for level in levels.values())
    assert len(re.findall("^masked.* done$", said, re.M)) == 5


def test_the_selector_labels_for_the_new_backbone(place: Place, said: str) -> None:
    (labels,) = place.runs(stage="pseudo_label")
    assert 0 <= labels.data.metrics["pl/coverage"] <= 100
    (training,) = place.runs(stage="self_train", method="margin")
    assert training.data.params["cfg.profile.model.name"] == "tiny"
