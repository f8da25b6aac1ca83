"""Other projects' checkpoints: recognised, renamed, loaded strictly, refused when unsafe or incomplete."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.models import released
from udamlf.models.base import SegmentationModel, build
from udamlf.models.discriminator import discriminator
from udamlf.models.weight_files import load_into

SMALL: dict[str, Any] = {"depth": 26, "width": 8}
CLASSES = 5
CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("iast", "deeplabv2", {"variant": "iast"}, "module."),
    ("hiast", "deeplabv2", {"variant": "iast"}, ""),
    ("advent", "deeplabv2", {"variant": "advent", "multi_level": True}, ""),
    ("advent", "deeplabv2", {"variant": "advent", "multi_level": False}, ""),
    ("crst", "deeplabv2", {"variant": "crst", "multi_level": False}, ""),
    ("proda", "proda_deeplab", {"bn_clr": False}, ""),
    ("proda", "proda_deeplab", {"bn_clr": True}, ""),
]


def published(state: Mapping[str, Tensor], project: str, prefix: str = "") -> dict[str, Tensor]:
    """Our tensors under a project's names."""
    back = {ours: theirs for theirs, ours in released.FORMATS[project].items() if ours}
    renamed = {}
    for name, value in state.items():
        ours = next(ours for ours in back if name.startswith(ours))
        renamed[prefix + back[ours] + name.removeprefix(ours)] = value
    return renamed


def small(network: str, options: Mapping[str, Any], seed: int = 1) -> SegmentationModel:
    return build(network, CLASSES, seed=seed, **options, **SMALL).eval()


def iast_state() -> dict[str, Tensor]:
    return published(small("deeplabv2", {"variant": "iast"}).state_dict(), "iast")


def save(content: Any, folder: Path) -> Path:
    path = folder / "checkpoint.pth"
    torch.save(content, path)
    return path


@pytest.mark.parametrize(("project", "network", "options", "prefix"), CASES)
def test_a_file_of_each_project_gives_the_same_network(
    project: str, network: str, options: dict[str, Any], prefix: str, tmp_path: Path
) -> None:
    """Recognised without being told, with the right options, and bit-identical logits."""
    model = small(network, options)
    path = save(published(model.state_dict(), project, prefix), tmp_path)
    checkpoint = released.read(path)
    assert (checkpoint.project, checkpoint.backbone.name, checkpoint.num_classes) == (project, network, CLASSES)
    assert checkpoint.backbone.params.items() >= options.items()
    images = torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(checkpoint.build(**SMALL).eval()(images).logits, model(images).logits)


def test_proda_container_brings_its_discriminator_and_a_numpy_score(tmp_path: Path) -> None:
    """The container of a warm-up file is opened, though its score is a NumPy scalar."""
    model = small("proda_deeplab", {})
    critic = discriminator(CLASSES, "proda", width=4, seed=7)
    vectors = torch.rand(CLASSES, 256)
    content = {
        "ResNet101": {"model_state": published(model.state_dict(), "proda"), "objective_vectors": vectors},
        "FCDiscriminator": {"model_state": critic.state_dict(), "objective_vectors": vectors},
        "iter": 1000,
        "best_iou": np.float64(0.43),
    }
    checkpoint = released.read(save(content, tmp_path))
    maps = torch.rand(1, CLASSES, 64, 64)
    rebuilt = checkpoint.build_discriminator()
    assert rebuilt is not None and torch.equal(rebuilt(maps), critic(maps))


def test_unused_tensors_are_left_out_and_the_discriminator_kept_apart() -> None:
    """Neither IAST's classification layer nor a warm-up file's discriminator is part of the network."""
    critic = discriminator(CLASSES, "iast", width=4)
    extra = {"backbone.fc.weight": torch.zeros(10, 4), "backbone.fc.bias": torch.zeros(10)}
    inside = {f"discriminators.Origin-Predictor.{name}": value for name, value in critic.state_dict().items()}
    checkpoint = released.rename(iast_state() | extra | inside)
    assert set(checkpoint.critic) == set(critic.state_dict())
    assert checkpoint.build(**SMALL).num_classes == CLASSES


def test_missing_counters_are_the_only_gap_that_is_accepted() -> None:
    """PyTorch 0.4 kept no BatchNorm counters; any other missing, unknown or misshapen tensor is refused."""
    state = iast_state()
    released.rename({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}).build(**SMALL)
    name = "backbone.layer2.0.conv1.weight"
    for broken in (
        {k: v for k, v in state.items() if k != name},
        state | {"backbone.layer2.9.conv1.weight": torch.zeros(1)},
        state | {name: torch.zeros(3, 3, 1, 1)},
    ):
        with pytest.raises(UserError, match="layer2"):
            released.rename(broken).build(**SMALL)
    with pytest.raises(UserError, match="optimizer"):
        released.rename(state | {"optimizer.state": torch.zeros(1)})


def test_a_refused_state_leaves_the_network_as_it_was() -> None:
    """No half-loaded network."""
    model = small("deeplabv2", {"variant": "iast"}, seed=2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = dict(released.rename(iast_state()).state)
    state.popitem()
    with pytest.raises(UserError):
        load_into(model, state, "test")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class _Exploit:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploited",)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code in it does not run."""
    monkeypatch.chdir(tmp_path)
    path = save(iast_state() | {"epoch": _Exploit()}, tmp_path)
    with pytest.raises(UserError, match="refused"):
        released.read(path)
    assert not (tmp_path / "exploited").exists()


def test_damaged_missing_and_foreign_files_are_explained(tmp_path: Path) -> None:
    """Each is a ``UserError`` naming the file or what it holds."""
    path = save(iast_state(), tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"checkpoint\.pth"):
        released.read(path)
    with pytest.raises(UserError, match=r"cannot read .*absent\.pth: .*No such file"):
        released.read(tmp_path / "absent.pth")
    with pytest.raises(UserError, match="known project"):
        released.read(save({"encoder.weight": torch.zeros(1)}, tmp_path))
    with pytest.raises(UserError, match="Tensor"):
        released.read(save(torch.zeros(3), tmp_path))
