"""The command line: it answers at once, and bad input is one clear message, exit code 2 and no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from udamlf.cli import cli, guarded
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.runs.runner import recorded_config

UDAMLF = str(Path(sys.executable).parent / "udamlf")


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([UDAMLF, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["evaluate", "--help"]])
def test_help_imports_neither_torch_nor_mlflow(arguments: list[str]) -> None:
    code = (
        "import sys; from udamlf.cli import cli\n"
        "try: cli(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print('heavy:', sorted({'torch', 'mlflow', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout and done.stdout.endswith("heavy: []\n")


@pytest.fixture
def restored_signals() -> Iterator[None]:
    """A command takes over SIGINT and SIGTERM; the test run needs them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["run", "--scenario", "gta2citi"], ["unknown scenario 'gta2citi'", "did you mean 'gta2city'?"]),
        (["run", "--scenario", "gta2city", "--method", "cbts"], ["unknown method 'cbts'", "did you mean 'cbst'?"]),
        (["run", "--scenario", "gta2city", "--rounds", "0"], ["--rounds 0", "at least 1"]),
        (["run", "--scenario", "gta2city", "--seed", "-1"], ["--seed -1", "0 or more"]),
        (["run", "--scenario", "gta2city", "--set", "profile.warmup.step=3"], ["step", "did you mean 'steps'?"]),
        (["run", "--scenario", "gta2city", "--set", "nonsense"], ["--set 'nonsense'", "key=value"]),
        (["run", "--scenario", "gta2city", "--env-manager", "uvv"], ["uvv"]),
        (["evaluate", "--run-id", "x", "--scales", "0,1"], ["--scales 0,1"]),
        (["data", "miniature", "--seed", "-3", "--out", "w"], ["seed -3"]),
    ],
)
def test_bad_input_is_told_before_anything_is_written(
    store: Path, restored_signals: None, capsys: pytest.CaptureFixture[str], arguments: list[str], messages: list[str]
) -> None:
    """In this process, for speed: the command as the console script calls it."""
    before = sorted(path.name for path in store.iterdir())
    with pytest.raises(SystemExit) as ended:
        guarded(cli, arguments)
    shown = capsys.readouterr()
    assert ended.value.code == 2
    for message in messages:
        assert message in shown.err
    assert "Traceback" not in shown.err and not shown.out
    assert not MlflowClient().search_runs(["0"])
    assert sorted(path.name for path in store.iterdir() if path.suffix != ".lock") == before


def test_a_data_root_without_the_data_set_is_an_error_that_helps_and_a_failed_run(
    store: Path, restored_signals: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (store / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        guarded(cli, ["run", "--scenario", "gta2city", "--data-root", "empty", "--no-references"])
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    for message in ("gta5", str(store / "empty"), "get it from"):
        assert message in shown
    (run,) = MlflowClient().search_runs(["0"])
    assert run.info.status == "FAILED" and "gta5" in run.data.tags["udamlf.error"]


def test_an_unknown_run_is_an_error(store: Path) -> None:
    done = call("evaluate", "--run-id", "0123456789abcdef0123456789abcdef", cwd=store)
    assert done.returncode == 2 and "no run '0123456789abcdef0123456789abcdef'" in done.stderr
    assert "Traceback" not in done.stderr


def test_configurations_of_earlier_versions_are_read_or_refused(tmp_path: Path) -> None:
    """Former keys do not hinder an evaluation; a configuration without what it needs is a message with the run's id."""
    config = resolve("gta2city", "st")
    tree = config.model_dump(mode="json")
    tree["profile"]["round"] |= {"micro_batch": None, "accumulate": 2}
    tree["method"]["warmup"]["labelled"] = tree["method"]["round"]["labelled"] = "source_train"
    tree["scenario"]["lists"] = tree["scenario"].pop("splits")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    assert recorded_config(tmp_path, "a1") == config
    del tree["profile"]["model"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    with pytest.raises(UserError, match="run a1"):
        recorded_config(tmp_path, "a1")
    (tmp_path / "config.yaml").unlink()
    with pytest.raises(UserError, match="run a1"):
        recorded_config(tmp_path, "a1")


def test_an_empty_store_has_nothing_to_compare(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guarded(cli, ["compare", "--format", "json"])
    assert capsys.readouterr().out.strip() == "[]"
    guarded(cli, ["compare"])
    assert "no finished chain" in capsys.readouterr().out


def test_doctor_counts_the_data_and_names_the_command(
    store: Path, tiny_world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded(cli, ["doctor", "--scenario", "syn2city", "--data-root", str(tiny_world)])
    out = capsys.readouterr().out
    assert "mlflow run . -e self_train -P scenario=syn2city --env-manager local" in out
    assert "source_train: 4 images, 4 with label" in out
    assert "% of pixels in 4 labels: road" in out and "GiB free" in out
