"""The command line: it answers at once, and bad input is one clear message, exit code 2 and no traceback."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from rich.console import Console

from udamlf.cli import cli, guarded, main
from udamlf.cli import entry as entry_points
from udamlf.common import progress
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.config.parts import CONFIGS
from udamlf.runs import maintenance
from udamlf.runs.checkpoints import recorded_config
from udamlf.runs.launch import LAUNCHER
from udamlf.runs.maintenance import Waste
from udamlf.runs.tracker import Tracker

UDAMLF = str(Path(sys.executable).parent / "udamlf")


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


BAD_INPUT: list[tuple[list[str], list[str]]] = [
    (["run", "--scenario", "gta2citi"], ["unknown scenario 'gta2citi'", "did you mean 'gta2city'?"]),
    (["run", "--scenario", "gta2city", "--method", "cbts"], ["unknown method 'cbts'", "did you mean 'cbst'?"]),
    (["run", "--scenario", "gta2city", "--rounds", "0"], ["--rounds 0", "at least 1"]),
    (["run", "--scenario", "gta2city", "--seed", "-1"], ["--seed -1", "0 or more"]),
    (["run", "--scenario", "gta2city", "--set", "profile.warmup.step=3"], ["step", "did you mean 'steps'?"]),
    (["run", "--scenario", "gta2city", "--set", "nonsense"], ["--set 'nonsense'", "key=value"]),
    (["run", "--scenario", "gta2city", "--set", "method.round=[]"], ["method.round"]),
    (["run", "--scenario", "gta2city", "--set", "profile.frames_hw=[1,1]"], ["profile.frames_hw", "8"]),
    (["run", "--scenario", "gta2city", "--set", "method.round.selector.x=&a [*a]"], ["--set", "not YAML"]),
    (["run", "--scenario", "gta2city", "--rounds", "100000000"], ["method.rounds", "1000"]),
    (["run", "--scenario", "gta2city", "--set", "profile.warmup.batch.source=1000000000000"], ["65536"]),
    (["run", "--scenario", ""], ["unknown scenario ''"]),
    (["run", "--scenario", "a\x1b[31mb'\""], ["unknown scenario", "\\x1b[31m"]),
    (["sweep", "--scenarios", "gta2city", "--methods", "st", "--seeds", "1,\u00b2"], ["--seeds"]),
    (["run", "--scenario", "gta2city", "--env-manager", "uvv"], ["uvv"]),
    (["evaluate", "--run-id", "x", "--scales", "0,1"], ["--scales 0,1"]),
    (["data", "miniature", "--seed", "-3", "--out", "w"], ["seed -3"]),
    (["run", "--scenario", "gta2city", "--set", "seed=1"], ["--set 'seed=1'", "--seed"]),
    (["run", "--scenario", "gta2city", "--set", "method.name=hiast"], ["--set 'method.name=hiast'"]),
    (["rerun", "x"], ["no run 'x'"]),
    (["import-checkpoint", "", "--scenario", "gta2city"], ["import-checkpoint ''"]),
    (["prune", "--cache-gib", "nan"], ["--cache-gib", "nan"]),
    (["prune", "--cache-gib", "-1"], ["--cache-gib", "-1"]),
    (["ui", "--port", "99999999"], ["--port", "65535"]),
    (["ui", "--host", "no such host"], ["--host no such host"]),
    (["evaluate", "--run-id", "x", "--save-predictions", "mlflow.db"], ["mlflow.db", "is a file"]),
    (["evaluate", "--run-id", "x", "--save-predictions", ".udamlf"], ["cannot write .udamlf", "the store's files"]),
    (["predict", "--run-id", "x", "--out", "mlruns/0", "a.png"], ["cannot write mlruns/0", "the store's files"]),
    (["compare", "--plot", "mlflow.db"], ["cannot write mlflow.db", ".png"]),
    (["report", "--scenario", "gta2city", "--out", "mlflow.db"], ["cannot write mlflow.db", ".html"]),
    (["run", "--scenario", "gta2city", "--set", 'method.title="a\\x1b b"'], ["--set", "a control character"]),
    (["run", "--scenario", "gta2city", "--set", "profile.workers=99999999999999999999"], ["profile.workers", "1024"]),
    (["run", "--scenario", "gta2city", "--set", "profile.warmup.optimiser.lr=.nan"], ["optimiser.lr", "finite"]),
    (["run", "--scenario", "gta2city", "--set", "profile.warmup.augmentation.scale_range=[-8,8]"], ["greater than 0"]),
    (["run", "--scenario", "gta2city", "--set", "profile.evaluation.scales=[.inf]"], ["scales", "finite"]),
]


@pytest.mark.parametrize(("arguments", "messages"), BAD_INPUT)
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
    assert not MlflowClient(f"sqlite:///{store}/mlflow.db").search_runs(["0"])
    assert sorted(path.name for path in store.iterdir() if path.suffix != ".lock") == before


def test_a_data_root_without_the_data_set_is_an_error_that_helps_and_makes_no_store(
    tmp_path: Path, restored_signals: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as ended:
        guarded(cli, ["run", "--scenario", "gta2city", "--data-root", "empty", "--no-references"])
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    for message in ("gta5", str(tmp_path / "empty"), "get it from"):
        assert message in shown
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize("arguments", [["compare"], ["validators"], ["evaluate", "--run-id", "x"], ["runs", "reap"]])
def test_to_look_makes_no_store(
    tmp_path: Path, restored_signals: None, monkeypatch: pytest.MonkeyPatch, capsys: Any, arguments: list[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        guarded(cli, arguments)
    assert ended.value.code == 2 and f"no tracking store sqlite:///{tmp_path}/mlflow.db" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


BAD_PARAMETERS: list[tuple[list[str], str]] = [
    (["main", "--scenario", "gta2city", "--set", "'a"], "No closing quotation"),
    (["main", "--scenario", "gta2city", "--method", "iasst"], "did you mean 'iast'"),
    (["main", "--scenario"], "Missing option '--scenario'"),
    (["warmp", "--scenario", "gta2city"], "unknown stage 'warmp'"),
    (["evaluate", "--scenario", "gta2city", "--inputs", "x='"], "No closing quotation"),
    (["warmup", "--scenario", "gta2city", "--config", "/nowhere.yaml"], "no configuration /nowhere.yaml"),
]


@pytest.mark.parametrize(("words", "message"), BAD_PARAMETERS)
def test_bad_parameters_of_an_entry_point_are_told(
    store: Path, restored_signals: None, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], message: str
) -> None:
    name, *parameters = words
    monkeypatch.setattr(entry_points, "follow_launcher", lambda: None)  # this process is no stage
    monkeypatch.setattr(sys, "argv", ["x", *parameters])
    with pytest.raises(SystemExit) as ended:
        entry_points.entry(name)
    shown = capsys.readouterr().err
    assert ended.value.code == 2 and message in shown and "Traceback" not in shown
    assert not MlflowClient(f"sqlite:///{store}/mlflow.db").search_runs(["0"])


def test_an_interrupted_entry_point_ends_as_one_where_its_store_is_away_too(
    restored_signals: None, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(entry_points, "follow_launcher", interrupted)
    monkeypatch.setattr(sys, "argv", ["x", "--scenario", "gta2city"])
    for name, value in (
        ("TRACKING_URI", "http://127.0.0.1:9"),
        ("RUN_ID", "a" * 32),
        ("HTTP_REQUEST_MAX_RETRIES", "0"),
    ):
        monkeypatch.setenv(f"MLFLOW_{name}", value)
    with pytest.raises(SystemExit) as ended:
        entry_points.entry("warmup")
    assert ended.value.code == 130 and "Interrupted" in capsys.readouterr().err


def test_an_unknown_run_is_an_error(store: Path, restored_signals: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        guarded(cli, ["evaluate", "--run-id", "0123456789abcdef0123456789abcdef"])
    assert ended.value.code == 2 and "no run '0123456789abcdef0123456789abcdef'" in capsys.readouterr().err


def test_configurations_of_earlier_versions_are_read_or_refused(tracker: Tracker) -> None:
    """Former keys do not hinder an evaluation; a configuration without what it needs is a message with the run's id."""
    config = resolve("gta2city", "st")
    tree = config.model_dump(mode="json")
    tree["profile"]["round"] |= {"micro_batch": None, "accumulate": 2}
    tree["method"]["warmup"]["labelled"] = tree["method"]["round"]["labelled"] = "source_train"
    tree["scenario"]["lists"] = tree["scenario"].pop("splits")
    run_ids = [tracker.create_run("r", {}) for _ in range(3)]
    tracker.client.log_text(run_ids[0], yaml.safe_dump(tree), "config.yaml")
    assert recorded_config(tracker, run_ids[0]) == config
    del tree["profile"]["model"]
    tracker.client.log_text(run_ids[1], yaml.safe_dump(tree), "config.yaml")
    for unreadable in run_ids[1:]:
        with pytest.raises(UserError, match=f"run {unreadable}"):
            recorded_config(tracker, unreadable)


def test_an_empty_store_has_nothing_to_compare(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guarded(cli, ["compare", "--format", "json"])
    assert capsys.readouterr().out.strip() == "[]"
    guarded(cli, ["compare"])
    assert "no finished chain" in capsys.readouterr().out


def cpu_seconds(arguments: list[str], folder: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """A command in an empty folder, and the CPU time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "UDAMLF"))}
    done = subprocess.run(
        [UDAMLF, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_wrong_name_is_told_at_once_with_the_valid_ones_and_leaves_nothing(tmp_path: Path) -> None:
    """Before torch or mlflow is imported: 0.7 s of CPU here, 6 s with them."""
    done, seconds = cpu_seconds(["run", "--scenario", "gta2city", "--method", "iasst"], tmp_path)
    assert done.returncode == 2 and "did you mean 'iast'? one of: adabn, advent," in done.stderr
    assert seconds < 2 and not list(tmp_path.iterdir())


def test_doctor_answers_at_once_and_looks_at_data_when_asked(
    store: Path, tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, seconds = cpu_seconds(["doctor"], tmp_path)
    assert done.returncode == 0 and seconds < 3 and not list(tmp_path.iterdir())
    assert "mlflow run . -e self_train -P scenario=syn2city --env-manager local" in done.stdout
    assert "GiB free" in done.stdout and "source_train" not in done.stdout
    guarded(cli, ["doctor", "--scenario", "syn2city", "--data-root", str(tiny_world)])
    out = capsys.readouterr().out
    assert "source_train: 4 images, 4 with label" in out and "% of pixels in 4 labels: road" in out


def test_doctor_tells_in_a_line_of_which_scenarios_no_data_is_there(
    store: Path, tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of which some is there are shown, with what is missing."""
    (tmp_path / "gta5").symlink_to(tiny_world / "gta5")
    guarded(cli, ["doctor", "--data-root", str(tmp_path)])
    out = capsys.readouterr().out
    assert "\nno data set is here of: camvid2kitti, city2robotcar, day2dusk, syn2city\n" in out
    assert out.count("source_train: ") == 1 and "no data set cityscapes: " in out


def test_doctor_fails_where_a_file_of_the_scenario_is_bad(
    store: Path, tiny_world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the command that lists them all, of the same folder."""
    shutil.copytree(tiny_world, tmp_path / "my data")
    min((tmp_path / "my data/synthia").rglob("RGB/*.png")).write_bytes(b"no image")
    with pytest.raises(SystemExit) as ended:
        guarded(cli, ["doctor", "--scenario", "syn2city", "--data-root", str(tmp_path / "my data")])
    assert ended.value.code == 2
    assert f"udamlf data check syn2city --data-root '{tmp_path}/my data'" in capsys.readouterr().out


def test_the_shell_completes_names(tmp_path: Path) -> None:
    words = {"_UDAMLF_COMPLETE": "bash_complete", "COMP_WORDS": "udamlf run --method ia", "COMP_CWORD": "3"}
    done = subprocess.run([UDAMLF], cwd=tmp_path, env=os.environ | words, capture_output=True, text=True)
    assert done.stdout.split() == ["plain,iast"]


def test_output_that_cannot_be_written_is_told() -> None:
    with open("/dev/full", "w") as full:
        plain = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        done = subprocess.run([UDAMLF, "methods"], stdout=full, stderr=subprocess.PIPE, text=True, env=plain)
    assert done.returncode == 2 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_what_a_store_refuses_that_was_emptied_meanwhile_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def command() -> None:
        raise RestException({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"})

    with pytest.raises(SystemExit) as ended:
        guarded(command, [])
    assert ended.value.code == 2 and "no such run" in capsys.readouterr().err


def test_prune_leaves_what_has_come_into_use_while_it_asked(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[str] = []
    looks = [["a", "b"], ["a"]]
    monkeypatch.setattr(
        maintenance, "waste", lambda *_: [Waste(name, 1, partial(deleted.append, name)) for name in looks.pop(0)]
    )
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    guarded(cli, ["prune"])
    assert deleted == ["a"]


def test_prune_without_an_answer_deletes_nothing(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As at the end of input of a script or a cron job."""
    monkeypatch.setattr(maintenance, "waste", lambda *_: [Waste("a", 1, partial(pytest.fail, "deleted"))])
    monkeypatch.setattr("sys.stdin", StringIO())
    guarded(cli, ["prune"])
    assert capsys.readouterr().out.endswith("Delete them? [y/N] nothing is deleted\n")


def test_an_interruption_is_told_once_by_who_was_started_by_hand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal's Ctrl-C reaches a chain and its stage."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv(LAUNCHER, "1")
    with pytest.raises(SystemExit) as ended:
        guarded(click.Command("x", callback=interrupted), [])
    assert ended.value.code == 130 and not capsys.readouterr().err.strip()


@pytest.mark.parametrize("told", [False, True])
def test_an_import_that_is_interrupted_may_raise_anything(told: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def imports(*_: Any) -> None:
        with suppress(KeyboardInterrupt):
            if told:
                signal.raise_signal(signal.SIGINT)
        raise ImportError

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr("udamlf.cli.guarded", imports)
    try:
        with pytest.raises(SystemExit if told else ImportError):
            main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("kind", ["scenario", "method", "profile"])
def test_the_schema_of_a_kind_accepts_its_files_and_names_a_wrong_key(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    validator = pytest.importorskip("jsonschema").Draft202012Validator
    guarded(cli, ["schema", kind])
    schema = validator(json.loads(capsys.readouterr().out))
    trees = [yaml.safe_load(file.read_text()) for file in (CONFIGS / f"{kind}s").glob("*.yaml")]
    assert len(trees) > 4 and all(schema.is_valid(tree) for tree in trees)
    assert kind == "scenario" or schema.is_valid(
        {"extends": "st", "name": "a", "title": "b", "round.selector.portion": 0.3}
    )
    assert not schema.is_valid({**trees[0], "rouns": 3}) and not schema.is_valid({"name": "a"})


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_bar_in_a_terminal_and_a_line_a_minute_elsewhere(
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of three items that take 40 s each the second and the third are past a minute: one line, then a minute later."""
    clock = iter(range(0, 1000, 40))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress, "Console", partial(Console, force_terminal=terminal))
    caplog.set_level(logging.INFO, "udamlf")
    assert list(progress.tracked("abc", "st round 1, labelling", 3)) == ["a", "b", "c"]
    lines = [record.message for record in caplog.records]
    assert ("labelling" in capsys.readouterr().err) == terminal
    assert len(lines) == (0 if terminal else 1), lines
    assert terminal or lines[0].startswith("st round 1, labelling: 2 of 3")
