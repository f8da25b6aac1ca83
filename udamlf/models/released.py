"""Checkpoints that other projects published: recognised by their tensor names, renamed to ours, loaded strictly.

Key lists: adversarial-warmup.md 1.5, advent.md 2 and proda.md 2. Files are read without running any code in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.config.parts import Part
from udamlf.models.base import SegmentationModel, build
from udamlf.models.discriminator import discriminator
from udamlf.models.weight_files import load_into, read_weights

State = Mapping[str, Tensor]
_RESNET = {f"{part}.": f"backbone.{part}." for part in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")}
_CRITIC = "discriminator."
# Their prefix -> ours, the first match; None for tensors that take no part in a forward pass.
NUMBERED = {"0.": "conv1.", "2.": "conv2.", "4.": "conv3.", "6.": "conv4.", "8.": "classifier."}  # ADVENT's critic
FORMATS: dict[str, dict[str, str | None]] = {
    "iast": {
        "backbone.fc.": None,
        "backbone.": "backbone.",
        "decoder.aspp.conv2d_list.": "head.branches.",
        "discriminators.Origin-Predictor.": _CRITIC,
    },
    "hiast": {
        "seg_model.representation.": None,
        "seg_model.backbone.": "backbone.",
        "seg_model.aspp.conv2d_list.": "head.branches.",
        "D.": _CRITIC,
    },
    # In this order: of projects that know a file's tensors equally well the first is meant.
    "crst": {**_RESNET, "layer5.conv2d_list.": "head.branches."},
    # IntraDA too; without layer5 where the network has one level.
    "advent": {**_RESNET, "layer5.conv2d_list.": "aux_head.branches.", "layer6.conv2d_list.": "head.branches."},
    "proda": {
        **_RESNET,
        "layer5.conv2d_list.": "head.branches.",
        "layer5.bottleneck.0.se.0.": "head.squeeze.",
        "layer5.bottleneck.0.se.2.": "head.excite.",
        "layer5.bottleneck.1.": "head.fuse.",
        "layer5.bottleneck.2.": "head.fuse_norm.",
        "layer5.head.1.": "head.classifier.",
        "bn_pretrain.": "bn_clr.",
        _CRITIC: _CRITIC,
    },
}


class Released(NamedTuple):
    """A checkpoint of a ``project`` (key of ``FORMATS``) under our names: ``backbone`` and ``num_classes`` make the
    network of ``state`` (BatchNorm counters may be missing); ``critic`` is the discriminator's state, perhaps empty."""

    project: str
    backbone: Part
    num_classes: int
    state: dict[str, Tensor]
    critic: dict[str, Tensor]

    def build(self, **options: Any) -> SegmentationModel:
        """The network with these weights; ``options`` (depth, width) override those of the file."""
        model = build(self.backbone.name, self.num_classes, **{**self.backbone.params, **options})
        load_into(model, self.state, self.project)
        return model

    def build_discriminator(self) -> nn.Module | None:
        """The discriminator with these weights, or None when the file holds none."""
        if not self.critic:
            return None
        width, num_classes, kernel, _ = self.critic["conv1.weight"].shape
        variant = "proda" if self.project == "proda" else "iast" if kernel == 3 else "advent"
        model = discriminator(num_classes, variant, width)
        load_into(model, self.critic, f"{self.project} discriminator")
        return model


def read(source: str | Path) -> Released:
    """A published checkpoint from a local file or a URL. UserError: unreadable or unsafe file, or unknown tensors."""
    content = read_weights(source)
    entries = {name: value for name, value in content.items() if isinstance(value, Mapping) and "model_state" in value}
    states = {name: entry["model_state"] for name, entry in entries.items()}  # ProDA's container
    critic = {_CRITIC + name: value for name, value in states.get("FCDiscriminator", {}).items()}
    return rename({**states.get("ResNet101", content), **critic})


def rename(state: State) -> Released:
    """A state dict as the project that knows most of its tensors names them. UserError: a tensor it does not know."""
    state = {name.removeprefix("module."): value for name, value in state.items()}  # put there by parallel wrappers
    unknown = {p: [n for n in state if not n.startswith(tuple(prefixes))] for p, prefixes in FORMATS.items()}
    project = min(unknown, key=lambda name: len(unknown[name]))
    network = renamed(state, FORMATS[project])
    classifier = network.get("head.classifier.weight", network.get("head.branches.0.weight"))
    if unknown[project] or classifier is None:
        names = ", ".join([*unknown[project], *sorted(state)][:3])
        raise UserError(f"not a checkpoint of a known project (tensors: {names} ...)", " | ".join(FORMATS))
    critic = {name.removeprefix(_CRITIC): network.pop(name) for name in list(network) if name.startswith(_CRITIC)}
    if project == "proda":
        backbone = Part(name="proda_deeplab", bn_clr="bn_clr.weight" in network)
    else:
        variant = "iast" if project == "hiast" else project
        backbone = Part(name="deeplabv2", variant=variant, multi_level="aux_head.branches.0.weight" in network)
    return Released(project, backbone, classifier.shape[0], network, renamed(critic, NUMBERED))


def renamed(state: State, prefixes: Mapping[str, str | None]) -> dict[str, Tensor]:
    """Tensors with each name's first matching prefix replaced, or left out (None); other names stay."""
    tensors = {}
    for name, value in state.items():
        theirs = next(filter(name.startswith, prefixes), "")
        ours = prefixes.get(theirs, "")
        if ours is not None:
            tensors[ours + name.removeprefix(theirs)] = value
    return tensors
