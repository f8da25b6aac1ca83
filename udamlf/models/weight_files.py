"""Weights that were saved: read without running any code in the file, and copied into a network that they fit."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import torch
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.models.mxnet_params import read_params

# Scores saved beside weights are often NumPy scalars, which torch refuses by default; these types only rebuild numbers.
_NUMPY_KINDS = (np.float32, np.float64, np.int32, np.int64)
_NUMPY_SCALARS: list[Any] = [np.float64(0).__reduce__()[0], np.dtype, *(type(np.dtype(kind)) for kind in _NUMPY_KINDS)]

_MOST_GROWTH = 50


def read_weights(source: str | Path) -> Mapping[str, Any]:
    """Content of a ``torch.save``, ``.npz`` or MXNet ``.params`` file on the CPU: tensors, containers and numbers only.
    A URL is downloaded once into torch.hub's folder, its hash checked. UserError: missing, damaged or unsafe."""
    source, hint = str(source), ""
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            if "://" in source:
                hint = f"copy the file to {Path(torch.hub.get_dir()) / 'checkpoints' / source.rpartition('/')[2]}"
                content: Any = torch.hub.load_state_dict_from_url(
                    source, map_location="cpu", progress=False, check_hash=True, weights_only=True
                )
            elif source.endswith(".npz"):
                with np.load(source, allow_pickle=False) as arrays:
                    whole = sum(member.file_size for member in arrays.zip.infolist())
                    if whole > _MOST_GROWTH * Path(source).stat().st_size:  # floats of weights hardly shrink
                        raise ValueError(f"it would grow to {whole / 2**20:.0f} MiB")
                    content = {name: torch.from_numpy(array) for name, array in arrays.items()}
            elif source.endswith(".params"):
                content = read_params(Path(source))
            else:
                content = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # 6 % of damaged files end in an IndexError, a KeyError or the like inside torch
        expected = "a whole file of tensors (other objects are refused: loading them can run code)"
        raise UserError(f"cannot read weights from {source}: {_reason(source, error)}", expected, hint) from error
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise UserError(f"{source} holds a {type(content).__name__}", "a mapping from names to tensors")
    return content


def _reason(source: str, error: Exception) -> str:
    """What keeps a file from being read, in a line; torch's own messages also say how to run the code in it."""
    if pickled := re.search(r"GLOBAL (\S+)|TorchScript", str(error)):
        return f"it pickles {pickled[1] or pickled[0]}; save model.state_dict() alone, where that class is known"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    told, start = f"{type(error).__name__}: {error}".splitlines()[0].partition(". ")[0], b"?"
    if "://" not in source:
        with open(source, "rb") as file:
            start = file.read(64).lstrip().lower()
    if start.startswith(b"<"):
        return "it is a page (HTML or XML), as a server sends in a file's place"
    if start.startswith(b"pk") and not is_zipfile(source):
        return "it is a zip archive (as of torch.save) that is cut off"
    return f"it is cut off, damaged or of another kind ({told})" if start else "it is empty"


def misfits(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What keeps ``state`` from being copied into tensors like ``expected``; BatchNorm counters may be missing."""
    absent = [n for n in expected if n not in state and not n.endswith("num_batches_tracked")]
    shared = [n for n in expected if n in state]
    reshaped = [n for n in shared if expected[n].shape != state[n].shape]
    retyped = [n for n in shared if expected[n].is_floating_point() != state[n].is_floating_point()]
    # A float of eight bits does not know what is finite; names and shapes can be checked without values, on "meta".
    floats = {n: state[n].float() for n in shared if state[n].is_floating_point() and not state[n].is_meta}
    broken = {n: count for n, value in floats.items() if (count := int((~value.isfinite()).sum()))}
    return [
        *(f"{n} is missing (expected: {list(expected[n].shape)})" for n in absent),
        *(f"{n} is of another shape: {list(state[n].shape)} (expected: {list(expected[n].shape)})" for n in reshaped),
        *(f"{n} is of another kind: {state[n].dtype} (expected: {expected[n].dtype})" for n in retyped),
        *(f"{n} is NaN or infinite in {count} of its {state[n].numel()} values" for n, count in broken.items()),
        *(f"{n} is unknown: {list(state[n].shape)}" for n in state if n not in expected),
    ]


def load_into(model: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Copy weights into a network of the same tensors. UserError: ``misfits``; ``model`` is then unchanged."""
    if problems := misfits(model.state_dict(), state):
        message = f"{where}: {len(problems)} tensors do not fit this network, {problems[0]}"
        raise UserError(message, "weights of the same network and options")
    model.load_state_dict(state, strict=False)
