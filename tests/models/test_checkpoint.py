"""A checkpoint gives back the very network, or says what is wrong with it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import toy
from udamlf.common.errors import UserError
from udamlf.common.files import write_json
from udamlf.config.labels import CAMVID_11, LabelSpace
from udamlf.config.parts import Part
from udamlf.models import checkpoint
from udamlf.models.base import build
from udamlf.models.weight_files import load_into

COMPACT = Part(name="compact", aux=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint with the last weights and a teacher's."""
    weights = {"last": toy.network(1, aux=True).state_dict(), "teacher": toy.network(2, aux=True).state_dict()}
    checkpoint.save(tmp_path / "checkpoint", weights, COMPACT, toy.SPACE)
    return tmp_path / "checkpoint"


@pytest.mark.parametrize(("variant", "seed"), [("last", 1), ("teacher", 2)])
def test_the_network_comes_back(variant: str, seed: int, folder: Path) -> None:
    """Bit-identical weights and outputs, in evaluation mode."""
    model, original = checkpoint.load(folder, toy.SPACE, variant), toy.network(seed, aux=True).eval()
    assert not model.training
    for name, value in original.state_dict().items():
        assert torch.equal(model.state_dict()[name], value)
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model(images).logits, original(images).logits)


def test_the_same_weights_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    weights = {"last": toy.network(1, aux=True).state_dict(), "teacher": toy.network(2, aux=True).state_dict()}
    checkpoint.save(tmp_path / "again", weights, COMPACT, toy.SPACE)
    assert all((tmp_path / "again" / p.name).read_bytes() == p.read_bytes() for p in folder.iterdir())


def test_a_network_on_channels_last_is_saved_in_full(tmp_path: Path) -> None:
    """The memory format of the training does not reach the file."""
    model = toy.network(1).to(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "c", {"last": model.state_dict()}, Part(name="compact"), toy.SPACE)
    loaded = checkpoint.load(tmp_path / "c", toy.SPACE)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_pretrained_files_are_not_looked_for(tmp_path: Path) -> None:
    """A network that was started from a weight file is loaded where that file is not."""
    backbone = Part(name="deeplabv2", weights=str(tmp_path / "gone.pth"))
    checkpoint.save(tmp_path / "c", {"last": {"w": torch.zeros(1)}}, backbone, toy.SPACE)
    with pytest.raises(UserError, match="do not fit"):  # not: no such file
        checkpoint.load(tmp_path / "c", toy.SPACE)


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1], lambda data: b"", lambda data: data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]],
    ids=["truncated", "empty", "one bit"],
)
def test_damaged_weights_are_refused(damage: Callable[[bytes], bytes], folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"model\.safetensors is missing or damaged"):
        checkpoint.load(folder, toy.SPACE)


def test_missing_weights_are_refused(folder: Path) -> None:
    (folder / "teacher.safetensors").unlink()
    checkpoint.load(folder, toy.SPACE)
    with pytest.raises(UserError, match=r"teacher\.safetensors is missing"):
        checkpoint.load(folder, toy.SPACE, "teacher")
    with pytest.raises(UserError, match=r"no 'middle' weights[\s\S]*last, teacher"):
        checkpoint.load(folder, toy.SPACE, "middle")


def changed_meta(folder: Path, **changes: Any) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    write_json(folder / "meta.json", {**meta, **changes})


@pytest.mark.parametrize("text", [None, "", "{", "[]", "3", '{"version": 1}', '{"version": 1, "files": {}}'])
def test_a_damaged_description_is_refused(text: str | None, folder: Path) -> None:
    (folder / "meta.json").unlink() if text is None else (folder / "meta.json").write_text(text)
    with pytest.raises(UserError, match="checkpoint in"):
        checkpoint.load(folder, toy.SPACE)


def test_another_version_is_refused(folder: Path) -> None:
    changed_meta(folder, version=2)
    with pytest.raises(UserError, match=r"version is 2\nexpected: 1"):
        checkpoint.load(folder, toy.SPACE)


def test_another_label_space_is_refused(folder: Path) -> None:
    """By its name, and by its classes: five others under the same name are not these five."""
    with pytest.raises(UserError, match=r"toy[\s\S]*camvid11"):
        checkpoint.load(folder, CAMVID_11)
    renamed = LabelSpace("toy", ("a", "b", "c", "d", "e"), toy.SPACE.palette, {"5": ("a", "b", "c", "d", "e")})
    with pytest.raises(UserError, match="grass"):
        checkpoint.load(folder, renamed)


def test_another_backbone_is_refused(folder: Path) -> None:
    """Other options or another network: the first tensor that does not fit is named."""
    changed_meta(folder, backbone={"name": "compact"})
    with pytest.raises(UserError, match=r"2 tensors do not fit.*aux_classifier.*unknown"):
        checkpoint.load(folder, toy.SPACE)
    changed_meta(folder, backbone={"name": "compcat"})
    with pytest.raises(UserError, match="unknown network 'compcat'"):
        checkpoint.load(folder, toy.SPACE)


def test_other_shapes_are_refused() -> None:
    six = build("compact", 6)
    with pytest.raises(UserError, match=r"classifier\.(weight|bias)"):
        load_into(toy.network(), six.state_dict(), "here")


def test_no_code_runs_from_a_checkpoint(folder: Path, tmp_path: Path) -> None:
    """A pickle under the name of the weights is refused, also with its right digest."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "pwned",))

    torch.save({"w": Evil()}, folder / "model.safetensors")
    meta = json.loads((folder / "meta.json").read_text())
    changed_meta(folder, files={**meta["files"], "last": checkpoint.digest_file(folder / "model.safetensors")})
    with pytest.raises(UserError, match="not safetensors"):
        checkpoint.load(folder, toy.SPACE)
    assert not (tmp_path / "pwned").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.models.test_checkpoint import COMPACT
from tests import toy
from udamlf.common.errors import UserError
from udamlf.models import checkpoint
weights = {"last": toy.network().state_dict()}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, resource.RLIM_INFINITY))
try:
    checkpoint.save(Path(sys.argv[1]), weights, COMPACT, toy.SPACE)
except UserError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A process that may not write more than 20 kB stands for a full disk."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path / "c")], capture_output=True, text=True)
    assert "cannot write" in done.stdout, done.stderr
    assert list((tmp_path / "c").iterdir()) == []
