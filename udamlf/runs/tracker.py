"""The only door to MLflow's tracking: the store, its runs, their artifacts."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.entities import Run as MlflowRun
from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
from mlflow.exceptions import MlflowException
from mlflow.utils import get_results_from_paginated_fn
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.uri import is_local_uri
from sqlalchemy.exc import SQLAlchemyError

from udamlf.common.errors import UserError, masked
from udamlf.common.files import atomic_folder, cache_folder, digest_file, file_lock, write_json
from udamlf.config.reading import mapping
from udamlf.data.contents import content_digests
from udamlf.runs.launch import git, identity
from udamlf.runs.store import Patient, at_once, check_database, is_there, moved, sqlite_file, store_uri, work_root
from udamlf.runs.tags import COMMIT, DIGEST, ERROR, KEY, MODEL, NETWORKS, PROCESS, PRUNED, REQUEST, damage, readable
from udamlf.stages.stage import Input

MANIFEST, WEIGHTS = "manifest.json", "checkpoint/model.safetensors"
"""Files of a run; its weights, where artifacts lie behind a server, are stored once, with the LoggedModel."""
UNAVAILABLE = (MlflowException, OSError)
Entry = dict[str, Any]
"""What is recorded: ``metrics`` + ``step`` + ``time_ms`` (+ ``model``: the LoggedModel they are of), or ``tags``,
``params``, ``dataset``."""
logger = logging.getLogger("udamlf")


class Tracker:
    """A tracking store and the experiment in which runs are created; ``work`` is a folder of work in progress."""

    def __init__(self, uri: str, client: Any, experiment_id: str) -> None:
        self.uri, self.client, self.experiment_id = uri, client, experiment_id
        self.work = work_root(uri)

    @classmethod
    def existing(cls) -> Tracker:
        """The store, to look at. UserError: the first run is yet to create it."""
        if not is_there():
            hint = "cd to the folder of mlflow.db, or set MLFLOW_TRACKING_URI"
            raise UserError(f"no tracking store {store_uri()}", "one in which something has been run", hint)
        return cls.connect()

    @classmethod
    def connect(cls, patient: bool = False) -> Tracker:
        """Open the store, creating it under a lock: two at once would break it. UserError: with MLflow's reason, at
        once, or, with ``patient``, after some minutes in which a server did not answer."""
        uri = store_uri()
        logging.getLogger("alembic").setLevel(logging.WARNING)
        for name in ("mlflow.store.db.utils", "sqlalchemy.pool"):  # a traceback for every error, and interruption
            logging.getLogger(name).setLevel(logging.CRITICAL)
        # MLflow's own patience (7 tries of 120 s) would stop a training for many minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # the client is patient itself
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # a bar a file
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # two lines a run, before our JSON
        logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)
        mlflow.set_tracking_uri(uri)
        database, remote = sqlite_file(uri), uri.startswith("http")
        place = database.with_name(f"{database.name}.lock") if database else work_root(uri) / "store.lock"
        try:
            # A new store puts the default experiment's artifacts under the current folder: make that the database's.
            with (
                contextlib.nullcontext() if remote else file_lock(place),
                contextlib.chdir(database.parent) if database else contextlib.nullcontext(),
            ):
                if not remote:
                    check_database(uri)
                client = Patient(MlflowClient(uri), uri)  # creates the store
                with contextlib.nullcontext() if patient else at_once():
                    return cls(uri, client, _experiment(client, database))
        except (MlflowException, SQLAlchemyError, ImportError) as error:  # the last: a database's driver
            hint = "start the server, or unset MLFLOW_TRACKING_URI" if remote else "udamlf doctor"
            raise UserError(f"cannot open the tracking store {uri}: {error}", "a store of this mlflow", hint) from error

    def within(self, run_id: str) -> Tracker:
        """This store, with the experiment of an existing run."""
        return Tracker(self.uri, self.client, self.get(run_id).info.experiment_id)

    def create_run(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Create a run (RUNNING) and return its id; until a process adopts it, it is this process's."""
        commit = git("rev-parse", "HEAD")  # none outside of a repository
        code = {COMMIT: commit, "git_dirty": str(bool(git("status", "--porcelain"))).lower()} if commit else {}
        request = {REQUEST: uuid.uuid4().hex}
        every = {PROCESS: identity(), "mlflow.user": _user(), **code, **tags, **request}
        every |= {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        run_id = str(self.client.create_run(self.experiment_id, tags=every, run_name=name).info.run_id)
        for run in self.search(request, status=None):  # a server may have done what it answered with an error
            if run.info.run_id != run_id:
                self.client.delete_run(run.info.run_id)
        return run_id

    def get(self, run_id: str) -> MlflowRun:
        """UserError: there is no such run, or a tag of it cannot be read."""
        try:
            run: MlflowRun = self.client.get_run(run_id)
        except MlflowException as error:
            message = f"no run {run_id!r} in {self.uri}: {error.message}"
            raise UserError(message, "a run id", "udamlf compare --format json lists run ids") from error
        if why := damage(run):
            raise UserError(f"run {run_id} is none that udamlf has written: {why}")
        return run

    def search(
        self, conditions: Mapping[str, str], status: str | None = "FINISHED", most: int | None = None
    ) -> list[MlflowRun]:
        """Runs of all experiments whose tags equal ``conditions``, newest first; unreadable ones are left out."""
        parts = [f"attributes.status = '{status}'"] if status else []
        for name, value in conditions.items():
            if value.endswith("\\") or ("'" in value and '"' in value):
                return []  # MLflow's language cannot say it
            parts.append(f'tags.`{name}` = "{value}"' if "'" in value else f"tags.`{name}` = '{value}'")
        places, asked = [e.experiment_id for e in self.client.search_experiments()], " and ".join(parts)

        def page(count: int, token: str | None) -> Any:
            order = ["start_time DESC"]
            return self.client.search_runs(places, asked, max_results=count, order_by=order, page_token=token)

        return [run for run in get_results_from_paginated_fn(page, 1000, most) if readable(run)]

    def end(self, run_id: str, status: str, error: str | None = None) -> bool:
        """Close a run that is still open; whether it was. UserError: it came to its end, but something closed it."""
        before = self.client.get_run(run_id).info.status
        if before == "RUNNING":
            if error:
                self.client.set_tag(run_id, ERROR, masked(error)[:5000])
            self.client.set_terminated(run_id, status)
        elif status == "FINISHED" != before:
            message = f"run {run_id} was marked {before} while it was at work"
            raise UserError(message, "RUNNING: has `udamlf runs reap --older-than` been called?", "the command again")
        return before == "RUNNING"

    def fetch(self, run_id: str) -> Input:
        """Artifacts of a finished stage run in a local folder, checked against their manifest. UserError: no such run,
        not finished, or its artifacts are missing or damaged."""
        run = self.get(run_id)
        tags, uri = run.data.tags, run.info.artifact_uri
        if run.info.status != "FINISHED" or DIGEST not in tags:
            stage = tags.get("stage", "?")
            message = f"run {run_id} ({stage}) is {run.info.status} and has published nothing"
            raise UserError(message, "a finished stage run")
        if PRUNED in tags:
            message = f"the checkpoint of run {run_id} was deleted by `udamlf prune`"
            hint = "run its chain with other steps after it: it trains again"
            raise UserError(message, "a run that has its own", hint)
        path = local_folder(uri)
        if path is None:
            path = self._downloaded(tags[DIGEST], run_id, tags.get(MODEL, ""))
        else:
            _check_manifest(path, tags[DIGEST], run_id)
        return Input(run_id, path, dict(tags))

    def _downloaded(self, digest: str, run_id: str, model_id: str) -> Path:
        """Local copy of a run's artifacts in the cache folder, downloaded once; one that does not fit its manifest is
        downloaded again. UserError: what the store holds does not fit it either; nothing is kept."""
        path = cache_folder() / "artifacts" / run_id
        with file_lock(path.with_name(f"{run_id}.lock")):
            if path.is_dir():
                try:
                    _check_manifest(path, digest, run_id)
                    return path
                except UserError:
                    shutil.rmtree(path)
            with atomic_folder(path) as folder:

                def download(place: Path, **source: str) -> None:
                    try:
                        mlflow.artifacts.download_artifacts(dst_path=str(place), **source)
                    except UNAVAILABLE:
                        self.get(run_id)  # once more, as soon as a server that was away answers
                        mlflow.artifacts.download_artifacts(dst_path=str(place), **source)

                try:
                    # By run id: named by its address, MLflow would put the files into a folder "artifacts".
                    download(folder, run_id=run_id)
                    if (folder / WEIGHTS).parent.is_dir() and not (folder / WEIGHTS).exists():
                        model = self.client.get_logged_model(model_id).artifact_location
                        download((folder / WEIGHTS).parent, artifact_uri=f"{model}/{NETWORKS}/0/{Path(WEIGHTS).name}")
                except UNAVAILABLE as error:
                    raise UserError(f"cannot download the artifacts of run {run_id}: {error}") from error
                _check_manifest(folder, digest, run_id)
        return path

    def text(self, run_id: str, name: str) -> str:
        """An artifact of a run; empty where it has none. UserError: it is no text."""
        with tempfile.TemporaryDirectory() as temporary, contextlib.suppress(*UNAVAILABLE):
            if name not in [file.path for file in self.client.list_artifacts(run_id)]:
                return ""  # MLflow says the same of a missing file as of a store that is away
            try:
                return Path(self.client.download_artifacts(run_id, name, temporary)).read_text(encoding="utf-8")
            except UnicodeDecodeError as error:
                raise UserError(f"{name} of run {run_id} is no text: {error}") from error
        return ""

    def mapping(self, run_id: str, name: str) -> dict[str, Any]:
        """A YAML or JSON artifact of a run; empty where it has none. UserError: it is no mapping."""
        text = self.text(run_id, name)
        return mapping(text, f"{name} of run {run_id}") if text else {}

    def finished(self, key: str, pruned: bool = False) -> Input | None:
        """The newest finished run with a step's key whose artifacts are in place, or, to look at (``pruned``), were."""
        for run in self.search({KEY: key}):
            if pruned and PRUNED in run.data.tags:
                return Input(run.info.run_id, Path(), dict(run.data.tags))
            try:
                return self.fetch(run.info.run_id)
            except UserError as error:
                logger.warning("not reused: %s", error.message)
        return None

    def publish(self, run_id: str, out: Path, elsewhere: str = "") -> None:
        """Upload the files of ``out`` (but ``elsewhere``, which lies with the LoggedModel), then the manifest of their
        hashes, then tag the manifest's digest: a run without that tag has published nothing."""
        files = {p.relative_to(out).as_posix(): p for p in sorted(out.rglob("*")) if p.is_file()}
        manifest = out.parent / MANIFEST
        write_json(manifest, {"version": 1, "files": {name: digest_file(file) for name, file in files.items()}})
        for name, file in files.items():
            if name != elsewhere:
                self.client.log_artifact(run_id, str(file), name.rpartition("/")[0] or None)
        self.client.log_artifact(run_id, str(manifest))
        self.client.set_tag(run_id, DIGEST, digest_file(manifest))

    @contextlib.contextmanager
    def system_metrics(self, run_id: str) -> Iterator[None]:
        """Where ``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING`` is true, MLflow's measurements of processor, memory, disk,
        network and GPU meanwhile, every ten seconds, as ``system/...``. UserError: psutil is not installed."""
        if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            yield
            return
        try:
            from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
        except ImportError as error:
            raise UserError(f"system metrics: {error}", "psutil", "pip install -e '.[system-metrics]'") from error
        monitor = SystemMetricsMonitor(run_id, tracking_uri=self.uri)
        monitor.start()
        try:
            yield
        finally:
            monitor.finish()

    def send(self, run_id: str, entries: Sequence[Entry]) -> None:
        """Log journal entries, in as few calls as MLflow's limits allow."""
        metrics = [
            Metric(name, value, entry["time_ms"], entry["step"], entry.get("model"))
            for entry in entries
            for name, value in entry.get("metrics", {}).items()
        ]
        latest: dict[str, dict[str, str]] = {"tags": {}, "params": {}}
        for kind, entry in ((kind, entry) for kind in latest for entry in entries):
            latest[kind] |= entry.get(kind, {})
        tags = [RunTag(name, value) for name, value in latest["tags"].items()]
        params = [Param(name, value) for name, value in latest["params"].items()]
        while metrics or tags or params:
            self.client.log_batch(run_id, metrics[:800], params[:100], tags[:100])
            metrics, params, tags = metrics[800:], params[100:], tags[100:]
        inputs = []
        for data in (entry["dataset"] for entry in entries if "dataset" in entry):
            place, profile = json.dumps({"uri": data["source"]}), json.dumps({"images": data["count"]})
            dataset = Dataset(data["name"], data["digest"], "local", place, profile=profile)
            inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", data["context"])]))
        if inputs:
            self.client.log_inputs(run_id, inputs)


def _user() -> str:
    """The user's name; their number where the machine, often a container, knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _experiment(client: Patient, database: Path | None) -> str:
    """The experiment that the environment names, else MLflow's default one: where `mlflow run` creates its runs."""
    name, number = os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default"), os.environ.get("MLFLOW_EXPERIMENT_ID")
    try:
        experiment = client.get_experiment(number) if number else client.get_experiment_by_name(name)
    except MlflowException as error:
        if not number or error.error_code == "INTERNAL_ERROR":
            raise
        raise UserError(f"MLFLOW_EXPERIMENT_ID={number}: {error.message}", "an experiment of this store") from error
    if experiment is not None:
        if experiment.lifecycle_stage != "active":
            raise UserError(f"the experiment {experiment.name!r} is deleted", "another one in MLFLOW_EXPERIMENT_NAME")
        if database and moved(database, experiment.artifact_location):
            message = f"{database} was moved or copied: it names the artifacts of {experiment.artifact_location}"
            raise UserError(message, "those beside it", "udamlf runs relocate")
        return str(experiment.experiment_id)
    location = (database.parent / "mlruns" / name).as_uri() if database else None
    return str(client.create_experiment(name, artifact_location=location))


def local_folder(uri: str) -> Path | None:
    """The folder of an artifact address on this machine; None where it is elsewhere."""
    return Path(local_file_uri_to_path(uri)) if is_local_uri(uri) else None


def _check_manifest(path: Path, digest: str, run_id: str) -> None:
    """UserError: a file is not what the manifest says, or the manifest not what the run says. A file is read again only
    when it has changed on the disk."""
    manifest = path / MANIFEST
    hint = "udamlf runs relocate, if the store was moved; else run the chain again: it repeats what is missing"
    if not manifest.is_file() or digest_file(manifest) != digest:
        raise UserError(f"the artifacts of run {run_id} in {path} are missing or damaged", MANIFEST, hint)
    try:
        files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
        expected = {path / name: str(each) for name, each in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{manifest} of run {run_id} is no manifest: {error!r}"
        raise UserError(message, "the digest of every file", hint) from error
    there = [file for file in expected if file.is_file()]
    whole = {file for file, each in zip(there, content_digests(there), strict=True) if each == expected[file]}
    if damaged := [str(file) for file in expected if file not in whole]:
        message = f"{', '.join(damaged)} of run {run_id} is missing or damaged"
        raise UserError(message, "the file its manifest describes", hint)
