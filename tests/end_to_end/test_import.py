"""Released checkpoints on the command line: imported once, scored, and the start of chains, in real processes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import torch

from tests import released_files as files
from tests.end_to_end.conftest import Place
from udamlf.cli import cli, guarded
from udamlf.common.files import digest_file
from udamlf.config.labels import CITYSCAPES_16
from udamlf.models import checkpoint
from udamlf.runs.checkpoints import start_file, trained
from udamlf.runs.tracker import Tracker

SMALL = ("--set", "profile.frames_hw=[64,128]", "--set", "profile.evaluation.size_hw=[64,128]",
         "--set", "profile.labelling.size_hw=[64,128]", "--set", "profile.round.steps=2")  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warm-up file with 19 outputs, though its scenario has 16 classes."""
    return files.released_file(tmp_path_factory.mktemp("released"), "iast_warmup")


@pytest.fixture(scope="module")
def imported(place: Place, file: Path) -> str:
    """What the import prints."""
    return place.udamlf("import-checkpoint", str(file), "--scenario", "syn2city", "--data-root", str(place.world))


def test_an_import_says_what_became_of_the_file_and_is_a_run(place: Place, file: Path, imported: str) -> None:
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in imported.splitlines() if line}
    assert lines["project"] == "IAST"
    assert "deeplabv2" in lines["network"] and "19 outputs, of which 16 are kept: road" in lines["network"]
    assert (lines["used"], lines["missing"]) == ("632 tensors", "0")
    assert lines["ignored"] == "12 tensors or entries: backbone (2), discriminators (10)"
    (run,) = place.runs(stage="import_checkpoint")
    *_, goes_on, score = imported.splitlines()
    assert score == f"udamlf evaluate --run-id {run.info.run_id}"
    assert goes_on.startswith("udamlf run --scenario syn2city ") and goes_on.endswith(f" --start {file}")
    tags = run.data.tags
    assert (run.info.run_id, run.info.status) == (lines["run"], "FINISHED")
    assert tags["sha256"] == lines["sha256"] == digest_file(file) and tags["project"] == "IAST"
    assert "uses_target_labels" not in tags and not run.inputs.dataset_inputs


def test_a_second_import_is_the_same_run(place: Place, file: Path, imported: str) -> None:
    again = place.udamlf("import-checkpoint", str(file), "--scenario", "syn2city", "--profile", "paper")
    assert again.splitlines()[:7] == imported.splitlines()[:7]
    assert len(place.runs(stage="import_checkpoint")) == 1


def test_evaluate_scores_a_file_and_its_run_alike(place: Place, file: Path, imported: str) -> None:
    run_id = imported.split()[-1]
    protocol = ["--split", "target_dev", "--flip", "--scales", "0.5,1", "--format", "json"]
    of_file = ["--checkpoint", str(file), "--scenario", "syn2city", "--data-root", str(place.world)]
    by_file = json.loads(place.udamlf("evaluate", *of_file, *protocol))
    by_run = json.loads(place.udamlf("evaluate", "--run-id", run_id, *protocol))
    assert by_file == by_run and by_file["run_id"] == run_id
    assert list(by_file["iou"]) == [*CITYSCAPES_16.classes, *CITYSCAPES_16.not_in_source]
    camvid = json.loads(place.udamlf("evaluate", *of_file, "--profile", "camvid", "--format", "json"))
    assert camvid["protocol"]["size_hw"] == [180, 240], "the profile that is asked for, not the import's"
    assert len(place.runs(stage="import_checkpoint")) == 1


def test_a_chain_starts_from_it_with_its_references(
    place: Place, file: Path, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import is reused, rounds continue its weights, the table has the file itself as source_only; the import's run
    id names the file as well."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    assert start_file(imported.split()[-1]) == start_file(str(file)) == str(file)
    done = place.call(*place.chain("st", "--rounds", "1", *SMALL, "--start", str(file)))
    assert done.returncode == 0, done.stderr
    assert "import_checkpoint reused" in done.stderr and "warmup" not in done.stderr
    header = next(line for line in done.stdout.splitlines() if "source_only" in line)
    assert f"start={file.name}" in done.stdout and "adabn" in header and "st" in header
    (training,) = place.runs(stage="self_train", method="st")
    network, after = checkpoint.read_state(
        Tracker.connect().fetch(training.info.run_id).path / "checkpoint", CITYSCAPES_16
    )
    before = checkpoint.read_state(Tracker.connect().fetch(imported.split()[-1]).path / "checkpoint", CITYSCAPES_16)[1]
    assert network.name == "deeplabv2" and training.data.params["cfg.start"] == str(file)
    assert after["head.branches.0.weight"].shape[0] == 16
    assert float((after["backbone.conv1.weight"] - before["backbone.conv1.weight"]).abs().max()) < 0.1
    parent = place.runs(stage="chain", method="st")[0].data.tags
    assert f"--start {shlex.quote(str(file))}" in parent["mlflow.note.content"]
    alone = place.runs(stage="chain", method="source_only")[0].info.run_id
    assert trained(Tracker.connect(), alone)[0]["training"].run_id == imported.split()[-1], "a chain without rounds"


def test_mlflow_run_imports_in_its_own_run(place: Place, tmp_path: Path) -> None:
    file = files.released_file(tmp_path, "crst")
    done = place.call(*place.mlflow_run("import_checkpoint", scenario="gta2city", method="st", start=str(file)))
    assert done.returncode == 0, done.stderr
    run = place.runs(stage="import_checkpoint", project="CRST")[0]
    assert run.info.status == "FINISHED" and run.data.tags["mlflow.project.entryPoint"] == "import_checkpoint"


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["evaluate"], ["exactly one" , "--checkpoint FILE --scenario"]),
        (["evaluate", "--run-id", "x", "--checkpoint", "{file}", "--scenario", "gta2city"], ["exactly one"]),
        (["evaluate", "--checkpoint", "{file}"], ["--scenario SCENARIO"]),
        (["evaluate", "--run-id", "x", "--profile", "paper"], ["--checkpoint FILE"]),
        (["import-checkpoint", "nowhere.pth", "--scenario", "gta2city"], ["nowhere.pth", "No such file"]),
        (["import-checkpoint", "{backbone}", "--scenario", "gta2city"], ["--set profile.model.weights={backbone}"]),
        (["import-checkpoint", "{file}", "--scenario", "day2dusk"], ["19 outputs", "camvid11"]),
        (["evaluate", "--checkpoint", "{backbone}", "--scenario", "gta2city"], ["without a head"]),
        (["run", "--scenario", "gta2city", "--start", "nowhere"], ["--start nowhere", "no such file"]),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_or_scored_is_told_and_makes_no_run(
    place: Place, file: Path, tmp_path: Path, arguments: list[str], messages: list[str],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    state = {n: t for n, t in files.state("crst").items() if not n.startswith("layer5.")}
    paths = {"file": file, "backbone": files.write(tmp_path / "b.pth", state | {"fc.weight": torch.zeros(9, 128)})}
    before = len(place.runs())
    with pytest.raises(SystemExit) as ended:
        guarded(cli, [text.format(**paths) for text in arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    for message in messages:
        assert message.format(**paths) in said
    assert len(place.runs()) == before
