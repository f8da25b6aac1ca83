"""Other projects' checkpoints: recognised, renamed, checked tensor by tensor; what does not fit is refused by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import released_files as files
from udamlf.common.errors import UserError
from udamlf.config.labels import CAMVID_11, CITYSCAPES_16, CITYSCAPES_19
from udamlf.models import released
from udamlf.models.base import build

DEEPLAB = {"name": "deeplabv2", "depth": 101, "width": 4}
PRODA = {"name": "proda_deeplab", "depth": 101, "width": 4}
# Kind of file -> project, network, our name of a tensor of each part of it, first parts of what is ignored.
EXPECTED: dict[str, tuple[str, dict[str, Any], dict[str, str], set[str]]] = {
    "iast": (
        "iast",
        {**DEEPLAB, "variant": "iast", "multi_level": False},
        {"module.backbone.layer3.22.bn3.bias": "backbone.layer3.22.bn3.bias",
         "module.decoder.aspp.conv2d_list.2.weight": "head.branches.2.weight"},
        {"backbone"},
    ),
    "hiast": (
        "hiast",
        {**DEEPLAB, "variant": "iast", "multi_level": False},
        {"seg_model.backbone.conv1.weight": "backbone.conv1.weight",
         "seg_model.aspp.conv2d_list.0.bias": "head.branches.0.bias"},
        {"seg_model"},
    ),
    "advent": (
        "advent",
        {**DEEPLAB, "variant": "advent", "multi_level": True},
        {"layer4.0.downsample.0.weight": "backbone.layer4.0.downsample.0.weight",
         "layer5.conv2d_list.3.weight": "aux_head.branches.3.weight",
         "layer6.conv2d_list.3.weight": "head.branches.3.weight"},
        set(),
    ),
    "crst": (
        "crst",
        {**DEEPLAB, "variant": "crst", "multi_level": False},
        {"layer5.conv2d_list.3.weight": "head.branches.3.weight"},
        set(),
    ),
    "proda": (
        "proda",
        {**PRODA, "bn_clr": False},
        {"layer5.conv2d_list.4.1.weight": "head.branches.4.1.weight",
         "layer5.bottleneck.0.se.0.weight": "head.squeeze.weight",
         "layer5.bottleneck.0.se.2.bias": "head.excite.bias",
         "layer5.bottleneck.1.weight": "head.fuse.weight",
         "layer5.bottleneck.2.weight": "head.fuse_norm.weight",
         "layer5.head.1.weight": "head.classifier.weight"},
        {"iter", "best_iou", "objective_vectors"},
    ),
    "cbst": (
        "cbst",
        {"name": "resnet38", "width": 16},
        {"arg:res6a_branch2b1_weight": "blocks.6a.convs.1.weight",
         "arg:bn7_gamma": "norm.weight",
         "aux:bn2a_branch2a_moving_var": "blocks.2a.norms.0.running_var",
         "arg:linear19_weight": "classifier.weight"},
        set(),
    ),
}  # fmt: skip
EXPECTED["iast_warmup"] = (*EXPECTED["iast"][:3], {"backbone", "discriminators"})
EXPECTED["hiast_warmup"] = (*EXPECTED["hiast"][:3], {"seg_model", "D"})
EXPECTED["advent_one_level"] = ("advent", EXPECTED["advent"][1] | {"multi_level": False}, {}, set())
EXPECTED["proda_warmup"] = (*EXPECTED["proda"][:3], EXPECTED["proda"][3] | {"FCDiscriminator"})
EXPECTED["proda_bn_clr"] = ("proda", EXPECTED["proda"][1] | {"bn_clr": True},
                            {"bn_pretrain.running_mean": "bn_clr.running_mean"}, EXPECTED["proda"][3])  # fmt: skip


@pytest.mark.parametrize("kind", files.KINDS)
@pytest.mark.parametrize("outputs", [16, 19])
def test_a_whole_file_of_every_kind_is_recognised(kind: str, outputs: int, tmp_path: Path) -> None:
    """Project, network with its options and outputs follow from names and shapes; every tensor of the file is either
    used, bit by bit under our name, or ignored by name, and no tensor of the network is left at its random value."""
    project, network, names, ignored = EXPECTED[kind]
    checkpoint = released.read(files.released_file(tmp_path, kind, outputs))
    assert (checkpoint.project, checkpoint.num_classes, checkpoint.missing) == (project, outputs, [])
    default = build(network["name"], 5, **{n: v for n, v in network.items() if n != "name"})
    assert build(checkpoint.backbone.name, 5, **checkpoint.backbone.params).state_dict().keys() == (
        default.state_dict().keys()
    )
    assert network.items() >= checkpoint.backbone.model_dump().items()
    published = files.state(kind, outputs)
    for theirs, ours in names.items():
        assert torch.equal(checkpoint.state[ours], published[theirs.replace("linear19", f"linear{outputs}")])
    built = checkpoint.build().state_dict()
    assert all(torch.equal(built[name], value) for name, value in checkpoint.state.items())
    assert {n for n in built if not n.endswith("num_batches_tracked")} <= checkpoint.state.keys()
    assert {name.partition(".")[0] for name in checkpoint.ignored} == ignored
    beside = set(files.content(kind)) - set(published)
    assert len(checkpoint.used) + len(set(checkpoint.ignored) - beside - {"objective_vectors"}) == len(published)


@pytest.mark.parametrize("kind", ["iast", "advent", "proda"])
def test_a_file_of_todays_pytorch_is_read_as_the_old_ones(kind: str, tmp_path: Path) -> None:
    path = files.write(tmp_path / "zipped.pth", files.content(kind), zipped=True)
    old, new = released.read(files.released_file(tmp_path, kind)), released.read(path)
    assert old.backbone == new.backbone
    assert all(torch.equal(old.state[name], value) for name, value in new.state.items())


def test_counters_of_batchnorm_may_be_missing_and_are_named(tmp_path: Path) -> None:
    """Files of PyTorch 0.4 lack exactly these."""
    state = {n: t for n, t in files.state("advent").items() if not n.endswith("num_batches_tracked")}
    checkpoint = released.read(files.write(tmp_path / "old.pth", state))
    assert len(checkpoint.missing) == 104 and all(n.endswith("num_batches_tracked") for n in checkpoint.missing)
    assert checkpoint.build().backbone.bn1.num_batches_tracked == 0


# --- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["iast", "hiast", "advent", "crst", "proda", "cbst"])
def test_nineteen_outputs_on_sixteen_classes_keep_their_rows(kind: str, tmp_path: Path) -> None:
    """Both heads: the logits of the kept classes are those of the whole network."""
    whole = released.read(files.released_file(tmp_path, kind))
    kept = whole.for_space(CITYSCAPES_16)
    assert (whole.num_classes, kept.num_classes, kept.report()["outputs"]) == (19, 16, 19)
    assert kept.report()["classes"] == list(CITYSCAPES_16.classes)
    rows = [CITYSCAPES_19.classes.index(name) for name in CITYSCAPES_16.classes]
    images = torch.rand(1, 3, 33, 41, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, after = whole.build().eval()(images), kept.build().eval()(images)
    torch.testing.assert_close(after.logits, before.logits[:, rows])
    assert (before.aux is None) == (after.aux is None)
    if before.aux is not None and after.aux is not None:
        torch.testing.assert_close(after.aux, before.aux[:, rows])


def test_other_outputs_are_refused(tmp_path: Path) -> None:
    """Sixteen outputs cannot become nineteen, nor Cityscapes' classes CamVid's."""
    with pytest.raises(UserError, match=r"CRST checkpoint has 16 outputs[\s\S]*19, of label space cityscapes19"):
        released.read(files.released_file(tmp_path, "crst", 16)).for_space(CITYSCAPES_19)
    with pytest.raises(UserError, match="has 19 outputs"):
        released.read(files.released_file(tmp_path, "crst")).for_space(CAMVID_11)


# --- faults ----------------------------------------------------------------------------------------------------------

VICTIMS = {
    "iast": ("module.backbone.layer2.0.conv1.weight", "module.decoder.aspp.conv2d_list.0.weight"),
    "hiast": ("seg_model.backbone.bn1.running_mean", "seg_model.aspp.conv2d_list.3.bias"),
    "advent": ("layer1.0.conv1.weight", "layer5.conv2d_list.1.weight", "layer6.conv2d_list.1.weight"),
    "advent_one_level": ("conv1.weight", "layer6.conv2d_list.0.weight"),
    "crst": ("layer4.2.bn3.weight", "layer5.conv2d_list.0.weight"),
    "proda": ("layer3.22.conv3.weight", "layer5.head.1.weight", "layer5.bottleneck.0.se.0.bias"),
    "proda_bn_clr": ("bn_pretrain.running_var",),
    "cbst": ("arg:conv1a_weight", "aux:bn7_moving_var", "arg:conv6a_bias", "arg:linear19_weight"),
}


def _missing(state: dict[str, Tensor], name: str) -> str:
    del state[name]
    return r" is missing \(expected: \["


def _misshapen(state: dict[str, Tensor], name: str) -> str:
    shape = list(state[name].shape)
    wrong = [*shape[:-1], shape[-1] + 1]
    state[name] = torch.zeros(wrong)
    return re.escape(f" is of another shape: {wrong} (expected: {shape})")


def _extra(state: dict[str, Tensor], name: str) -> str:
    state[f"{name}_more"] = torch.zeros(2, 3)
    return re.escape("_more is unknown: [2, 3]")


def _of_integers(state: dict[str, Tensor], name: str) -> str:
    state[name] = state[name].int()
    return re.escape(" is of another kind: torch.int32 (expected: torch.float32)")


@pytest.mark.parametrize("fault", [_missing, _misshapen, _extra, _of_integers])
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in VICTIMS.items() for name in names])
def test_a_tensor_that_does_not_fit_is_refused_by_its_name(
    kind: str, name: str, fault: Callable[[dict[str, Tensor], str], str], tmp_path: Path
) -> None:
    """By the file's name for it, with both shapes; a project's own tensors decide which project it is."""
    state = files.state(kind)
    said = fault(state, name)
    path = files.write(tmp_path / f"broken.{'params' if kind == 'cbst' else 'pth'}", state)
    short = re.escape(name.removeprefix("module.").removeprefix("arg:").removeprefix("aux:"))
    project = re.escape(released.FORMATS[kind.split("_")[0]].title)
    with pytest.raises(UserError, match=rf"broken\..*1 tensors are not as {project} has them: {short}{said}"):
        released.read(path)


def test_values_that_are_no_numbers_are_refused_by_name_and_counted(tmp_path: Path) -> None:
    """In weights and in BatchNorm's statistics; what no forward pass uses may hold anything."""
    state = files.state("iast_warmup")
    state["module.backbone.fc.bias"] = torch.full((9,), torch.nan)
    assert "backbone.fc.bias" in released.read(files.write(tmp_path / "ignored.pth", state)).ignored
    state["module.backbone.bn1.running_var"][1:] = torch.nan
    state["module.backbone.conv1.weight"][0, 0, 0, 0] = -torch.inf
    said = r"2 tensors.*conv1\.weight is NaN or infinite in 1 of its 588 values; .*running_var is NaN .* in 3 of its 4"
    with pytest.raises(UserError, match=said):
        released.read(files.write(tmp_path / "broken.pth", state))


@pytest.mark.parametrize("prefix", ["model.", "net.", "model.module."])
def test_the_state_dict_in_a_file_of_lightning_is_read(prefix: str, tmp_path: Path) -> None:
    """The network is an attribute of its module, and what is saved beside it is told as ignored."""
    state = files.state("crst")
    beside = {"pytorch-lightning_version": "2.4.0", "global_step": 9, "hyper_parameters": {"lr": 0.1}, "loops": {}}
    inside = {"epoch": 3, **beside, "state_dict": {prefix + name: value for name, value in state.items()}}
    checkpoint = released.read(files.write(tmp_path / "last.ckpt", inside, zipped=True))
    assert (checkpoint.project, len(checkpoint.used), checkpoint.ignored) == ("crst", len(state), ["epoch", *beside])


def test_entries_beside_the_tensors_are_known_or_refused(tmp_path: Path) -> None:
    """At every level of a container; an optimiser's state is known to be without use."""
    inside = files.content("proda")
    inside["ResNet101"]["optimizer_state"] = {"state": {0: {"step": 3}}}
    checkpoint = released.read(files.write(tmp_path / "optimiser.pth", inside))
    assert "optimizer_state" in checkpoint.ignored
    inside["ResNet101"]["ema_state"] = files.state("proda")
    with pytest.raises(UserError, match="entry 'ema_state' is unknown"):
        released.read(files.write(tmp_path / "ema.pth", inside))
    with pytest.raises(UserError, match="entry 'layer1' is unknown"):
        released.read(files.write(tmp_path / "text.pth", files.content("crst") | {"layer1": "text"}))


def test_a_tensor_of_which_the_file_holds_a_part_is_refused(tmp_path: Path) -> None:
    """A stride of 0 lets four bytes announce any size; tensors without values or with sparse ones are no weights."""
    for value in (torch.zeros(1).expand(2**40), torch.zeros(4, device="meta"), torch.eye(3).to_sparse()):
        path = files.write(tmp_path / "huge.pth", files.content("crst") | {"bn1.weight": value})
        with pytest.raises(UserError, match=r"entry 'bn1\.weight' is unknown|cannot read"):
            released.read(path)


def test_two_tensors_of_one_name_are_refused(tmp_path: Path) -> None:
    state = files.state("cbst")
    path = files.write(tmp_path / "twice.params", state | {"aux:conv1a_weight": state["arg:conv1a_weight"]})
    with pytest.raises(UserError, match="1 tensors have the name of another"):
        released.read(path)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_backbone_alone_is_named_as_initial_weights(wrapped: bool, tmp_path: Path) -> None:
    """torchvision's file and SimCLRv2's, which lies in a `state_dict`: known, and told where they belong."""
    state = {n: t for n, t in files.state("crst").items() if not n.startswith("layer5.")}
    state |= {"fc.weight": torch.zeros(1000, 128), "fc.bias": torch.zeros(1000)}
    path = files.write(tmp_path / "backbone.pth", {"state_dict": state} if wrapped else state)
    hint = rf"backbone without a head \(torchvision[\s\S]*--set profile\.model\.weights={re.escape(str(path))}"
    with pytest.raises(UserError, match=hint):
        released.read(path)
    model = build("deeplabv2", 5, depth=101, width=4, weights=str(path))  # and that is right
    assert torch.equal(model.backbone.conv1.weight, state["conv1.weight"])


# --- unsafe and damaged files ----------------------------------------------------------------------------------------


class _Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploited",)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_would_run_code_is_refused(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code in it does not run, wherever it lies."""
    monkeypatch.chdir(tmp_path)
    for inside in (files.content("iast") | {"epoch": _Exploit()}, {"state_dict": _Exploit()}):
        with pytest.raises(UserError, match="refused") as told:
            released.read(files.write(tmp_path / "evil.pth", inside, zipped))
        assert "`False`" not in str(told.value), "torch's own message says how to run it all the same"
        assert "evil.pth: it pickles posix.mkdir; save model.state_dict() alone" in str(told.value)
    assert not (tmp_path / "exploited").exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize(("kind", "zipped"), [("iast", False), ("iast", True), ("cbst", False)])
def test_a_truncated_file_is_refused(kind: str, zipped: bool, share: float, tmp_path: Path) -> None:
    suffix = "params" if kind == "cbst" else "pth"
    path = files.write(tmp_path / f"cut.{suffix}", files.content(kind), zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError, match=rf"cannot read weights from .*cut\.{suffix}"):
        released.read(path)


def test_missing_and_foreign_files_are_explained(tmp_path: Path) -> None:
    """Each is a ``UserError`` naming the file or what it holds."""
    with pytest.raises(UserError, match=r"cannot read .*absent\.pth: No such file"):
        released.read(tmp_path / "absent.pth")
    with pytest.raises(UserError, match="Is a directory"):
        released.read(tmp_path)
    whole = files.write(tmp_path / "whole.pth", files.content("crst"), zipped=True).read_bytes()
    contents = {
        b"": "it is empty", b"\n <!DOCTYPE html><html>Sign in</html>": r"it is a page \(HTML",
        whole[:-99]: r"it is a zip archive \(as of torch\.save\) that is cut off",
        bytes(range(256)): r"damaged or of another kind \(UnpicklingError: Weights only load failed\)",
    }  # fmt: skip
    for content, said in contents.items():
        (tmp_path / "foreign.pth").write_bytes(content)
        with pytest.raises(UserError, match=said) as told:
            released.read(tmp_path / "foreign.pth")
        assert "\\x1b" not in str(told.value)
    with pytest.raises(UserError, match=r"not a checkpoint of a known project \(tensors: encoder\.weight"):
        released.read(files.write(tmp_path / "foreign.pth", {"encoder.weight": torch.zeros(1)}))
    with pytest.raises(UserError, match="known project"):
        released.read(files.write(tmp_path / "empty.pth", {}))
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    with pytest.raises(UserError, match="Tensor"):
        released.read(tmp_path / "tensor.pth")
    damaged = {n: t[:0] if t.ndim else t for n, t in files.state("crst").items()}
    with pytest.raises(UserError):  # no tensor shows a width
        released.read(files.write(tmp_path / "hollow.pth", damaged))
