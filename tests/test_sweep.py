"""A sweep's matrix, what its slots take next, and what its engines refuse."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from udamlf.common.errors import UserError
from udamlf.runs.plan import Request
from udamlf.runs.sweep import Sweep, matrix, ray_slots
from udamlf.runs.tracker import Tracker


@pytest.fixture
def request_(tiny_world: Path) -> Request:
    return Request("syn2city", "st", rounds=2, data_root=str(tiny_world))


def test_a_matrix_has_what_chains_have_in_common_once_and_references_first(request_: Request) -> None:
    wanted = [replace(request_, method=method, seed=seed) for method in ("st", "iast") for seed in (0, 1)]
    cells = matrix(wanted, references=True, controls=True)
    names = ["source_only", "source_only", "control", "control", "st", "st", "iast", "iast"]
    assert [cell.request.method for cell in cells] == names, "both methods have the same control"
    assert [cell.request.method for cell in matrix(wanted, references=False, controls=False)] == names[4:]
    twice = [replace(request_, method="source_only")] * 2  # and `rounds`, which it has not
    assert len(matrix(twice, references=True, controls=True)) == 1


def test_slots_wait_for_one_warmup_only_where_there_is_nothing_else_to_do(tracker: Tracker, request_: Request) -> None:
    """Three slots, two warm-ups: the seeds' first chains start at once, the third slot takes what is left."""
    wanted = [replace(request_, method=method, seed=seed) for seed in (0, 1) for method in ("st", "iast")]
    started, release = [], threading.Event()

    def run(arguments: Any, slot: int, watch: Any) -> tuple[int, str]:
        started.append((arguments[arguments.index("--method") + 1], arguments[arguments.index("--seed") + 1]))
        release.wait(20) if len(started) < 3 else release.set()
        return 2, "1/2 warmup done\nError: no space\nexpected: space"

    sweep = Sweep(matrix(wanted, references=False, controls=False), tracker, [])
    with pytest.raises(UserError, match="4 of 4 chains failed"):
        sweep.run(3, run)
    assert sorted(started[:2]) == [("st", "0"), ("st", "1")]
    assert {(cell.state, cell.note) for cell in sweep.cells} == {("failed", "no space expected: space")}


def test_a_cluster_needs_a_store_that_its_machines_can_open() -> None:
    with pytest.raises(UserError, match="other machines cannot open it"):
        ray_slots("head:6379", None, "sqlite:////tmp/mlflow.db")
