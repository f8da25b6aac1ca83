"""Weight files that others made: fetched with their hash checked, read without running any code in them."""

from __future__ import annotations

import pickle
import re
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udamlf.errors import UserError
from udamlf.files import atomic_file, digest_file

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 20
# Scores saved beside weights are often NumPy scalars, which torch refuses by default; these types only rebuild numbers.
_NUMPY_SCALARS: list[Any] = [
    np.float64(0).__reduce__()[0],
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8")),
]


def fetch(url: str, folder: Path | None = None) -> Path:
    """The local copy of ``url``, downloaded once; a file is whole or absent.

    A name like ``resnet101-5d3b4d8f.pth`` carries the first digits of the file's SHA-256; they are checked every time.

    Args:
        folder: where copies are kept; by default torch.hub's, so that a file which another tool fetched is found.

    Raises:
        UserError: unreachable, or the content has another hash.
    """
    name = url.rsplit("/", 1)[-1]
    path = (folder or Path(torch.hub.get_dir()) / "checkpoints") / name
    if path.exists():
        _check_hash(path, name, f"rm {path}")
        return path
    with atomic_file(path) as temporary:
        try:
            _download(url, temporary)
        except (OSError, HTTPException, ValueError) as error:
            hint = f"copy the file to {path}, or name a local file: weights: /path/to/{name}"
            raise UserError(f"cannot download {url}: {error}", hint=hint) from error
        _check_hash(temporary, name, "download it again")
    return path


def _download(url: str, path: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, open(path, "wb") as handle:
        while chunk := response.read(CHUNK_BYTES):
            handle.write(chunk)


def _check_hash(path: Path, name: str, hint: str) -> None:
    prefix = re.search(r"-([0-9a-f]{8,64})\.", name)
    digest = digest_file(path)
    if prefix and not digest.startswith(prefix.group(1)):
        raise UserError(f"{name} has SHA-256 {digest[:16]}...", f"{prefix.group(1)}...", hint)


def read_checkpoint(path: Path) -> Mapping[str, Any]:
    """Content of a ``torch.save`` file on the CPU; tensors, containers and numbers only, no other object.

    Raises:
        UserError: there is no such file, it is damaged, or it holds objects that could run code.
    """
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"no weight file {path}", "a .pth file") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"cannot read weights from {path}: {reason}",
            "a whole file of tensors (other objects are refused: loading them can run code)",
        ) from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} holds a {type(content).__name__}", "a mapping from names to tensors")
    return content
