"""What a stage's run records of where it was computed, and what it said. No key depends on it, so it is published
beside the result and not in its manifest."""

import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import unified_diff
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import cv2
import torch

from udamlf.common.files import write_json, write_text
from udamlf.config.schema import Config
from udamlf.models.base import device
from udamlf.models.numerics import described
from udamlf.runs.launch import PROJECT_ROOT, git

CONFIG, ENVIRONMENT, REQUIREMENTS = "config.yaml", "environment.json", "requirements.txt"
_PACKAGES = ("torch", "mlflow", "numpy", "opencv-python", "pillow")
_DRIVER = Path("/proc/driver/nvidia/version")
_CODE = ("udamlf", "configs", "entrypoints", "MLproject")


def environment(config: Config) -> dict[str, Any]:
    """Versions, device, threads and precision of a stage in this process, as plain values."""
    gpu = device().type == "cuda"
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "os": platform.platform(),
        "host": platform.node(),
        "device": torch.cuda.get_device_name() if gpu else platform.processor() or platform.machine(),
        "cuda": torch.version.cuda if gpu else None,
        "cudnn": torch.backends.cudnn.version() if gpu else None,
        "driver": _DRIVER.read_text().splitlines()[0] if gpu and _DRIVER.is_file() else None,
        "cores": len(os.sched_getaffinity(0)),
        "threads": {"torch": torch.get_num_threads(), "opencv": cv2.getNumThreads(), "batches": config.profile.workers},
        "precision": config.profile.precision,
        "deterministic": config.profile.deterministic,
        "numerics": described(),
    }


def _changes() -> str:
    """What differs from the commit in the files that a chain runs, as ``git apply`` takes it; empty outside of git."""
    added = (git("ls-files", "--others", "--exclude-standard", *_CODE) or "").splitlines()
    texts = [((PROJECT_ROOT / name).read_text(errors="replace").splitlines(True), f"b/{name}") for name in added]
    new = (line for text, name in texts for line in unified_diff([], text, "/dev/null", name))
    return "".join([git("diff", "HEAD", "--", *_CODE) or "", "\n", *new]).lstrip("\n")


def write_record(folder: Path, config: Config) -> None:
    """Write config.yaml, environment.json, requirements.txt and, where the tree differs from its commit, git.diff."""
    write_text(folder / CONFIG, config.to_yaml())
    write_json(folder / ENVIRONMENT, environment(config))
    installed = {f"{package.name}=={package.version}" for package in distributions()}
    write_text(folder / REQUIREMENTS, "".join(f"{line}\n" for line in sorted(installed, key=str.lower)))
    if text := _changes():
        write_text(folder / "git.diff", text)


@contextmanager
def kept_log(folder: Path, title: str) -> Iterator[None]:
    """Append what is said inside, warnings and a final error included, to log.txt."""
    handler, root = logging.FileHandler(folder / "log.txt", encoding="utf-8"), logging.getLogger()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    handler.handle(logging.makeLogRecord({"levelname": "INFO", "msg": title}))
    root.addHandler(handler)
    logging.captureWarnings(True)
    try:
        yield
    except BaseException as error:
        what = {"levelname": "ERROR", "msg": type(error).__name__, "exc_info": sys.exc_info()}
        handler.handle(logging.makeLogRecord(what))
        raise
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()
