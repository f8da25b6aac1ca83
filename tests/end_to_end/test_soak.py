"""Many short chains in one process, one after the other: nothing of them stays but what the store keeps."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.conftest import Place
from tests.in_process import BUDGET
from tests.soak import CHAINS
from udamlf.runs.tags import PRUNED

RUN = """
import json, os, sys
from pathlib import Path
import udamlf
from udamlf.runs.launch import warm_up

warm_up()
for seed in range(int(sys.argv[1])):
    udamlf.run("syn2city", "st", references=False, seed=seed, rounds=1, data_root=sys.argv[2], overrides=sys.argv[3:])
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    states = [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children]
    print(json.dumps({
        "memory": int(status["VmRSS"].split()[0]) * 1024, "threads": int(status["Threads"]),
        "files": len(os.listdir("/proc/self/fd")), "children": len(children), "zombies": states.count("Z"),
        "work": len(list(Path(".udamlf/steps").glob("*/"))), "frames": len(list(Path("cache/frames").glob("*"))),
    }), flush=True)
"""
GROWTH = 1 << 20
"""Bytes that a process may grow with each chain: what libraries remember of a chain is far below."""


@pytest.fixture(scope="module")
def usage(place: Place) -> Iterator[list[dict[str, int]]]:
    """What the process and the disk hold after each chain."""
    done = place.call(sys.executable, "-c", RUN, str(CHAINS), str(place.world), *BUDGET, seconds=60 + 120 * CHAINS)
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

    def checkpoints() -> int:
        folders = [Path(urlsplit(run.info.artifact_uri).path) for run in place.runs()]
        return sum(len(list(folder.glob("checkpoint/*.safetensors"))) for folder in folders)

    assert checkpoints() == 2 * len(usage)
    assert f"in {CHAINS} places" in place.udamlf("prune", "--keep", "last", "--yes")
    assert checkpoints() == len(usage)
    assert "in 0 places" in place.udamlf("prune", "--keep", "last", "--yes")
    pruned = next(run for run in place.runs() if PRUNED in run.data.tags)  # as if it had been killed at that
    left = Path(urlsplit(pruned.info.artifact_uri).path) / "checkpoint" / "model.safetensors"
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"weights")
    assert "in 1 places" in place.udamlf("prune", "--keep", "last", "--yes")
    assert not left.exists()
