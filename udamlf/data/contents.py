"""What is in files: their digests, each kept with the file's path, size, times and inode, so that it is read once."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder, digest_file
from udamlf.common.progress import tracked


def content_digests(paths: Sequence[Path]) -> list[str]:
    """SHA-256 of each file. A file that was replaced in place is read again, whatever its size and time say: a change
    of its inode cannot be set back. UserError: one cannot be read, or the cache cannot be written."""
    query = "SELECT digest FROM files WHERE path = ? AND facts = ?"
    try:
        facts = {path: _facts(path) for path in paths}
        cache_folder().mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(cache_folder() / "digests.sqlite", timeout=60)) as known, known:
            known.execute("CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, facts TEXT, digest TEXT)")
            rows = {path: known.execute(query, (str(path), facts[path])).fetchone() for path in facts}
            new = [path for path, row in rows.items() if row is None]
            made = tracked(ahead(digest_file, new, len(os.sched_getaffinity(0))), "hashing files", len(new))
            digests = {path: row[0] for path, row in rows.items() if row} | dict(zip(new, made, strict=True))
            entries = ((str(path), facts[path], digests[path]) for path in new)
            known.executemany("REPLACE INTO files VALUES (?, ?, ?)", entries)
    except (OSError, sqlite3.Error) as error:
        expected = f"readable files, and a writable cache at {cache_folder()}"
        hint = f"rm {cache_folder() / 'digests.sqlite'}, which is made again, if that is damaged"
        raise UserError(f"cannot tell what is in files: {error}", expected, hint) from error
    return [digests[path] for path in paths]


def _facts(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_dev} {stat.st_ino}"
