"""Checkpoints that other projects published: recognised by their tensors, renamed to ours, checked one by one."""

import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.labels import CITYSCAPES_CLASSES, LabelSpace
from udamlf.config.parts import CONFIGS, Part
from udamlf.config.reading import table
from udamlf.models import resnet38
from udamlf.models.base import SegmentationModel, build
from udamlf.models.weight_files import load_into, misfits, read_weights

State = Mapping[str, Tensor]
# Entries that hold the network's tensors: ProDA's two, one inside the other, and SimCLRv2's.
CONTAINERS = ("ResNet101", "model_state", "state_dict")
# Entries that have no part in a forward pass.
BESIDE = ("FCDiscriminator", "objective_vectors", "iter", "epoch", "best_iou", "optimizer", "optimizer_state",
          "scheduler_state", "pytorch-lightning_version", "global_step", "hyper_parameters", "hparams_name",
          "hparams_type", "loops", "callbacks", "optimizer_states", "lr_schedulers")  # fmt: skip
_WRAPPER = re.compile(r"^(module\.|model\.|net\.|arg:|aux:)+")  # put there by parallel training, Lightning and MXNet
MOST_CHANNELS = 1024  # of the stem or the last layer: a damaged file cannot ask for a network without bounds


class Format(NamedTuple):
    """What a project's files hold: our network with options, and prefixes of tensor names, theirs -> ours or None."""

    title: str
    network: str
    names: Mapping[str, str | None]
    options: Mapping[str, Any] = {}


TABLE = CONFIGS / "released.yaml"
FORMATS = {name: Format(**form) for name, form in table("released").items()}


class Released(NamedTuple):
    """A checkpoint of a ``project`` (key of ``FORMATS``): ``state``, with our names, of a ``backbone``; names of the
    file by what became of them; its ``outputs``, and the ``classes`` whose rows were kept."""

    project: str
    backbone: Part
    num_classes: int
    state: dict[str, Tensor]
    used: list[str]
    ignored: list[str]
    missing: list[str]
    outputs: int
    classes: Sequence[str] = ()

    def build(self) -> SegmentationModel:
        model = build(self.backbone.name, self.num_classes, **self.backbone.params)
        load_into(model, self.state, self.project)
        return model

    def for_space(self, space: LabelSpace) -> "Released":
        """The same with an output for each class of ``space``: of Cityscapes' 19 its rows. UserError: others."""
        selected = self._replace(num_classes=space.num_classes, classes=list(space.classes))
        if self.num_classes == space.num_classes:
            return selected
        if self.num_classes != len(CITYSCAPES_CLASSES) or not set(space.classes) <= set(CITYSCAPES_CLASSES):
            message = f"the {FORMATS[self.project].title} checkpoint has {self.num_classes} outputs"
            expected = f"{space.num_classes}, of label space {space.name}, or Cityscapes' 19 of which these are a part"
            raise UserError(message, expected, "--scenario with the checkpoint's classes")
        rows = [CITYSCAPES_CLASSES.index(name) for name in space.classes]
        after = _on_meta(self.backbone, space.num_classes).state_dict()
        return selected._replace(state={n: t if t.shape == after[n].shape else t[rows] for n, t in self.state.items()})

    def report(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in ("outputs", "classes", "used", "ignored", "missing")}
        return {"project": FORMATS[self.project].title, "network": self.backbone.model_dump(), **fields}


def read(path: Path) -> Released:
    """A published checkpoint. UserError: unreadable or unsafe, without a head, or a tensor that does not fit."""
    path = Path(path).expanduser().absolute()
    content, beside = read_weights(path), list[str]()
    while inner := next((name for name in CONTAINERS if isinstance(content.get(name), Mapping)), None):
        beside += [name for name in content if name != inner]
        content = content[inner]
    tensors = {name: value for name, value in content.items() if name not in BESIDE and _is_plain(value)}
    beside += [name for name in content if name not in tensors]
    if unknown := [name for name in beside if name not in BESIDE]:
        expected = f"plain tensors, and beside them nothing but {', '.join(BESIDE)}"
        raise UserError(f"{path}: entry {unknown[0]!r} is unknown", expected)
    checkpoint = rename(tensors, path)
    return checkpoint._replace(ignored=[*beside, *checkpoint.ignored])


def _is_plain(value: Any) -> bool:
    """Whether it is a dense tensor whose values are all in the file: a few bytes can announce many."""
    dense = isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"
    return dense and value.untyped_storage().nbytes() >= value.nbytes


def rename(state: State, where: str | Path = "state") -> Released:
    """A state dict as the project that knows most of its tensors names them. UserError: see ``read``."""
    tensors, state = state, {_WRAPPER.sub("", name): value for name, value in state.items()}
    if len(state) < len(tensors):
        raise UserError(f"{where}: {len(tensors) - len(state)} tensors have the name of another", "each name once")
    strange = {p: [n for n in state if not n.startswith(tuple(form.names))] for p, form in FORMATS.items()}
    project = min(strange, key=lambda name: len(strange[name]))
    form = FORMATS[project]
    if 2 * len(strange[project]) >= len(state):
        names = ", ".join([*strange[project], *sorted(state)][:3])
        titles = " | ".join(known.title for known in FORMATS.values())
        raise UserError(f"{where}: not a checkpoint of a known project (tensors: {names} ...)", titles)
    options, num_classes = _network(project, state)
    if not num_classes:
        message = f"{where} holds a backbone without a head ({form.title}), whose outputs mean nothing"
        hint = f"--set profile.model.weights={where}   # starts a training from it"
        raise UserError(message, "a checkpoint of a segmentation network", hint)
    backbone = Part(name=form.network, **form.options, **options)
    model = _on_meta(backbone, num_classes)
    tensors, ours = model.state_dict(), {theirs: name for name, theirs in _their_names(project, model).items()}
    parts = {name: next(filter(name.startswith, form.names), "") for name in state}
    used = {name: value for name, value in state.items() if form.names.get(parts[name], "") is not None}
    expected = {theirs: tensors[name] for theirs, name in ours.items()}
    if problems := misfits(expected, used):
        shown = "; ".join([*problems[:3], *(["..."] if len(problems) > 3 else [])])
        message = f"{where}: {len(problems)} tensors are not as {form.title} has them: {shown}"
        raise UserError(message, f"a whole checkpoint of {form.title}")
    return Released(
        project, backbone, num_classes, {ours[name]: value for name, value in used.items()}, list(used),
        [name for name in state if name not in used], [name for name in expected if name not in used], num_classes,
    )  # fmt: skip


def _their_names(project: str, model: SegmentationModel) -> dict[str, str]:
    """Our name of every tensor that a whole file holds -> theirs."""
    if project == "cbst":
        return dict(cast(resnet38.Network, model).upstream_names())
    back = {ours: theirs for theirs, ours in FORMATS[project].names.items() if ours}
    prefixes = {name: next(filter(name.startswith, back)) for name in model.state_dict()}
    return {name: back[ours] + name.removeprefix(ours) for name, ours in prefixes.items()}


def _network(project: str, state: State) -> tuple[dict[str, Any], int]:
    """The options of the network and its outputs (a backbone alone: 0), as most tensors that show them have it."""

    def first(*prefixes: str) -> list[int]:
        return [value.shape[0] for name, value in state.items() if name.startswith(prefixes) and value.ndim]

    if project == "cbst":
        layers = [re.match(r"linear(\d{1,4})_", name) for name in state]
        outputs = _commonest(int(layer[1]) for layer in layers if layer) or len(CITYSCAPES_CLASSES)
        width = _commonest(first("conv1a_", "bn2a_branch2a_"))
        return {"width": width or 64}, outputs if first("conv6a_") else 0
    theirs = {ours: prefix for prefix, ours in FORMATS[project].names.items() if ours}
    stem = theirs.get("backbone.", "")
    width = _commonest(first(f"{stem}conv1.", f"{stem}bn1.", f"{stem}layer1.0.conv1."))
    options: dict[str, Any] = {"depth": 101 if first(f"{stem}layer3.2.") else 26, "width": width or 64}
    option, part = ("bn_clr", "bn_clr.") if project == "proda" else ("multi_level", "aux_head.branches.")
    options[option] = part in theirs and bool(first(theirs[part]))
    last = theirs.get("head.classifier.", theirs.get("head.branches.", "no head"))
    outputs = _commonest(first(last)) or len(CITYSCAPES_CLASSES)
    return options, outputs if first(*(prefix for name, prefix in theirs.items() if "head." in name)) else 0


def _commonest(sizes: Iterable[int]) -> int:
    """The commonest possible number of channels; 0 without any."""
    possible = [size for size in sizes if 0 < size <= MOST_CHANNELS]
    return statistics.mode(possible) if possible else 0


def _on_meta(backbone: Part, num_classes: int) -> SegmentationModel:
    """The network without memory: names and shapes."""
    with torch.device("meta"):
        return build(backbone.name, num_classes, **backbone.params)
