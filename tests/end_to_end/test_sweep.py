"""A matrix of chains in one command: killed half way it goes on; a failure stops no other; Ray gives the same."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.end_to_end.conftest import STEPS, UDAMLF, Place, new_place, wait_for
from udamlf.runs.launch import is_alive
from udamlf.runs.tags import KEY, PROCESS

# Resolves, and is refused when its chain counts the target's images.
BROKEN = "extends: st\nname: broken\ntitle: more images than there are\ntarget_subset: {top_k: 100}\n"


def sweep(place: Place, methods: str, *options: str) -> list[str]:
    """Command line of a small sweep."""
    overrides = [text for step in STEPS for text in ("--set", step)]
    command = ["sweep", "--scenarios", "syn2city", "--methods", methods, "--rounds", "1", "--data-root"]
    return [UDAMLF, *command, str(place.world), *overrides, *options]


def finished(place: Place) -> Counter[str]:
    """Key -> how many finished runs it has."""
    return Counter(r.data.tags[KEY] for r in place.runs() if r.info.status == "FINISHED" and KEY in r.data.tags)


def two(place: Place) -> list[str]:
    (place.folder / "broken.yaml").write_text(BROKEN)
    return sweep(place, "st,broken.yaml", "--jobs", "2", "--no-control")


@pytest.fixture(scope="module")
def resumed(place: Place) -> tuple[Counter[str], int, str]:
    """A sweep is killed outright once it has results, and started again: the results at the kill; the second call's
    exit code and output."""
    process = place.start(*two(place))
    wait_for(lambda: finished(place), 300)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    at_work = [r.data.tags[PROCESS] for r in place.runs() if r.info.status == "RUNNING"]
    wait_for(lambda: not any(map(is_alive, at_work)))
    before, again = finished(place), place.call(*two(place))
    return before, again.returncode, again.stderr + again.stdout


def test_killed_half_way_and_started_again_it_repeats_nothing_finished(place: Place, resumed: tuple) -> None:
    """Chains and stages end with the sweep, however it ends. Afterwards each step was finished once."""
    before, _, _ = resumed
    assert before and set(finished(place).values()) == {1}
    methods = {r.data.tags["method"] for r in place.runs(stage="chain", **{"udamlf.complete": "true"})}
    assert methods == {"source_only", "st"}
    assert "RUNNING" not in {r.info.status for r in place.runs()}


def test_a_chain_that_fails_leaves_the_others_whole_and_is_named_at_the_end(resumed: tuple) -> None:
    _, code, output = resumed
    assert code == 2 and "1 of 3 chains failed" in output and "Traceback" not in output
    last = next(line for line in reversed(output.splitlines()) if "syn2city" in line)
    assert "broken" in last and "failed" in last and "target_subset of 100 images, of a split of 4" in last


def test_a_plan_shows_what_is_reused_and_why_the_rest_is_not_or_is_refused_and_creates_nothing(
    place: Place, resumed: tuple
) -> None:
    before = len(place.runs())
    done = place.call(*two(place), "--set", "profile.round.steps=5", "--plan")
    assert done.returncode == 2 and "target_subset of 100 images" in done.stderr, "as the run of that chain will be"
    chains = done.stdout.split("syn2city st s0:")
    assert chains[0].count("reused: run") == 2
    assert "training.steps 4 -> 5" in chains[1] and "evaluate 1       to do, about" in chains[1]
    assert len(place.runs()) == before
    done = place.call(UDAMLF, *two(place)[1:], "--plan", MLFLOW_TRACKING_URI="sqlite:///absent.db")
    assert done.returncode == 2 and "to do" in done.stdout and "reused" not in done.stdout
    assert not (place.folder / "absent.db").exists()


@pytest.fixture
def elsewhere(empty_store: Path, tiny_world: Path) -> Iterator[Place]:
    with new_place(empty_store, tiny_world) as elsewhere:
        yield elsewhere


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: the extra `ray`")
def test_ray_on_this_machine_gives_the_same_numbers(place: Place, resumed: tuple, elsewhere: Place) -> None:
    command = sweep(elsewhere, "source_only", "--ray", "local", "--jobs", "1")
    done = elsewhere.call(*command, process=True, seconds=900)  # Ray lets all else go first
    assert done.returncode == 0 and "source_only s0 done" in done.stdout, done.stderr
    (there,), (here,) = (each.runs(stage="chain", method="source_only", **{"udamlf.complete": "true"})
                         for each in (elsewhere, place))  # fmt: skip
    there_, here_ = ({n: v for n, v in run.data.metrics.items() if not n.startswith("cost/")} for run in (there, here))
    assert there_ == here_
