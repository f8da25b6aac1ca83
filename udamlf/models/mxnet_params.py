"""MXNet's ``.params`` files (``mxnet.nd.save``), read without MXNet; little-endian.

A file: uint64 0x112, uint64 reserved, uint64 count, the arrays, uint64 count, their names (uint64 length, UTF-8).
An array: uint32 version, in version 2 an int32 storage type (0: dense), uint32 number of dimensions, int64 dimensions,
int32 kind and int32 number of a device, int32 type, the values in C order. Before versions were written an array began
with the number of dimensions, and these were uint32."""

import math
import struct
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MAGIC, V1, V2 = 0x112, 0xF993FAC8, 0xF993FAC9
TYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8")  # by type number
MOST_DIMENSIONS = 32


class _Bytes:
    """A file's content from its first byte on; nothing is allocated that the file does not have."""

    def __init__(self, path: Path) -> None:
        self.content, self.position = np.memmap(path, np.uint8, "r"), 0

    def take(self, count: int) -> np.ndarray:
        """The next ``count`` bytes, uint8, not copied."""
        self.position += count
        if self.position > len(self.content):
            raise ValueError(f"the file ends before byte {self.position}")
        return self.content[self.position - count : self.position]

    def numbers(self, code: str, count: int = 1) -> tuple[int, ...]:
        """Integers of a code of ``struct``."""
        return struct.unpack(f"<{count}{code}", self.take(count * struct.calcsize(f"<{code}")).tobytes())

    def array(self) -> Tensor:
        start, (version,) = self.position, self.numbers("I")
        sparse = version == V2 and self.numbers("i") != (0,)
        dimensions, code = (self.numbers("I")[0], "q") if version in (V1, V2) else (version, "I")
        if sparse or not 1 <= dimensions <= MOST_DIMENSIONS:
            raise ValueError(f"the array at byte {start} is sparse, or of another version")
        shape = self.numbers(code, dimensions)
        *_, kind = self.numbers("i", 3)
        if min(shape) < 1 or not 0 <= kind < len(TYPES):
            raise ValueError(f"the array at byte {start} has shape {shape} and type {kind}")
        values = self.take(math.prod(shape) * np.dtype(TYPES[kind]).itemsize)
        return torch.from_numpy(values.view(TYPES[kind]).reshape(shape).copy())


def read_params(path: Path) -> dict[str, Tensor]:
    """Name (``arg:conv_weight``) -> array. ValueError: other content, a name twice, bytes behind the last name."""
    content = _Bytes(path)
    if content.numbers("Q", 2)[0] != MAGIC:
        raise ValueError("it does not begin like a list of MXNet arrays")
    arrays = [content.array() for _ in range(*content.numbers("Q"))]
    names = [bytes(content.take(*content.numbers("Q"))).decode() for _ in range(*content.numbers("Q"))]
    if len(names) != len(arrays) or len(set(names)) != len(names):
        raise ValueError(f"{len(arrays)} arrays and {len(set(names))} different names")
    if content.position < len(content.content):
        raise ValueError(f"{len(content.content) - content.position} bytes behind the last name")
    return dict(zip(names, arrays, strict=True))
