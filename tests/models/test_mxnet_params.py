"""MXNet's files: what was written comes back; a hostile header costs neither memory nor a traceback."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.released_files import TYPES, params
from udamlf.common.errors import UserError
from udamlf.models.base import build
from udamlf.models.weight_files import read_weights

ARRAYS = {"arg:conv_weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), "aux:moving": np.ones(5, np.float32)}


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("kind", TYPES)
def test_arrays_of_every_version_and_type_come_back(version: int, kind: str, tmp_path: Path) -> None:
    """Names, order, shapes, types and values; arrays need not be aligned in the file."""
    arrays = {name: array.astype(kind) for name, array in ARRAYS.items()}
    (tmp_path / "net.params").write_bytes(params(arrays, version))
    found = read_weights(tmp_path / "net.params")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].numpy().dtype == array.dtype
        np.testing.assert_array_equal(found[name].numpy(), array)


def head(*numbers: int, code: str = "Q") -> bytes:
    return struct.pack(f"<{len(numbers)}{code}", *numbers)


def array(shape: list[int], device: tuple[int, int] = (1, 0), kind: int = 0, version: int = 0xF993FAC9) -> bytes:
    return struct.pack(f"<IiI{len(shape)}qiii", version, 0, len(shape), *shape, *device, kind)


ONE = head(0x112, 0, 1)
HOSTILE = {
    "empty": b"",
    "another magic": head(0x113, 0, 0, 0),
    "cut in the magic": head(0x112)[:5],
    "2^60 arrays": head(0x112, 0, 2**60),
    "2^64-1 arrays": head(0x112, 0, 2**64 - 1),
    "2^80 values": ONE + array([2**40, 2**40]) + bytes(64),
    "a negative size": ONE + array([-1, 4]) + bytes(64),
    "two negative sizes": ONE + array([-2, -2]) + bytes(64),
    "a size of 0": ONE + array([0, 2**60]) + bytes(64),
    "no dimensions": ONE + array([]) + bytes(64),
    "2^31 dimensions": ONE + struct.pack("<IiI", 0xF993FAC9, 0, 2**31) + bytes(64),
    "version 3": ONE + array([2], version=0xF993FACA) + bytes(64),
    "a sparse array": ONE + struct.pack("<Ii", 0xF993FAC9, 1) + bytes(64),
    "an unknown type": ONE + array([1], kind=12) + bytes(64),
    "a negative type": ONE + array([1], kind=-1) + bytes(64),
    "2^60 names": ONE + array([1]) + bytes(4) + head(2**60),
    "a name of 2^63 bytes": ONE + array([1]) + bytes(4) + head(1, 2**63) + b"name",
    "a name that is no text": ONE + array([1]) + bytes(4) + head(1, 2) + b"\xff\xfe",
    "no names": ONE + array([1]) + bytes(4) + head(0),
    "a name twice": head(0x112, 0, 2) + 2 * (array([1]) + bytes(4)) + head(2) + 2 * (head(1) + b"a"),
    "something behind": params(ARRAYS) + b"more",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_header_is_refused_at_once(what: str, tmp_path: Path) -> None:
    """A ``UserError`` with the file's name, and less than a megabyte allocated."""
    path = tmp_path / "hostile.params"
    path.write_bytes(HOSTILE[what])
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"cannot read weights from .*hostile\.params"):
            read_weights(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


WHOLE = params(ARRAYS)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(WHOLE)))
def test_damaged_bytes_give_arrays_within_the_file_or_a_message(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], length: int
) -> None:
    """Any bytes changed, any length: never another exception, never more values than the file has."""
    damaged = bytearray(WHOLE)
    for position, value in changes:
        damaged[position] = value
    path = tmp_path_factory.mktemp("mxnet") / "damaged.params"
    path.write_bytes(damaged[: max(length, 1)])
    try:
        found = read_weights(path)
    except UserError:
        return
    assert sum(tensor.nbytes for tensor in found.values()) <= len(WHOLE)


def test_initial_weights_are_read_from_the_published_file(tmp_path: Path) -> None:
    """``weights`` takes MXNet's file itself; the .npz that MXNet makes of it gives the same network."""
    from tests.released_files import state

    arrays = {name: tensor.numpy() for name, tensor in state("cbst").items()}
    (tmp_path / "net.params").write_bytes(params(arrays, version=1))
    np.savez(tmp_path / "net.npz", **arrays)
    one, other = (build("resnet38", 5, width=16, weights=str(tmp_path / f"net.{s}")) for s in ("params", "npz"))
    assert all(
        np.array_equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )
    np.testing.assert_array_equal(one.stem.weight.detach(), arrays["arg:conv1a_weight"])
