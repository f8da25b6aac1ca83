"""Checkpoints: safetensors weights and a JSON description, whole or absent.

A folder holds ``model.safetensors`` (the last weights), ``meta.json`` and, where the objective provides them,
``middle.safetensors`` and ``teacher.safetensors``. No code runs from any of these files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import nn

from udamlf.config import Part
from udamlf.data.labels import LabelSpace
from udamlf.errors import UserError
from udamlf.files import atomic_file, digest_file, write_json
from udamlf.models.base import SegmentationModel, build

VERSION = 1
META = "meta.json"
FILES = {"last": "model.safetensors", "middle": "middle.safetensors", "teacher": "teacher.safetensors"}


def save(folder: Path, weights: dict[str, dict[str, torch.Tensor]], backbone: Part, space: LabelSpace) -> None:
    """Write a checkpoint folder; ``meta.json`` with the digests last.

    Args:
        weights: variant ("last", "middle", "teacher") -> state dict.
    """
    for variant, state in weights.items():
        with atomic_file(folder / FILES[variant]) as temporary:
            tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
            temporary.write_bytes(to_safetensors(tensors))  # an OSError on a full disk, which save_file hides
    meta = {
        "version": VERSION,
        "backbone": backbone.model_dump(),
        "label_space": space.name,
        "classes": list(space.classes),
        "files": {variant: digest_file(folder / FILES[variant]) for variant in weights},
    }
    write_json(folder / META, meta)


def _meta(folder: Path) -> dict[str, Any]:
    path = folder / META
    try:
        meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = meta["version"]
        if version == VERSION and all(meta[key] for key in ("backbone", "label_space", "classes", "files")):
            return meta
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"no readable checkpoint in {folder} ({error!r})", f"{META} written by udamlf") from error
    raise UserError(f"the checkpoint in {folder} has version {version}", f"version {VERSION}", "train it again")


def read_state(folder: Path, space: LabelSpace, variant: str = "last") -> tuple[Part, dict[str, torch.Tensor]]:
    """Backbone description and weights of a checkpoint folder.

    Raises:
        UserError: missing, damaged, or of another label space, or without the variant.
    """
    meta = _meta(folder)
    if meta["label_space"] != space.name or meta["classes"] != list(space.classes):
        message = f"the checkpoint in {folder} is of label space {meta['label_space']}: {', '.join(meta['classes'])}"
        raise UserError(message, f"{space.name}: {', '.join(space.classes)}", "a run of the same scenario")
    if variant not in meta["files"]:
        raise UserError(f"{folder} has no {variant!r} weights", f"one of: {', '.join(meta['files'])}")
    path = folder / FILES[variant]
    if not path.is_file() or digest_file(path) != meta["files"][variant]:
        raise UserError(f"{path} is missing or damaged", "the file its meta.json describes", "train it again")
    try:
        return Part(**meta["backbone"]), load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is not safetensors: {error}", "a checkpoint written by udamlf") from error


def load_into(model: nn.Module, state: dict[str, torch.Tensor], where: str) -> None:
    """Copy weights into a network of exactly the same tensors.

    Raises:
        UserError: tensors are missing, unknown or of another shape; the first of them is named.
    """
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(state)) or [n for n in own if own[n].shape != state[n].shape]
    if wrong:
        message = f"{where}: {len(wrong)} tensors do not fit this network, the first is {wrong[0]}"
        raise UserError(message, "a checkpoint of the same backbone and options")
    model.load_state_dict(state)


def load(folder: Path, space: LabelSpace, variant: str = "last") -> SegmentationModel:
    """The network of a checkpoint folder, in evaluation mode on the CPU."""
    backbone, state = read_state(folder, space, variant)
    model = build(backbone.name, space.num_classes, pretrained=False, **backbone.params)
    load_into(model, state, str(folder))
    return model.eval()
