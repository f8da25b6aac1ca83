"""The README's commands are ones this version understands, and its light ones are executed."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml

from udamlf.cli import cli
from udamlf.config.compose import resolve

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command of the README's shell blocks, without its comment; a block may hold an alternative after `or:`."""
    lines = [line for block in re.findall(r"```bash\n(.*?)```", README, re.S) for line in block.splitlines()]
    parts = [part for line in lines for part in re.split(r"#\s*(?:or:)?", line)[:2]]
    return [part.strip() for part in parts if re.match(r"\s*(udamlf|mlflow|make|pip) ", part)]


def test_the_readme_has_commands_of_every_kind() -> None:
    assert {command.split()[0] for command in commands()} == {"udamlf", "mlflow", "make", "pip"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder has the YAML files that the README shows, named as it names them."""
    monkeypatch.chdir(tmp_path)
    for name, text in re.findall(r"`(\w+\.yaml)`:\n\n```yaml\n(.*?)```", README, re.S):
        (tmp_path / name).write_text(text)


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("udamlf")])
def test_udamlf_understands_it(command: str, files: None) -> None:
    """Options exist and their values parse; a scenario, method and profile that it names resolve together."""
    name, *arguments = shlex.split(command)[1:]
    context = cli.commands[name].make_context(name, arguments)
    given = context.params
    if name == "run":
        resolve(given["scenario"], given["method"], given["profile"], given["seed"])


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("mlflow run")])
def test_the_mlproject_has_its_entry_point_and_parameters(command: str) -> None:
    words = shlex.split(command)
    entry_points = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
    parameters = entry_points[words[words.index("-e") + 1]]["parameters"]
    for flag, value in itertools.pairwise(words):
        if flag == "-P":
            assert value.partition("=")[0] in parameters


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make")])
def test_the_makefile_has_its_target(command: str) -> None:
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


def test_links_and_pictures_are_in_the_repository() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_help_names_every_command_of_the_readme() -> None:
    """One real process: the console entry answers."""
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("udamlf")), "--help"], capture_output=True, text=True, check=True
    ).stdout
    used = {shlex.split(c)[1] for c in commands() if c.startswith("udamlf")}
    assert used <= set(cli.commands)
    assert all(name in shown for name in used)
    assert isinstance(cli, click.Group)
