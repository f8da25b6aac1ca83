"""What a stage's run records of where it was computed, and what it said, beside its result: no key depends on it."""

import os
import platform
import sys
import termios
import threading
import time
import traceback
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import unified_diff
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any, TextIO

import cv2
import torch

from udamlf.common.files import write_json, write_text
from udamlf.config.schema import Config
from udamlf.models.base import device
from udamlf.models.numerics import settings
from udamlf.runs.launch import PROJECT_ROOT, git

CONFIG, ENVIRONMENT, REQUIREMENTS = "config.yaml", "environment.json", "requirements.txt"
_PACKAGES = ("torch", "mlflow", "numpy", "opencv-python", "pillow")
_DRIVER = Path("/proc/driver/nvidia/version")
_CODE = ("udamlf", "configs", "entrypoints", "MLproject")


def device_name() -> str:
    """The GPU, or the processor's model."""
    model = Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2].partition("\n")[0]
    return torch.cuda.get_device_name() if device().type == "cuda" else model or platform.machine()


def environment(config: Config) -> dict[str, Any]:
    """Versions, device, threads and precision of a stage in this process, as plain values."""
    gpu = device().type == "cuda"
    return {
        "python": platform.python_version(), **{name: version(name) for name in _PACKAGES},
        "os": platform.platform(), "host": platform.node(), "device": device_name(),
        "cuda": torch.version.cuda if gpu else None, "cudnn": torch.backends.cudnn.version() if gpu else None,
        "driver": _DRIVER.read_text().splitlines()[0] if gpu and _DRIVER.is_file() else None,
        "cores": len(os.sched_getaffinity(0)),
        "threads": {"torch": torch.get_num_threads(), "opencv": cv2.getNumThreads(), "batches": config.profile.workers},
        "precision": config.profile.precision, "deterministic": config.profile.deterministic, "numerics": settings(),
    }  # fmt: skip


def write_record(folder: Path, config: Config) -> None:
    """Write config.yaml, environment.json, requirements.txt and, where the code differs from its commit, git.diff."""
    write_text(folder / CONFIG, config.to_yaml())
    write_json(folder / ENVIRONMENT, environment(config))
    known = [package.metadata for package in distributions()]  # each time it is asked for it is parsed
    installed = {f"{metadata['Name']}=={metadata['Version']}" for metadata in known}
    write_text(folder / REQUIREMENTS, "".join(f"{line}\n" for line in sorted(installed, key=str.lower)))
    added = (git("ls-files", "--others", "--exclude-standard", *_CODE) or "").splitlines()
    texts = [((PROJECT_ROOT / name).read_text(errors="replace").splitlines(True), f"b/{name}") for name in added]
    new = (line for text, name in texts for line in unified_diff([], text, "/dev/null", name))
    if changes := "".join([git("diff", "HEAD", "--", *_CODE) or "", "\n", *new]).lstrip("\n"):
        write_text(folder / "git.diff", changes)


@contextmanager
def kept_log(folder: Path, title: str) -> Iterator[None]:
    """Append what is printed inside, by native code too, and a final error to log.txt, each line with its time."""
    with open(folder / "log.txt", "ab", buffering=0) as log:

        def note(text: str) -> None:
            lines = "".join(f"{time.strftime('%F %T')} {line}\n" for line in text.splitlines())
            with suppress(OSError, ValueError):  # a disk that is full for a while, a log that is closed: read on
                log.write(lines.encode(errors="replace"))

        note(title)
        try:
            with _copied(sys.stdout, 1, note), _copied(sys.stderr, 2, note):
                yield
        except BaseException:
            note(traceback.format_exc())
            raise


@contextmanager
def _copied(stream: TextIO, descriptor: int, note: Callable[[str], None]) -> Iterator[None]:
    """Pass lines that are written to a descriptor meanwhile to ``note`` too, but those that move a terminal's cursor
    (progress bars), which stays a terminal for who writes."""
    original = os.dup(descriptor)
    reader, writer = os.openpty() if os.isatty(original) else os.pipe()
    if os.isatty(original):
        tty.setraw(writer)
        termios.tcsetwinsize(writer, termios.tcgetwinsize(original))

    def say(lines: list[bytes]) -> None:
        note("\n".join(line.decode(errors="replace") for line in lines if b"\x1b" not in line))

    def copy() -> None:
        rest = b""
        with suppress(OSError):  # how the end of a terminal is told
            while chunk := os.read(reader, 1 << 16):
                with suppress(OSError):  # nobody reads it any more
                    os.write(original, chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                say(lines)
        say([rest])
        os.close(reader)
        os.close(original)

    thread = threading.Thread(target=copy, daemon=True, name="log")
    stream.flush()
    os.dup2(writer, descriptor)
    os.close(writer)
    thread.start()
    try:
        yield
    finally:
        stream.flush()
        os.dup2(original, descriptor)
        thread.join(3)  # it ends later where a process that was started meanwhile still has the descriptor
