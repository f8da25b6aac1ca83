"""Files that are whole or absent, and their digests."""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from udamlf.common.errors import UserError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
logger = logging.getLogger("udamlf")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """A UserError that says what is wrong with the disk, in place of an OSError."""
    try:
        yield
    except OSError as error:
        free = shutil.disk_usage(next(p for p in [path, *path.parents] if p.exists())).free / 2**20
        message = f"cannot write {path}: {error.strerror or error} ({free:.0f} MiB free)"
        raise UserError(message, "a writable folder with free space", "udamlf doctor") from error


def _move(temporary: Path, path: Path) -> None:
    """Rename, and have the folder's entry on the disk."""
    os.replace(temporary, path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


@contextmanager
def atomic_file(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is synced (but for thousands of pictures: ``durable``) and
    renamed to ``path``, else removed. UserError: the folder cannot be written or the disk is full; nothing is left."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            os.chmod(temporary, 0o644)
            if durable:
                with open(temporary, "rb+") as handle:
                    os.fsync(handle.fileno())
                _move(temporary, path)
            else:
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``path``; on success it is renamed to ``path``, else removed. When ``path``
    exists already (another process was faster), the new folder is dropped and the old one stays."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield temporary
            os.chmod(temporary, 0o755)
            if not path.exists():
                _move(temporary, path)
        except OSError:
            if not (path.is_dir() and any(path.iterdir())):
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically (UTF-8)."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` atomically as indented JSON."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def digest_bytes(data: bytes) -> str:
    """SHA-256 of ``data``, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, hexadecimal."""
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def digest_file(path: Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where things that can be made again are kept: ``UDAMLF_CACHE``, else ``~/.cache/udamlf``."""
    try:
        return Path(os.environ.get("UDAMLF_CACHE") or "~/.cache/udamlf").expanduser()
    except RuntimeError as error:
        raise UserError("this user has no home folder", "a place for caches", "UDAMLF_CACHE=FOLDER") from error


def environment_number(name: str, default: float) -> float:
    """A number, 0 or more, that an environment variable sets. UserError: it is none."""
    text = os.environ.get(name) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise UserError(f"{name}={text}", "a number of 0 or more", f"unset {name}")
    return number


@contextmanager
def file_lock(path: Path, work: str = "", wait: bool = True) -> Iterator[bool]:
    """Hold an exclusive lock on the file ``path`` (made if absent) and yield True. While another process has it, wait,
    and say for which ``work``; or, without ``wait``, yield False. A killed holder releases it."""
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with open(path, "a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            if work:
                handle.seek(0)
                logger.warning("waiting for process %s, which is at the same work: %s", handle.read().strip(), work)
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield True
