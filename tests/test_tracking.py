"""The store: statuses that are true, metrics that survive an outage, artifacts that are whole or absent."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from udamlf.common.errors import UserError
from udamlf.common.files import digest_file
from udamlf.config.compose import resolve
from udamlf.runs import maintenance
from udamlf.runs.launch import PROJECT_ROOT, identity
from udamlf.runs.log import RunLog, ending
from udamlf.runs.maintenance import reap, sync
from udamlf.runs.serving import log_model
from udamlf.runs.store import store_uri, work_root
from udamlf.runs.tags import DIGEST, KEY, PROCESS, TRACKING
from udamlf.runs.tracker import MANIFEST, Tracker

Status = Callable[[str], str]


def history(tracker: Tracker, run_id: str, metric: str) -> list[tuple[int, float]]:
    return [(m.step, m.value) for m in tracker.client.get_metric_history(run_id, metric)]


def test_the_default_store_is_beside_the_current_folder_and_the_variable_wins(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store_uri() == f"sqlite:///{store}/mlflow.db"
    assert work_root(store_uri()) == store / ".udamlf"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://somewhere:5000")
    assert store_uri() == "http://somewhere:5000"


def test_a_store_that_cannot_be_opened_is_a_clear_error(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=re.escape("cannot open the tracking store http://127.0.0.1:9")):
        Tracker.connect()


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, "FINISHED"), (UserError("bad"), "FAILED"), (RuntimeError("bug"), "FAILED"), (SystemExit(3), "FAILED"),
     (KeyboardInterrupt(), "KILLED")],
)  # fmt: skip
def test_a_status_tells_how_a_run_ended(
    tracker: Tracker, status: Status, error: BaseException | None, expected: str
) -> None:
    run_id = tracker.create_run("r", {})
    try:
        with ending(tracker, run_id):
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error
    assert status(run_id) == expected


class Outage:
    """A client whose calls fail while ``away``."""

    def __init__(self, client: Any) -> None:
        self.client, self.away = client, False

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise MlflowException("connection refused")
            return getattr(self.client, name)(*args, **kwargs)

        return call


def outage(tracker: Tracker) -> Outage:
    """The store of this tracker, which can be away."""
    tracker.client.client = Outage(tracker.client.client)
    return tracker.client.client


def test_an_outage_stops_nothing_and_loses_nothing(tracker: Tracker, store: Path) -> None:
    run_id = tracker.create_run("r", {})
    server = outage(tracker)
    run = RunLog(tracker, run_id, store / "work")
    run.log_metrics({"train/loss": 3.0}, 20)
    assert run.flush()
    server.away = True
    (store / "config.yaml").write_text("refused once")
    run.log_file(store / "config.yaml")
    run.log_metrics({"train/loss": 2.0}, 40)
    run.log_dataset("target_train", "d" * 64, "target", 400, "file:///data#cityscapes/train")
    assert not run.flush()
    (store / "config.yaml").write_text("changed later")
    server.away = False
    run.log_metrics({"train/loss": 1.0}, 60)
    run.complete()
    assert history(tracker, run_id, "train/loss") == [(20, 3.0), (40, 2.0), (60, 1.0)]
    found = tracker.get(run_id)
    assert found.data.tags[TRACKING] == "recovered"
    assert tracker.text(run_id, "config.yaml") == "refused once"
    assert [(i.dataset.name, i.tags[0].value) for i in found.inputs.dataset_inputs] == [("target_train", "target")]


def test_what_an_outage_held_back_to_the_end_is_sent_by_sync(
    tracker: Tracker, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UDAMLF_PATIENCE_S", "0")
    run_id = tracker.create_run("r", {})
    server = outage(tracker)
    server.away = True
    run = RunLog(tracker, run_id, tracker.work / "steps" / "abc")
    run.log_metrics({"train/loss": 2.0}, 20)
    with pytest.raises(UserError, match="did not answer"):
        run.complete()
    server.away = False
    assert sync(tracker) == [run_id]
    assert sync(tracker) == []
    assert history(tracker, run_id, "train/loss") == [(20, 2.0)]


def test_a_full_disk_is_told_at_once_and_nothing_counts_as_published(tracker: Tracker, store: Path) -> None:
    run_id = tracker.create_run("r", {"stage": "warmup"})

    def publish() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(UserError, match="No space left on device; the results are in"), ending(tracker, run_id):
        RunLog(tracker, run_id, store / "work").complete(publish)
    found = tracker.get(run_id)
    assert found.info.status == "FAILED" and DIGEST not in found.data.tags


def test_a_training_that_goes_on_has_every_metric_once(tracker: Tracker, store: Path) -> None:
    """Killed after step 60, going on from the state of step 45: 60 is measured again, 20 and 40 are taken over."""
    first = RunLog(tracker, tracker.create_run("first", {}), store / "work")
    for step in (20, 40, 60):
        first.log_metrics({"train/loss": float(step)}, step)
    unlucky = RunLog(tracker, tracker.create_run("killed before its first metric", {}), store / "work")
    unlucky.set_tags({"stage": "warmup"})
    run_id = tracker.create_run("second", {})
    second = RunLog(tracker, run_id, store / "work")
    for step in (60, 80):
        second.log_metrics({"train/loss": float(step)}, step)
    second.complete()
    assert history(tracker, run_id, "train/loss") == [(20, 20.0), (40, 40.0), (60, 60.0), (80, 80.0)]


def test_a_wrong_metric_name_is_a_mistake_and_not_an_outage(tracker: Tracker, store: Path) -> None:
    run = RunLog(tracker, tracker.create_run("r", {}), store / "work")
    run.log_metrics({"iou/a@b": 1.0}, 0)
    with pytest.raises(MlflowException):
        run.flush()


@pytest.fixture
def published(tracker: Tracker, store: Path) -> str:
    run_id = tracker.create_run("r", {"stage": "warmup"})
    out = store / "job" / "out"
    (out / "checkpoint").mkdir(parents=True)
    (out / "checkpoint" / "model.safetensors").write_bytes(b"weights")
    (out / "checkpoint" / "meta.json").write_text("{}")
    tracker.publish(run_id, out)
    tracker.end(run_id, "FINISHED")
    return run_id


def test_published_files_come_back_with_a_manifest_of_their_hashes(tracker: Tracker, published: str) -> None:
    given = tracker.fetch(published)
    manifest = json.loads((given.path / MANIFEST).read_text())["files"]
    assert manifest == {name: digest_file(given.path / name) for name in manifest}
    assert set(manifest) == {"checkpoint/model.safetensors", "checkpoint/meta.json"}
    assert given.tags[DIGEST] == digest_file(given.path / MANIFEST)


@pytest.mark.parametrize("damaged", [MANIFEST, "checkpoint/model.safetensors"])
def test_artifacts_that_are_not_whole_are_no_result(tracker: Tracker, published: str, damaged: str) -> None:
    (tracker.fetch(published).path / damaged).unlink()
    with pytest.raises(UserError, match="missing or damaged"):
        tracker.fetch(published)


@pytest.mark.parametrize("damaged", [MANIFEST, "checkpoint/model.safetensors", "checkpoint/meta.json"])
def test_a_flipped_bit_is_seen_whatever_size_and_time_say(tracker: Tracker, published: str, damaged: str) -> None:
    file = tracker.fetch(published).path / damaged
    before, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match="missing or damaged"):
        tracker.fetch(published)


def test_a_download_that_fails_is_tried_again(
    tracker: Tracker, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a server that is started anew."""
    download, failures = mlflow.artifacts.download_artifacts, [OSError("gone"), None]

    def flaky(**arguments: Any) -> str:
        if error := failures.pop(0):
            raise error
        return str(download(**arguments))

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", flaky)
    monkeypatch.setenv("UDAMLF_CACHE", str(Path.cwd() / "cache"))
    digest = tracker.get(published).data.tags[DIGEST]
    assert (tracker._downloaded(digest, published, "") / "checkpoint" / "model.safetensors").read_bytes() == b"weights"


def test_a_run_that_published_nothing_is_no_input(tracker: Tracker) -> None:
    with pytest.raises(UserError, match="published nothing"):
        tracker.fetch(tracker.create_run("r", {"stage": "warmup"}))
    with pytest.raises(UserError, match="no run 'unknown'"):
        tracker.fetch("unknown")


def test_a_checkpoint_is_a_logged_model_of_its_run(tracker: Tracker, published: str) -> None:
    folder, config = tracker.fetch(published).path / "checkpoint", resolve("syn2city", "st")
    made = [log_model(tracker, published, [folder], config, 1) for _ in range(2)]
    assert made[0] == made[1], "a second try makes no second one"
    (model,) = tracker.client.search_logged_models(experiment_ids=[tracker.experiment_id], max_results=2)
    assert (model.name, model.source_run_id, model.tags["round"]) == ("st-r1", published, "1")
    folder = Path(model.artifact_location.removeprefix("file://")) / "networks" / "0"
    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_reap_marks_only_runs_whose_process_is_gone(tracker: Tracker, status: Status) -> None:
    host, pid, start = identity().rsplit(":", 2)
    alive = tracker.create_run("alive", {})
    dead = tracker.create_run("dead", {PROCESS: f"{host}:{pid}:{int(start) + 1}"})
    remote = tracker.create_run("remote", {PROCESS: f"another-{host}:{pid}:{start}"})
    assert reap(tracker) == [dead]
    assert [status(run_id) for run_id in (alive, dead, remote)] == ["RUNNING", "KILLED", "RUNNING"]
    assert reap(tracker, older_than_min=-1) == [remote]


def test_reap_marks_a_run_of_mlflow_run_that_nothing_took_over_in_a_day(
    tracker: Tracker, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of this project; an environment may take hours to make, and another project's run is its own affair."""
    sources = (PROJECT_ROOT.as_uri(), "file:///elsewhere")
    made = [tracker.client.create_run("0", tags={"mlflow.source.name": source}) for source in sources]
    (lost, foreign), now = (run.info.run_id for run in made), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 23 * 3600)
    assert reap(tracker) == []
    monkeypatch.setattr(time, "time", lambda: now + 25 * 3600)
    assert reap(tracker) == [lost]
    assert [status(run_id) for run_id in (lost, foreign)] == ["KILLED", "RUNNING"]


def test_reap_leaves_a_run_that_ended_in_order_while_it_looked(
    tracker: Tracker, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, pid, start = identity().rsplit(":", 2)
    run_id = tracker.create_run("r", {PROCESS: f"{host}:{pid}:{int(start) + 1}"})
    monkeypatch.setattr(maintenance, "is_gone", lambda *_: tracker.end(run_id, "FINISHED") or True)
    assert reap(tracker) == [] and status(run_id) == "FINISHED"


def test_a_run_that_was_created_although_the_answer_was_lost_is_not_there_twice(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chain would wait for it for ever: it has the tags of the one that is at work."""
    create, answers = tracker.client.client.create_run, ["lost", "arrives"]

    def lossy(*arguments: Any, **options: Any) -> Any:
        run = create(*arguments, **options)
        if answers.pop(0) == "lost":
            raise ConnectionError
        return run

    monkeypatch.setattr(tracker.client.client, "create_run", lossy)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    run_id = tracker.create_run("r", {KEY: "k"})
    assert [run.info.run_id for run in tracker.search({KEY: "k"}, status=None)] == [run_id] and not answers


def test_a_user_that_the_machine_does_not_know_is_a_number(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs as some number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    assert tracker.get(tracker.create_run("r", {})).data.tags["mlflow.user"] == str(os.getuid())


def test_a_new_experiment_keeps_its_artifacts_beside_the_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    tracker = Tracker.connect()
    run = tracker.get(tracker.create_run("r", {}))
    assert run.info.artifact_uri.startswith((store / "mlruns" / "mine").as_uri())
