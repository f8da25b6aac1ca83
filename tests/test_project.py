"""The project as MLflow and conda read it: pins that agree, entry points that exist, parameters with defaults."""

from __future__ import annotations

import tomllib
from dataclasses import fields

import pytest
import yaml
from mlflow.projects._project_spec import Project, load_project

from udamlf.runs.launch import PROJECT_ROOT
from udamlf.runs.plan import Request
from udamlf.stages.stage import STAGES


@pytest.fixture(scope="module")
def project() -> Project:
    return load_project(str(PROJECT_ROOT))


def test_conda_installs_the_checkout_with_exactly_the_pins_of_the_package() -> None:
    pinned = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    conda = yaml.safe_load((PROJECT_ROOT / "conda.yaml").read_text())
    (pip,) = (entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict))
    assert pip[0] == "-e ."
    assert sorted(pip[1:]) == sorted(pinned)
    assert any(pin.startswith("mlflow==3.") for pin in pinned), (
        "one minor of MLflow: each has a database schema of its own"
    )


def test_every_entry_point_runs_its_script_and_says_what_its_parameters_are(project: Project) -> None:
    assert {"main", *STAGES.names()} == set(project._entry_points)
    text = (PROJECT_ROOT / "MLproject").read_text().splitlines()
    for name, entry in project._entry_points.items():
        script = "entrypoints/main.py" if name == "main" else f"entrypoints/stage.py {name}"
        assert entry.command.startswith(f"UDAMLF_PARENT=$PPID python {script} --")
        assert (PROJECT_ROOT / script.split()[0]).is_file()
        for parameter in entry.parameters.values():
            assert parameter.type == "string" and parameter.default is not None
            assert f"--{parameter.name.replace('_', '-')} {{{parameter.name}}}" in entry.command
    described = [line for line, before in zip(text[1:], text, strict=False) if "{type:" in line and "#" not in before]
    assert described == [], "each parameter has a comment above it"


def test_every_field_of_a_request_is_a_parameter(project: Project) -> None:
    names = {"overrides": "set"}
    wanted = {names.get(field.name, field.name) for field in fields(Request) if field.name != "recorded"}
    for entry in project._entry_points.values():
        assert wanted <= set(entry.parameters)


def test_the_command_of_the_first_page_needs_no_parameter_but_the_scenario(project: Project) -> None:
    command = project.get_entry_point("self_train").compute_command({"scenario": "syn2city"}, storage_dir=None)
    script = "python entrypoints/stage.py self_train"
    assert command.startswith(f"UDAMLF_PARENT=$PPID {script} --scenario syn2city --method iast --recipe")
    assert "--data-root ''" in command
