"""Many short chains in one process, one after the other: nothing of them stays but what the store keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Place
from tests.in_process import BUDGET
from tests.soak import CHAINS

RUN = """
import json, os, sys
from pathlib import Path
import udamlf
from udamlf.runs.launch import warm_up

warm_up()
for seed in range(int(sys.argv[1])):
    udamlf.run("syn2city", "st", references=False, seed=seed, rounds=1, data_root=sys.argv[2], overrides=sys.argv[4:])
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children]
    print(json.dumps({
        "memory": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
        "files": len(os.listdir("/proc/self/fd")), "children": len(children), "zombies": states.count("Z"),
        "work": len(list(Path(sys.argv[3]).glob("steps/*/"))), "frames": len(list(Path("cache/frames").glob("*"))),
    }), flush=True)
"""
GROWTH = 1 << 20
"""Bytes that a process may grow with each chain: what libraries remember of a chain is far below."""


@pytest.fixture(scope="module")
def usage(place: Place) -> Iterator[list[dict[str, int]]]:
    """What the process and the disk hold after each chain."""
    words = (str(CHAINS), str(place.world), str(place.work), *BUDGET)
    done = place.call(sys.executable, "-c", RUN, *words, seconds=60 + 120 * CHAINS)
    assert done.returncode == 0, done.stderr
    yield [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_chain_after_chain_leaves_no_process_no_file_and_no_memory(usage: list[dict[str, int]]) -> None:
    """From the second chain on: the first one imports and fills the cache."""
    assert len(usage) == CHAINS
    first, *later = usage[1:] if CHAINS > 2 else usage
    for number, each in enumerate(later, 1):
        assert each["zombies"] == each["work"] == 0, each
        for name in ("threads", "children", "files", "frames"):
            assert each[name] <= first[name], (name, first, each)
        assert each["memory"] - first["memory"] < 64 * GROWTH + GROWTH * number


def test_pruned_a_chain_keeps_one_checkpoint(usage: list[dict[str, int]], place: Place) -> None:
    """Of the two of each; those that are linked to a model of MLflow's go with it."""

    def weights() -> dict[Path, int]:
        return {path: path.stat().st_ino for path in place.stored.rglob("*.safetensors")}

    before = weights()
    assert len(set(before.values())) == 2 * len(usage)
    assert f"in {CHAINS} places" in place.udamlf("prune", "--keep", "last", "--yes")
    after = weights()
    assert len(set(after.values())) == len(usage)
    assert "in 0 places" in place.udamlf("prune", "--keep", "last", "--yes")
    left = min(before.keys() - after.keys())  # as if it had been killed at that
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"weights")
    assert "in 1 places" in place.udamlf("prune", "--keep", "last", "--yes")
    assert not left.exists()
