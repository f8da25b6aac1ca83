"""Weights by rule: the vectors of whole networks come without weights, each README tells how to make them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import torch
from torch import Tensor

Fill = Callable[[int, str, tuple[int, ...]], Tensor]


def analytic(gain: float) -> Fill:
    """The weight rule of the CBST and IntraDA vectors (their README): a function of position, shape and name."""

    def fill(position: int, name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.zeros((), dtype=torch.int64)
        index = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
        mixed = (np.uint64(2654435761) * index + np.uint64(2246822519 * (position + 1) % 2**32)) % np.uint64(2**32)
        w = (2 * (mixed / 2**32) - 1).reshape(shape)
        if len(shape) == 4:
            value = w * gain / math.sqrt(math.prod(shape[1:]))
        elif name.endswith(("running_mean", "moving_mean")):
            value = 0.05 * w
        elif name.endswith(("running_var", "moving_var")):
            value = 1 + 0.3 * w
        elif name.endswith(("gamma", "weight")):
            value = 1 + 0.1 * w
        else:
            value = 0.1 * w
        return torch.from_numpy(value.astype(np.float32))

    return fill


def seeded_fill(seed: int, prefix: str, aspp_std: float) -> Fill:
    """The weight rule of the IAST and HIAST vectors (their READMEs): one generator per tensor name."""

    def fill(position: int, name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.zeros((), dtype=torch.int64)
        generator = np.random.default_rng([seed, zlib.crc32(name.removeprefix(prefix).encode())])
        if name.endswith("running_var"):
            value = 0.5 + generator.random(shape)
        elif name.endswith(("running_mean", "bias")):
            value = 0.1 * generator.standard_normal(shape)
        elif len(shape) == 1:
            value = 0.5 + 0.5 * generator.random(shape)
        else:
            value = generator.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
            if "aspp" in name:
                value = aspp_std * generator.standard_normal(shape)
        return torch.from_numpy(np.asarray(value, np.float32))

    return fill


def numbered(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published discriminator, a sequence of convolutions and activations, under our names."""
    layers = ("conv1", "conv2", "conv3", "conv4", "classifier")
    positions = {str(2 * number): layer for number, layer in enumerate(layers)}
    return {".".join([positions.get(n.split(".")[0], n.split(".")[0]), n.split(".")[1]]): t for n, t in state.items()}


def empty(tensors: Iterable[tuple[str, list[int]]]) -> dict[str, Tensor]:
    """Tensors without values; counters are integers."""
    kinds = {True: torch.int64, False: torch.float32}
    return {n: torch.empty(shape, dtype=kinds[n.endswith("tracked")], device="meta") for n, shape in tensors}
