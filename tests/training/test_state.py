"""A training state is the whole of a training, belongs to one key, and is refused when a single bit of it is wrong."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from udamlf.common.errors import UserError
from udamlf.training.state import TrainState


def made(key: str = "k", seed: int = 0) -> TrainState:
    """The state of a network, a teacher and an optimiser after one step."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Linear(6, 2))
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.rand(4, 8)).sum().backward()
    optimiser.step()
    state = TrainState({"model": network, "teacher": nn.Linear(3, 3)}, {"model": optimiser}, key)
    state.step = 5
    return state


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("state") / "state.pt"
    made().save(path)
    return path.read_bytes()


def test_everything_comes_back(tmp_path: Path) -> None:
    """Weights, buffers, further modules, optimiser moments and the step."""
    saved, other = made(seed=0), made(seed=1)
    saved.save(tmp_path / "state.pt")
    assert other.load(tmp_path / "state.pt")
    assert other.step == 5
    for name in saved.modules:
        mine, theirs = other.modules[name].state_dict(), saved.modules[name].state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    moments = [s.parts["optimiser model"].state_dict()["state"] for s in (saved, other)]
    assert all(torch.equal(moments[0][i][k], moments[1][i][k]) for i in moments[0] for k in ("exp_avg", "exp_avg_sq"))


def test_no_file_is_no_state(tmp_path: Path) -> None:
    state = made()
    assert not state.load(tmp_path / "absent.pt")


def test_another_training_is_refused(tmp_path: Path) -> None:
    made("one").save(tmp_path / "state.pt")
    with pytest.raises(UserError, match="another training"):
        made("two").load(tmp_path / "state.pt")


@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_a_flipped_bit_is_noticed(
    position: float, bit: int, written: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Anywhere in the file, and with the way out in the message."""
    damaged = bytearray(written)
    damaged[int(position * len(damaged))] ^= 1 << bit
    path = tmp_path_factory.getbasetemp() / "flipped.pt"
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"damaged[\s\S]*rm "):
        made().load(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_noticed(share: float, written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    path.write_bytes(written[: int(share * len(written))])
    with pytest.raises(UserError, match="damaged"):
        made().load(path)


@given(payload=st.binary(max_size=200) | st.sampled_from([pickle.dumps({"key": "k"}), pickle.dumps(print)]))
@settings(max_examples=60)
def test_a_file_that_others_wrote_is_refused(payload: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever it holds, a pickle included, under a digest that fits."""
    path = tmp_path_factory.getbasetemp() / "foreign.pt"
    path.write_bytes(hashlib.sha256(payload).digest() + payload)
    with pytest.raises(UserError, match=r"no training state[\s\S]*rm "):
        made().load(path)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tests.training.test_state import made
from udamlf.common.errors import UserError
state = made()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    state.save(Path(sys.argv[1]))
except UserError as error:
    print(error)
"""


def test_a_full_disk_keeps_the_previous_state(written: bytes, tmp_path: Path) -> None:
    """A process that may not write more than 2000 bytes stands for a full disk: a UserError, and the old file."""
    path = tmp_path / "state.pt"
    path.write_bytes(written)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert f"cannot write {path}" in done.stdout
    assert path.read_bytes() == written
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]
