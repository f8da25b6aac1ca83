"""Released checkpoints in small: the key lists of the specifications at full depth, with few channels."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).parent / "golden"
SMALLER, SMALLER_CBST = 16, 4
"""Full channels in those of the file. On the CPU torch 2.13 damages its memory in the backward pass of a 1x1
convolution of stride 2 on fewer than 16 channels in channels_last, which a narrower ResNet-38 has."""
KINDS = ("iast", "iast_warmup", "hiast", "hiast_warmup", "advent", "advent_one_level", "crst", "proda_warmup", "proda",
         "proda_bn_clr", "cbst")  # fmt: skip
Shapes = dict[str, list[int]]


def _facts(method: str, stem: str) -> Any:
    return json.loads((GOLDEN / method / f"{stem}.json").read_text(encoding="utf-8"))


def _listed(tensors: list[Any]) -> Shapes:
    return {name: shape for name, shape, *_ in tensors}


def full_shapes(kind: str) -> Shapes:
    """Tensor name -> shape, as the specification of a kind of file lists them."""
    method, _, rest = kind.partition("_")
    if method in ("iast", "hiast"):
        keys = _facts(method, "state_dict_keys")
        both = keys["keys"] | (keys["discriminator_keys_in_warmup_checkpoint"] if rest else {})
        return {keys.get("checkpoint_prefix", "") + name: shape for name, shape in both.items()}
    if method == "proda":
        variants = _facts("proda", "checkpoint_keys")["variants"]
        return _listed(variants["stage2_and_stage3_bn_clr" if rest == "bn_clr" else "warmup_and_stage1"])
    if method == "cbst":
        tensors = _listed(_facts("cbst", "resnet38_tensors")["tensors"])
        return {f"{'aux' if 'moving' in name else 'arg'}:{name}": shape for name, shape in tensors.items()}
    level = "multilevel" if kind == "advent" else "singlelevel"
    shapes = _listed(_facts("intrada", f"state_dict_deeplabv2_resnet101_{level}")["tensors"])
    # cbst.md 2.2: ADVENT's network without the auxiliary head; the head is called layer5.
    return {n.replace("layer6.", "layer5.") if method == "crst" else n: shape for n, shape in shapes.items()}


def _small(kind: str, name: str, shape: list[int], outputs: int) -> list[int]:
    """The shape with fewer channels in the backbone; ``outputs`` in place of the published 19."""
    if "discriminator" in name.lower() or name.startswith("D."):
        return shape
    proda_head = kind.startswith("proda") and name.startswith("layer5.")
    if proda_head:  # 256 channels in any network; what comes from the backbone is smaller
        sizes = [2048 // SMALLER if size == 2048 else size for size in shape]
    else:
        share = SMALLER_CBST if kind == "cbst" else SMALLER
        sizes = [size // share if size >= 64 else size for size in shape]
    return [outputs if size == 19 else size for size in sizes]


def state(kind: str, outputs: int = 19, seed: int = 0) -> dict[str, Tensor]:
    """Random weights with which signals keep their size, float32, under the published names."""
    generator = torch.Generator().manual_seed(seed)
    made: dict[str, Tensor] = {}
    for name, shape in full_shapes(kind).items():
        name = name.replace("linear19_", f"linear{outputs}_")
        sizes = _small(kind, name, shape, outputs)
        if name.endswith("num_batches_tracked"):
            made[name] = torch.tensor(7)
        elif name.endswith(("running_var", "moving_var")):
            made[name] = torch.ones(sizes)
        else:
            deviation = math.sqrt(1 / math.prod(sizes[1:])) if len(sizes) > 1 else 0.1
            made[name] = deviation * torch.randn(sizes, generator=generator)
            made[name] += name.endswith("gamma") or (len(sizes) == 1 and name.endswith("weight"))
    return made


def content(kind: str, outputs: int = 19, seed: int = 0) -> dict[str, Any]:
    """What a file of the kind holds: a state dict, or ProDA's container."""
    tensors: dict[str, Any] = state(kind, outputs, seed)
    if not kind.startswith("proda"):
        return tensors
    vectors = torch.rand(outputs, 256)
    inside = {"ResNet101": {"model_state": tensors, "objective_vectors": vectors}, "iter": 1000}
    if kind == "proda_warmup":
        critic = {
            name: torch.zeros(shape)
            for name, shape in _listed(_facts("proda", "checkpoint_keys")["discriminator"]).items()
        }
        inside["FCDiscriminator"] = {"model_state": critic, "objective_vectors": vectors}
    return {**inside, "best_iou": np.float64(0.43)}


def write(path: Path, inside: Mapping[str, Any], zipped: bool = False) -> Path:
    """A file as the project saved it: PyTorch's format before 1.6, or MXNet's where the name says so."""
    if path.suffix == ".params":
        path.write_bytes(params({name: tensor.numpy() for name, tensor in inside.items()}))
    else:
        torch.save(dict(inside), path, _use_new_zipfile_serialization=zipped)
    return path


def released_file(folder: Path, kind: str, outputs: int = 19, seed: int = 0) -> Path:
    """A whole file of the kind."""
    suffix = "params" if kind == "cbst" else "pth"
    return write(folder / f"{kind}{outputs}.{suffix}", content(kind, outputs, seed))


TYPES = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}


def params(arrays: Mapping[str, np.ndarray], version: int = 2) -> bytes:
    """MXNet's list of arrays; ``version`` 0 is the one that had no version."""
    blocks = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays.values():
        head = {0: b"", 1: struct.pack("<I", 0xF993FAC8), 2: struct.pack("<Ii", 0xF993FAC9, 0)}[version]
        shape = struct.pack(f"<I{array.ndim}{'q' if version else 'I'}", array.ndim, *array.shape)
        blocks += [head, shape, struct.pack("<iii", 1, 0, TYPES[array.dtype.name]), array.tobytes()]
    names = [name.encode() for name in arrays]
    return b"".join([*blocks, struct.pack("<Q", len(names)), *(struct.pack("<Q", len(n)) + n for n in names)])
