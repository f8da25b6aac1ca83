"""The main job: scenario in, compared methods in MLflow out; finished work is reused; every door leads to it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from mlflow import MlflowClient

from tests.end_to_end.conftest import UDAMLF, Place
from udamlf.config.labels import CITYSCAPES_16
from udamlf.data.dataset import SHIPPED
from udamlf.evaluation.score import confusion_matrix, iou
from udamlf.runs.tracker import Tracker


@pytest.fixture(scope="module")
def table(place: Place) -> str:
    """What `udamlf run` prints at the end of a chain of one round with its references."""
    done = place.call(*place.chain("st", "--rounds", "1"))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_shows_the_method_beside_its_references_and_names_the_data(table: str) -> None:
    assert "miniature (procedural scenes)" in table
    header = next(line for line in table.splitlines() if "source_only" in line)
    assert header.split()[:2] == ["source_only", "adabn"] and " st " in header
    for name in ("mIoU 16", "mIoU 13", *CITYSCAPES_16.classes):
        assert f"\n{name} " in table
    assert "train          not in source" in table
    assert "compare in MLflow: http" in table


def test_every_run_is_finished_and_hangs_below_its_chain(place: Place, table: str) -> None:
    found = {r.info.run_id: r for r in place.runs()}
    assert {r.info.status for r in found.values()} == {"FINISHED"}
    stages = sorted(r.data.tags["stage"] for r in found.values())
    assert stages == sorted(["chain"] * 3 + ["evaluate"] * 3 + ["warmup", "pseudo_label"] + ["self_train"] * 2)
    for run in found.values():
        parent = run.data.tags.get("mlflow.parentRunId")
        assert (parent is None) == (run.data.tags["stage"] == "chain")
        assert parent is None or found[parent].data.tags["stage"] == "chain"


def test_the_parent_has_scores_by_round_figures_and_a_description(place: Place, table: str) -> None:
    client = MlflowClient(place.uri)
    (parent,) = place.runs(stage="chain", method="st")
    for metric in ("miou/16", "iou/road", "miou"):
        assert [m.step for m in client.get_metric_history(parent.info.run_id, metric)] == [0, 1]
    assert [m.step for m in client.get_metric_history(parent.info.run_id, "pl/coverage")] == [1]
    assert 0 <= parent.data.metrics["iou/road"] <= 100 and "pl/precision" in parent.data.metrics
    figures = {Path(f.path).name for f in client.list_artifacts(parent.info.run_id, "figures")}
    assert figures == {"predictions.png", "confusion.png", "reliability.png", "rounds.png"}
    note = parent.data.tags["mlflow.note.content"]
    assert "| IoU, % | st (adapted) |" in note and "| road " in note
    assert "udamlf run --scenario syn2city --method st" in note
    assert parent.data.params["cfg.profile.warmup.steps"] == "4"


def test_target_labels_are_read_by_the_evaluation_only(place: Place, table: str) -> None:
    readers = {run.data.tags["stage"] for run in place.runs(uses_target_labels="true")}
    assert readers <= {"evaluate", "chain"} and "evaluate" in readers


def test_stages_record_their_data_and_training_its_loss_and_model(place: Place, table: str) -> None:
    (warmup,) = place.runs(stage="warmup")
    assert warmup.data.metrics["train/images_per_s"] > 0
    assert {d.dataset.name for d in warmup.inputs.dataset_inputs} >= {"source_train"}
    models = MlflowClient(place.uri).search_logged_models(experiment_ids=["0"], max_results=50)
    assert warmup.info.run_id in {model.source_run_id for model in models}


def test_the_second_call_starts_no_stage(place: Place, table: str) -> None:
    before = len(place.runs(stage="evaluate"))
    done = place.call(*place.chain("st", "--rounds", "1"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("compare in")[0] == table.split("compare in")[0]
    assert "done" not in done.stderr and done.stderr.count("reused") == 11
    assert len(place.runs(stage="evaluate")) == before


def test_mlflow_run_makes_its_own_run_the_chains_parent_and_reuses_everything(place: Place, table: str) -> None:
    stages = len(place.runs(stage="evaluate"))
    done = place.call(*place.mlflow_run("self_train", scenario="syn2city", method="st", rounds="1"))
    assert done.returncode == 0, done.stderr
    assert "mIoU 16" in done.stdout
    adopted = next(run for run in place.runs(stage="chain", method="st") if "scenario" in run.data.params)
    assert adopted.info.status == "FINISHED" and adopted.data.metrics["miou/16"] >= 0
    assert adopted.data.tags["mlflow.project.entryPoint"] == "self_train"
    assert len(place.runs(stage="evaluate")) == stages


def test_one_stage_alone_does_first_what_is_missing(place: Place, table: str) -> None:
    warmups = len(place.runs(stage="warmup"))
    done = place.entry("pseudo_label", scenario="syn2city", method="cbst", rounds="1")
    assert done.returncode == 0, done.stderr
    (labels,) = place.runs(stage="pseudo_label", method="cbst")
    assert labels.info.status == "FINISHED"
    assert len(place.runs(stage="warmup")) == warmups, "the warm-up is shared"


def test_a_stage_with_inputs_is_only_that_stage_and_checks_them(place: Place, table: str) -> None:
    (warmup,) = place.runs(stage="warmup")
    (labels,) = place.runs(stage="pseudo_label", method="st")
    given = {"scenario": "syn2city", "method": "st", "rounds": "1", "round": "1"}
    start = f"start={labels.info.run_id}"
    lacking = place.entry("self_train", **given, inputs=start)
    assert lacking.returncode != 0 and "self_train, round 1, without the input labels" in lacking.stderr
    wrong = place.entry("self_train", **given, inputs=f"{start} labels={labels.info.run_id}")
    assert wrong.returncode != 0
    assert (
        "is of stage pseudo_label" in wrong.stderr
        and "a run of stage warmup or import_checkpoint or self_train" in wrong.stderr
    )
    failed = place.runs()[0]
    assert failed.info.status == "FAILED" and "udamlf.artifacts_digest" not in failed.data.tags
    assert warmup.info.status == "FINISHED"


def test_evaluate_prints_pure_json_and_writes_masks_that_an_own_count_confirms(
    place: Place, table: str, tmp_path: Path
) -> None:
    (trained,) = place.runs(stage="self_train", method="st")
    run_id = trained.info.run_id
    arguments = ["evaluate", "--run-id", run_id, "--split", "target_dev", "--format", "json"]
    done = place.call(UDAMLF, *arguments, "--save-predictions", str(tmp_path), process=True)
    result = json.loads(done.stdout)
    assert list(result) == ["run_id", "split", "images", "protocol", "miou", "iou"]
    assert (result["run_id"], result["split"], result["images"]) == (run_id, "target_dev", 4)
    assert list(result["iou"]) == [*CITYSCAPES_16.classes, *CITYSCAPES_16.not_in_source]
    (child,) = place.runs(**{"udamlf.evaluates": run_id})
    assert child.data.tags["mlflow.parentRunId"] == run_id and child.info.status == "FINISHED"

    dataset = SHIPPED["cityscapes"]
    total = np.zeros((16, 16), np.int64)
    to_train = dataset.train_ids(CITYSCAPES_16)
    for sample in dataset.samples(place.world, "val"):
        saved = cv2.imread(str(tmp_path / f"{sample.name}_leftImg8bit.png"), cv2.IMREAD_UNCHANGED)
        if saved is None:
            (path,) = tmp_path.rglob(f"*{sample.image.stem.removesuffix('_leftImg8bit')}*")
            saved = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        total += confusion_matrix(to_train[saved], dataset.read_label(sample, CITYSCAPES_16), 16)
    for name, value in zip(CITYSCAPES_16.classes, iou(total), strict=True):
        assert result["iou"][name] == (None if np.isnan(value) else pytest.approx(100 * value))


def test_evaluate_takes_the_last_training_of_a_chain(place: Place, table: str) -> None:
    (parent,) = [run for run in place.runs(stage="chain", method="st") if "udamlf.complete" in run.data.tags][-1:]
    (trained,) = place.runs(stage="self_train", method="st")
    shown = json.loads(place.udamlf("evaluate", "--run-id", parent.info.run_id, "--format", "json"))
    rounded = pytest.approx(parent.data.metrics["miou/16"], abs=5e-5)
    assert shown["run_id"] == trained.info.run_id and shown["miou"]["16"] == rounded


def test_compare_gives_the_newest_chain_of_every_method(place: Place, table: str) -> None:
    found = json.loads(place.udamlf("compare", "--scenario", "syn2city", "--format", "json"))
    assert [row["method"] for row in found] == ["source_only", "adabn", "st"]
    newest = place.runs(stage="chain", method="st", **{"udamlf.complete": "true"})[0]
    assert found[2]["run_ids"] == [newest.info.run_id] and found[2]["seeds"] == [0]
    assert found[2]["miou"]["16"]["mean"] == newest.data.metrics["miou/16"]


def test_without_an_environment_manager_option_conda_yaml_is_used(place: Place, table: str, tmp_path: Path) -> None:
    """With a stub in conda's place: MLflow asks it for the environment of conda.yaml and activates that."""
    calls = tmp_path / "calls"
    conda = tmp_path / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncase "$*" in *list*) echo \'{{"envs": []}}\';; esac\n')
    conda.chmod(conda.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "etc" / "profile.d").mkdir(parents=True)
    (tmp_path / "etc" / "profile.d" / "conda.sh").write_text(f'conda() {{ echo "activated $2" >> {calls}; }}\n')
    done = place.call(
        *place.mlflow_run("warmup", env_manager=None, scenario="syn2city", set="profile.warmup.steps=1"),
        MLFLOW_CONDA_HOME=str(tmp_path),
        PATH=f"{conda.parent}{os.pathsep}{place.environment['PATH']}",
    )
    assert done.returncode == 0, done.stderr
    seen = calls.read_text()
    assert "env create" in seen and "conda.yaml" in seen and "activated mlflow-" in seen
    run = place.runs(stage="warmup")[0]
    assert (run.info.status, run.data.params["cfg.profile.warmup.steps"]) == ("FINISHED", "1")


def test_the_store_is_open_to_the_library_too(place: Place, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.uri)
    (trained,) = place.runs(stage="self_train", method="st")
    given = Tracker.connect().fetch(trained.info.run_id)
    assert (given.path / "checkpoint" / "model.safetensors").is_file()
