"""Where the tracking store lies, and the work in progress beside it; a store that was moved, and one that does not
answer. Imports no mlflow."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder, digest_bytes, environment_number

SQLITE = "sqlite:///"
PATIENCE_S = 300.0
_patient = ContextVar("patient", default=True)
_PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
# What SQLite and the operating system say of a disk; waiting does not help then.
_FULL_OR_FORBIDDEN = ("[Errno 28]", "[Errno 13]", "[Errno 30]", "disk is full", "readonly database")
# Where a database of MLflow's holds absolute addresses of artifacts.
_ADDRESSES = (("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
              ("model_versions", "source"), ("model_versions", "storage_location"))  # fmt: skip


def store_uri() -> str:
    """``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the current folder; the path of an SQLite file made absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    path = sqlite_file(uri)
    return f"{SQLITE}{path.absolute()}" if path else uri


def is_there() -> bool:
    """Whether there is a store, rather than one that the first run is yet to create."""
    database = sqlite_file(store_uri())
    return database is None or database.is_file()


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite store."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def work_root(uri: str) -> Path:
    """Where a killed stage resumes from: ``UDAMLF_WORK``, else ``.udamlf`` beside SQLite, else the cache folder."""
    if os.environ.get("UDAMLF_WORK"):
        return Path(os.environ["UDAMLF_WORK"]).absolute()
    path = sqlite_file(uri)
    return path.parent / ".udamlf" if path else cache_folder() / "work" / digest_bytes(uri.encode())[:12]


def output(path: Path, suffix: str = "") -> Path:
    """Where a user's file goes, its links followed, or, without a suffix, a folder. UserError: it ends otherwise, what
    is there is no file, or it lies among the store's own."""
    place, uri = path.resolve(), store_uri()
    database, folders = sqlite_file(uri), [work_root(uri)]
    folders += [database.with_name("mlruns")] if database else []
    if any(place.is_relative_to(folder.resolve()) for folder in folders):
        raise UserError(f"cannot write {path}: the store's files are there", "another place")
    if suffix and (place.suffix.lower() != suffix or (place.exists() and not place.is_file())):
        raise UserError(f"cannot write {path}", f"a file that ends in {suffix}, new or one to replace")
    return place


def check_database(uri: str) -> None:
    """MLflow itself tries a refused password, a folder or another file for two minutes, and makes its tables beside
    those of a program that has the file. SQLAlchemyError; UserError: the latter."""
    from sqlalchemy import create_engine, inspect

    tables = inspect(create_engine(uri)).get_table_names()
    if sqlite_file(uri) and tables and "experiments" not in tables:  # the one that MLflow makes first
        raise UserError(f"{uri} holds the table {min(tables)}", "a store of MLflow's, or a new file")


def moved(database: Path, location: str) -> str | None:
    """The folder of artifacts beside an SQLite file, where the one that it names is of another place: the file was
    moved or copied together with its ``mlruns``."""
    root, _, name = location.rpartition("/mlruns/")
    beside = database.parent.resolve() / "mlruns" / unquote(name)
    if not root or not beside.is_dir() or Path(unquote(location.removeprefix("file://"))).resolve() == beside.resolve():
        return None  # mlruns may be a link to another disk
    return beside.as_uri() if location.startswith("file:") else str(beside)


def relocate(uri: str) -> list[str]:
    """After an SQLite file was moved or copied together with its ``mlruns``: have it name its artifacts there. A line
    for every folder of an experiment that it named instead. UserError: not both are there, or it cannot be changed."""
    path = sqlite_file(uri)
    if path is None or not path.is_file() or not (path.parent / "mlruns").is_dir():
        raise UserError(f"no moved store {uri}", "mlflow.db with its mlruns", "cd to the folder that has both")
    try:
        with closing(sqlite3.connect(path)) as connection, connection:
            places = [old for (old,) in connection.execute("SELECT artifact_location FROM experiments")]
            changes = {old: new for old in places if (new := moved(path, old))}
            for (old, new), (table, column) in product(changes.items(), _ADDRESSES):
                there = f"instr({column} || '/', ?) = 1"
                change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {there}"
                connection.execute(change, (new, len(old) + 1, f"{old}/"))
    except sqlite3.Error as error:
        hint = f"mlflow db upgrade {uri}, if an earlier mlflow wrote it"
        raise UserError(f"cannot change {uri}: {error}", "a database of this mlflow, not in use", hint) from error
    return [f"{old} -> {new}" for old, new in changes.items()]


@contextmanager
def at_once() -> Iterator[None]:
    """Inside, a store that does not answer raises what MLflow raises, and is not waited for."""
    token = _patient.set(False)
    try:
        yield
    finally:
        _patient.reset(token)


class Unavailable(UserError):
    """The store does not answer, or cannot be written."""


class Patient:
    """MLflow's client, each call tried for some minutes, after which the store is ``Unavailable``."""

    def __init__(self, client: Any, uri: str) -> None:
        self.client, self.uri = client, uri

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            patience_s = environment_number("UDAMLF_PATIENCE_S", PATIENCE_S)
            deadline, pause_s = time.monotonic() + patience_s, 1.0
            while True:
                try:
                    return getattr(self.client, name)(*arguments, **options)
                except Exception as error:
                    if not _patient.get():
                        raise
                    if any(sign in str(error) for sign in _FULL_OR_FORBIDDEN):
                        message = f"cannot write to the tracking store {self.uri}: {error}"
                        raise Unavailable(message, "a writable store with free space") from error
                    passing = isinstance(error, ConnectionError | TimeoutError)
                    if not passing and getattr(error, "error_code", "") not in _PASSING:
                        raise
                    if time.monotonic() + pause_s > deadline:
                        message = f"the tracking store {self.uri} did not answer for {patience_s:.0f} s: {error}"
                        raise Unavailable(message, "a store that answers", "the same command again") from error
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, 30.0)

        return call
