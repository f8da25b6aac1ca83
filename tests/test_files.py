"""Files are whole or absent, whatever ends the writer."""

from __future__ import annotations

import errno
import json
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from udamlf.common.errors import UserError
from udamlf.common.files import (
    atomic_file,
    atomic_folder,
    cache_folder,
    digest_bytes,
    digest_file,
    digest_json,
    environment_number,
    file_lock,
    write_json,
    write_text,
)
from udamlf.data.raster import write_pixels


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def test_a_user_without_a_home_is_told_how_to_name_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "UDAMLF_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    with pytest.raises(UserError, match="UDAMLF_CACHE"):
        cache_folder()


def test_a_picture_that_does_not_fit_on_the_disk_is_told_and_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(UserError, match="No space left"):
        write_pixels(tmp_path / "a" / "b.png", np.zeros((2, 2, 3), np.uint8))
    assert names(tmp_path / "a") == []


# --- one file --------------------------------------------------------------------------------------------------------


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until then there is the old one; folders above are made; everybody may read it."""
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "old")
    with atomic_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # a rename across file systems would not be atomic
    assert path.read_text() == "new"
    assert names(path.parent) == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


KILLED = """
import os, signal, sys
from pathlib import Path
from udamlf.common.files import atomic_file, atomic_folder
with {what}(Path(sys.argv[1])) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("what", ["atomic_file", "atomic_folder"])
def test_a_killed_writer_leaves_no_half_file(what: str, tmp_path: Path) -> None:
    """SIGKILL in the middle: the name does not exist, and the next writer succeeds."""
    path = tmp_path / "result"
    done = subprocess.run([sys.executable, "-c", KILLED.format(what=what), str(path)])
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    if what == "atomic_file":
        write_text(path, "whole")
        assert path.read_text() == "whole"
    else:
        with atomic_folder(path) as folder:
            (folder / "part").write_text("whole")
        assert names(path) == ["part"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from udamlf.common.errors import UserError
from udamlf.common.files import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    write_text(Path(sys.argv[1]), "x" * 5000)
except UserError as error:
    print(error)
"""


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A process that may not write more than 1000 bytes stands for it: path, reason, free space."""
    path = tmp_path / "result"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert f"cannot write {path}" in done.stdout and "MiB free" in done.stdout
    assert names(tmp_path) == []


@pytest.mark.parametrize("below", ["file", "folder/file"])
def test_a_place_that_cannot_be_written_is_said(below: str, tmp_path: Path) -> None:
    """The folder is a file: a UserError with the path, for files, folders and locks."""
    (tmp_path / "not_a_folder").write_text("")
    path = tmp_path / "not_a_folder" / below
    for make in (atomic_file, atomic_folder, file_lock):
        with pytest.raises(UserError, match=f"cannot write {path}"), make(path):
            raise AssertionError("entered")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_no_write_permission_is_said(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    with pytest.raises(UserError, match="Permission denied"):
        write_text(closed / "file", "x")


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "result"
    with atomic_folder(path) as folder:
        (folder / "one").write_text("1")
        (folder / "sub").mkdir()
        assert not path.exists()
    assert names(path) == ["one", "sub"]
    assert names(path.parent) == ["result"]
    assert path.stat().st_mode & 0o777 == 0o755


def test_the_first_of_two_writers_wins(tmp_path: Path) -> None:
    """The second one's folder is dropped; both end without an error."""
    path = tmp_path / "result"
    with atomic_folder(path) as slow:
        (slow / "of").write_text("slow")
        with atomic_folder(path) as fast:
            (fast / "of").write_text("fast")
    assert (path / "of").read_text() == "fast"
    assert names(tmp_path) == ["result"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "result") as folder:
        (folder / "half").write_text("")
        raise ZeroDivisionError
    assert names(tmp_path) == []


# --- digests ---------------------------------------------------------------------------------------------------------


def test_digests_are_of_content(tmp_path: Path) -> None:
    """SHA-256; of JSON whatever the order of keys; of a file what it is of its bytes."""
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_bytes(b"abc") == digest_file(tmp_path / "abc") == abc
    assert (
        digest_json({"a": 1, "b": [1, 2]}) == digest_json({"b": [1, 2], "a": 1}) != digest_json({"a": 1, "b": [2, 1]})
    )


def test_json_is_the_same_bytes_for_the_same_value(tmp_path: Path) -> None:
    write_json(tmp_path / "one", {"a": 1, "b": None})
    write_json(tmp_path / "two", {"b": None, "a": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert json.loads((tmp_path / "one").read_text()) == {"a": 1, "b": None}


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UDAMLF_CACHE", str(tmp_path / "here"))
    assert cache_folder() == tmp_path / "here"
    monkeypatch.setenv("UDAMLF_CACHE", "~/there")
    assert cache_folder() == Path.home() / "there"
    monkeypatch.delenv("UDAMLF_CACHE")
    assert cache_folder() == Path.home() / ".cache" / "udamlf"


# --- locks -----------------------------------------------------------------------------------------------------------


def test_one_holds_a_lock_at_a_time(tmp_path: Path) -> None:
    """The second thread enters when the first one leaves."""
    events: list[str] = []
    held = threading.Event()

    def first() -> None:
        with file_lock(tmp_path / "lock"):
            held.set()
            time.sleep(0.1)
            events.append("first leaves")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait()
    with file_lock(tmp_path / "lock"):
        events.append("second enters")
    thread.join()
    assert events == ["first leaves", "second enters"]


HOLDER = """
import sys, time
from pathlib import Path
from udamlf.common.files import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_releases_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    started = time.monotonic()
    with file_lock(path):
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["abc", "-1", "nan"])
def test_an_environment_variable_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.delenv("UDAMLF_X", raising=False)
    assert environment_number("UDAMLF_X", 2.5) == 2.5
    monkeypatch.setenv("UDAMLF_X", "0.5")
    assert environment_number("UDAMLF_X", 2.5) == 0.5
    monkeypatch.setenv("UDAMLF_X", text)
    with pytest.raises(UserError, match=f"UDAMLF_X={text}"):
        environment_number("UDAMLF_X", 2.5)
