"""Randomness is a function of (seed, names) and of nothing else."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from udamlf.common.seeding import rng, torch_seed

NAMES = st.lists(st.one_of(st.integers(0, 2**31), st.text(max_size=8)), max_size=4).map(tuple)


@given(st.integers(0, 2**63 - 1), NAMES)
def test_the_same_names_give_the_same_numbers(seed: int, names: tuple[int | str, ...]) -> None:
    assert np.array_equal(rng(seed, *names).integers(0, 2**62, 8), rng(seed, *names).integers(0, 2**62, 8))
    assert torch_seed(seed, *names) == torch_seed(seed, *names)


@given(st.integers(0, 2**63 - 1), NAMES)
def test_a_torch_seed_is_one_that_torch_accepts(seed: int, names: tuple[int | str, ...]) -> None:
    value = torch_seed(seed, *names)
    assert 0 <= value < 2**63
    torch.Generator().manual_seed(value)


def test_any_other_seed_name_or_order_gives_other_numbers() -> None:
    """Among them the ones that are used: domains, purposes, steps, rounds."""
    keys: list[tuple[int | str, ...]] = [
        (0, "source", "order", 1),
        (0, "source", "sample", 1),
        (0, "target", "order", 1),
        (0, "target", "sample", 1),
        (0, "sample", "source", 1),
        (0, "source", "sample", 2),
        (1, "source", "sample", 1),
        (0, "batch", 1, 2),
        (0, "batch", 2, 1),
        (0, "batch", 12),
        (0, "batch", 1, 2, "mix"),
        (0, "round", 1),
        (0, "round", 2),
        (2**40, "round", 1),
    ]
    drawn = [rng(*key).random(4).tolist() for key in keys]  # type: ignore[arg-type]
    assert all(a != b for a, b in combinations(drawn, 2))
    assert len({torch_seed(*key) for key in keys}) == len(keys)  # type: ignore[arg-type]


def test_neighbouring_steps_are_not_correlated() -> None:
    """First draws of 2000 consecutive samples look uniform and independent."""
    first = np.array([rng(0, "source", "sample", n).random() for n in range(2000)])
    assert abs(first.mean() - 0.5) < 0.03
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.07
    assert np.histogram(first, 10, (0, 1))[0].min() > 140


def test_another_process_draws_the_same() -> None:
    """Python's hash seed and torch's or NumPy's global state play no part."""
    code = "import numpy; numpy.random.seed(3); from udamlf.common.seeding import rng, torch_seed;" + (
        "print(rng(5, 'target', 9).integers(0, 1000, 6).tolist(), torch_seed(5, 'target', 9))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{rng(5, 'target', 9).integers(0, 1000, 6).tolist()} {torch_seed(5, 'target', 9)}"
