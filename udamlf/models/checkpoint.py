"""Checkpoint folders: ``model.safetensors`` (the last weights), ``meta.json`` and, where the objective provides them,
``middle.safetensors`` and ``teacher.safetensors``. Each file is whole or absent, and no code runs from any of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, digest_file, write_json
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part, Strict, validated
from udamlf.models.base import Ensemble, SegmentationModel, build
from udamlf.models.weight_files import load_into

META = "meta.json"
FILES = {"last": "model.safetensors", "middle": "middle.safetensors", "teacher": "teacher.safetensors"}


class Meta(Strict):
    """Content of ``meta.json``; ``files`` holds the SHA-256 of the weights of each variant (a key of ``FILES``)."""

    version: Literal[1] = 1
    backbone: Part
    label_space: str
    classes: list[str]
    files: dict[str, str]


def save(folder: Path, weights: dict[str, dict[str, Tensor]], backbone: Part, space: LabelSpace) -> None:
    """Write a checkpoint folder from variant -> state dict; ``meta.json`` with the digests last."""
    for variant, state in weights.items():
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
        with atomic_file(folder / FILES[variant]) as temporary:
            temporary.write_bytes(to_safetensors(tensors))  # an OSError on a full disk, which save_file hides
    files = {variant: digest_file(folder / FILES[variant]) for variant in weights}
    meta = Meta(backbone=backbone, label_space=space.name, classes=list(space.classes), files=files)
    write_json(folder / META, meta.model_dump())


def read_state(folder: Path, space: LabelSpace, variant: str = "last") -> tuple[Part, dict[str, Tensor]]:
    """Backbone and weights of a checkpoint folder. UserError: missing or damaged, or no such label space or variant."""
    try:
        tree = json.loads((folder / META).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"no readable checkpoint in {folder} ({error!r})", f"{META} written by udamlf") from error
    meta: Meta = validated(Meta, tree, f"the checkpoint in {folder}")
    if meta.label_space != space.name or meta.classes != list(space.classes):
        message = f"the checkpoint in {folder} is of label space {meta.label_space}: {', '.join(meta.classes)}"
        raise UserError(message, f"{space.name}: {', '.join(space.classes)}", "a run of the same scenario")
    if variant not in meta.files:
        raise UserError(f"{folder} has no {variant!r} weights", f"one of: {', '.join(meta.files)}")
    path = folder / FILES[variant]
    if not path.is_file() or digest_file(path) != meta.files[variant]:
        raise UserError(f"{path} is missing or damaged", "the file its meta.json describes", "train it again")
    try:
        return meta.backbone, load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path} is not safetensors: {error}", "a checkpoint written by udamlf") from error


def load(folder: Path, space: LabelSpace, variant: str = "last") -> SegmentationModel:
    """The network of a checkpoint folder, in evaluation mode on the CPU."""
    backbone, state = read_state(folder, space, variant)
    model = build(backbone.name, space.num_classes, pretrained=False, **backbone.params)
    load_into(model, state, str(folder))
    return model.eval()


def load_mean(folders: Sequence[Path], space: LabelSpace) -> SegmentationModel:
    """The network of a checkpoint folder; of several the mean of their logits."""
    networks = [load(folder, space) for folder in folders]
    return Ensemble(*networks) if len(networks) > 1 else networks[0]
