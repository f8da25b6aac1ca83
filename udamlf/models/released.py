"""Checkpoints that other projects published: recognised by their tensor names, renamed to ours, loaded strictly.

Known: IAST, HIAST, ADVENT (and IntraDA, which uses its network), CRST and ProDA; key lists in
adversarial-warmup.md 1.5, advent.md 2 and proda.md 2. Files are read without running any code in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from udamlf.errors import UserError
from udamlf.models import discriminator as discriminators
from udamlf.models.base import SegmentationModel, build
from udamlf.models.weight_files import read_checkpoint

State = Mapping[str, Tensor]
_TORCHVISION = {f"{part}.": f"backbone.{part}." for part in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")}
_DISCRIMINATOR = {f"{part}.": f"{part}." for part in ("conv1", "conv2", "conv3", "conv4", "classifier")}
_SEQUENTIAL = {"0.": "conv1.", "2.": "conv2.", "4.": "conv3.", "6.": "conv4.", "8.": "classifier."}


class Format(NamedTuple):
    """How one project names its tensors.

    Attributes:
        signature: a key that no other format has (the first format that matches, in the order of ``FORMATS``, wins).
        network, variant: ours; the variant also names the discriminator.
        prefixes: their prefix -> our prefix.
        ignored: prefixes of tensors that take no part in a forward pass.
        discriminator: prefix of the discriminator inside the same state, if it is kept there.
    """

    signature: str
    network: str
    variant: str
    prefixes: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    discriminator: str | None = None


FORMATS = {
    "iast": Format(
        "decoder.aspp.conv2d_list.0.weight",
        "deeplabv2",
        "iast",
        {"backbone.": "backbone.", "decoder.aspp.conv2d_list.": "head.branches."},
        ("backbone.fc.",),
        "discriminators.Origin-Predictor.",
    ),
    "hiast": Format(
        "seg_model.aspp.conv2d_list.0.weight",
        "deeplabv2",
        "iast",
        {"seg_model.backbone.": "backbone.", "seg_model.aspp.conv2d_list.": "head.branches."},
        ("seg_model.representation.",),
        "D.",
    ),
    "proda": Format(
        "layer5.conv2d_list.0.0.weight",
        "proda_deeplab",
        "proda",
        {
            **_TORCHVISION,
            "layer5.conv2d_list.": "head.branches.",
            "layer5.bottleneck.0.se.0.": "head.squeeze.",
            "layer5.bottleneck.0.se.2.": "head.excite.",
            "layer5.bottleneck.1.": "head.fuse.",
            "layer5.bottleneck.2.": "head.fuse_norm.",
            "layer5.head.1.": "head.classifier.",
            "bn_pretrain.": "bn_clr.",
        },
    ),
    "advent": Format(
        "layer6.conv2d_list.0.weight",
        "deeplabv2",
        "advent",
        {**_TORCHVISION, "layer5.conv2d_list.": "aux_head.branches.", "layer6.conv2d_list.": "head.branches."},
    ),
    "crst": Format(
        "layer5.conv2d_list.0.weight",
        "deeplabv2",
        "crst",
        {**_TORCHVISION, "layer5.conv2d_list.": "head.branches."},
    ),
}
_CLASSIFIERS = ("head.branches.0.weight", "head.classifier.weight")


@dataclass(frozen=True)
class Released:
    """A checkpoint under our names.

    Attributes:
        project: key of ``FORMATS``.
        network, num_classes, options: what ``udamlf.models.base.build`` needs to make the network.
        state: every tensor of the network; BatchNorm counters may be missing (PyTorch 0.4 and older had none).
        discriminator: its tensors, when the file holds one.
        prototypes: ProDA's class prototypes [C, 256], when the file holds them.
        ignored: keys of the file that are used nowhere.
    """

    project: str
    network: str
    num_classes: int
    options: dict[str, Any]
    state: dict[str, Tensor]
    discriminator: dict[str, Tensor] | None
    prototypes: Tensor | None
    ignored: tuple[str, ...]

    def build(self, **options: Any) -> SegmentationModel:
        """The network with these weights; ``options`` override those of the file (depth, head_lr_scale ...)."""
        model = build(self.network, self.num_classes, **{**self.options, **options})
        load_strictly(model, self.state, self.project)
        return model

    def build_discriminator(self) -> discriminators.Discriminator | None:
        """The discriminator with these weights, or None when the file holds none."""
        if self.discriminator is None:
            return None
        weight = self.discriminator["conv1.weight"]
        variant = "proda" if self.project == "proda" else "iast" if weight.shape[2] == 3 else "advent"
        model = discriminators.build(weight.shape[1], variant, weight.shape[0])
        load_strictly(model, self.discriminator, f"{self.project} discriminator")
        return model


def identify(state: State) -> str:
    """Which project's checkpoint these tensors (without container) are from: a key of ``FORMATS``.

    Raises:
        UserError: none that is known.
    """
    names = set(_unwrapped(state))
    for project, form in FORMATS.items():
        if form.signature in names:
            return project
    raise UserError(
        f"not a checkpoint of a known project (tensors: {', '.join(sorted(names)[:3])} ...)", " | ".join(FORMATS)
    )


def read(path: str | Path) -> Released:
    """A published checkpoint from a local file.

    Raises:
        UserError: missing, damaged or unsafe file, unknown project, or a tensor that its project does not have.
    """
    content = read_checkpoint(Path(path))
    container = content.get("ResNet101")
    if not isinstance(container, Mapping):
        return rename(content)
    critic = content.get("FCDiscriminator")
    vectors = container.get("objective_vectors")
    return rename(
        container["model_state"],
        critic["model_state"] if isinstance(critic, Mapping) else None,
        vectors if isinstance(vectors, Tensor) else None,
    )


def rename(state: State, critic: State | None = None, prototypes: Tensor | None = None) -> Released:
    """A project's tensors under our names.

    Args:
        state: the network's tensors, perhaps with the discriminator's and a ``module.`` prefix.
        critic: the discriminator's tensors where they are kept apart (ProDA, ADVENT).
    """
    project = identify(state)
    form = FORMATS[project]
    state = _unwrapped(state)
    ignored = tuple(name for name in state if name.startswith(form.ignored))
    inside = form.discriminator or "\0"
    own_critic = {name.removeprefix(inside): value for name, value in state.items() if name.startswith(inside)}
    rest = {
        name: value for name, value in state.items() if name not in ignored and not name.startswith(inside)
    }  # fmt: skip
    renamed = _renamed(rest, form.prefixes, project)
    options: dict[str, Any] = {}
    if form.network == "deeplabv2":
        options = {"variant": form.variant, "multi_level": "aux_head.branches.0.weight" in renamed}
    if form.network == "proda_deeplab":
        options = {"bn_clr": "bn_clr.weight" in renamed}
    num_classes = next(renamed[name].shape[0] for name in _CLASSIFIERS if name in renamed)
    found = critic or own_critic
    discriminator_state = rename_discriminator(found) if found else None
    return Released(
        project, form.network, num_classes, options, renamed, discriminator_state, prototypes, ignored
    )  # fmt: skip


def rename_discriminator(state: State) -> dict[str, Tensor]:
    """A discriminator's tensors under our names; ADVENT numbers its layers 0, 2, 4, 6, 8."""
    prefixes = _SEQUENTIAL if "0.weight" in state else _DISCRIMINATOR
    return _renamed(state, prefixes, "discriminator")


def load_strictly(model: nn.Module, state: State, origin: str) -> None:
    """Copy ``state`` into ``model``; nothing may be missing but BatchNorm counters, nothing left over.

    Raises:
        UserError: a tensor is missing, unknown or of another shape; ``model`` is then unchanged.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unknown = [name for name in state if name not in own]
    shapes = [name for name in own if name in state and own[name].shape != state[name].shape]
    for problem, names in (("missing", missing), ("unknown", unknown), ("of another shape", shapes)):
        if names:
            expected = f"every tensor of {type(model).__name__}"
            raise UserError(f"{origin}: {len(names)} tensors are {problem} ({names[0]} ...)", expected)
    with torch.no_grad():
        for name, value in state.items():
            own[name].copy_(value)


def _unwrapped(state: State) -> State:
    """Without the ``module.`` that parallel wrappers put before every name."""
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _renamed(state: State, prefixes: Mapping[str, str], project: str) -> dict[str, Tensor]:
    renamed = {}
    for name, value in state.items():
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        if prefix is None:
            raise UserError(
                f"{project} checkpoint: unknown tensor {name}", f"names starting with {', '.join(prefixes)}"
            )
        renamed[prefixes[prefix] + name.removeprefix(prefix)] = value
    return renamed
