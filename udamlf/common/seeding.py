"""Randomness as a pure function of (seed, names): nothing random has a state that must be saved."""

import zlib

import numpy as np


def _entropy(seed: int, names: tuple[int | str, ...]) -> list[int]:
    return [seed, *(zlib.crc32(n.encode()) if isinstance(n, str) else n for n in names)]


def rng(seed: int, *names: int | str) -> np.random.Generator:
    """A NumPy generator that depends on nothing but ``seed`` and ``names`` (non-negative ints or strings)."""
    return np.random.default_rng(_entropy(seed, names))


def torch_seed(seed: int, *names: int | str) -> int:
    """A 63-bit seed for a ``torch.Generator``, a function of ``seed`` and ``names`` alone."""
    state = np.random.SeedSequence(_entropy(seed, names)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))
