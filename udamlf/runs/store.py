"""Where the tracking store lies, and the work in progress beside it; a store that was moved. Imports no mlflow."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from udamlf.common.errors import UserError, masked
from udamlf.common.files import cache_folder, digest_bytes

SQLITE = "sqlite:///"
# Where a database of MLflow's holds absolute addresses of artifacts.
_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def store_uri() -> str:
    """``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in the current folder; the path of an SQLite file made absolute."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"
    path = sqlite_file(uri)
    return f"{SQLITE}{path.absolute()}" if path else uri


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite store."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def work_root(uri: str) -> Path:
    """Where stages keep what a killed one resumes from: ``UDAMLF_WORK``, else ``.udamlf`` beside an SQLite store, else
    the cache folder."""
    if os.environ.get("UDAMLF_WORK"):
        return Path(os.environ["UDAMLF_WORK"]).absolute()
    path = sqlite_file(uri)
    return path.parent / ".udamlf" if path else cache_folder() / "work" / digest_bytes(uri.encode())[:12]


def relocate(uri: str) -> list[str]:
    """After an SQLite file was moved or copied together with its ``mlruns``: have it name its artifacts there. A line
    for every folder of an experiment that it named instead. UserError: not both are there."""
    path = sqlite_file(uri)
    if path is None or not path.is_file() or not (path.parent / "mlruns").is_dir():
        raise UserError(f"no moved store {masked(uri)}", "mlflow.db with its mlruns", "cd to the folder that has both")
    changes = []
    with closing(sqlite3.connect(path)) as connection, connection:
        for (old,) in connection.execute("SELECT artifact_location FROM experiments").fetchall():
            root, _, name = old.rpartition("/mlruns/")
            folder = path.parent.resolve() / "mlruns" / unquote(name)
            new = folder.as_uri() if old.startswith("file:") else str(folder)
            if root and folder.is_dir() and old != new:
                for table, column in _ADDRESSES:
                    there = f"instr({column} || '/', ?) = 1"
                    change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {there}"
                    connection.execute(change, (new, len(old) + 1, f"{old}/"))
                changes.append(f"{old} -> {new}")
    return changes
