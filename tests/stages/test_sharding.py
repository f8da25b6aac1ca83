"""Shards of a target list: observed apart and merged, they give the labels of a single pass, byte by byte."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.in_process import InProcess, files, run_step, small
from tests.test_chain import FakeStages
from udamlf import chain as chain_module
from udamlf.chain import Chain
from udamlf.cli import entry
from udamlf.config import Config
from udamlf.errors import UserError
from udamlf.launch import StopFlag, launch_together
from udamlf.plan import Request, Step, plan, until
from udamlf.recording import Run
from udamlf.stages.runner import Input
from udamlf.stages.shards import Shard
from udamlf.tracking import KEY, Tracker

STEP = Step("pseudo_label", 1)
SELECTORS = {
    "global": ("st", ()),
    "class_balanced": ("cbst", ()),
    "exact": ("cbst", ("method.round.selector.exact=true",)),
    "as_released": ("cbst", ("method.round.selector.sentinel=true", "method.round.selector.subsample=4")),
    "prior": ("cbst_sp", ()),
    "soft": ("crst_lrent", ()),
    "entropy": ("intrada", ("method.round.selector.normalise=true", "method.round.selector.easy_share=0.5")),
}


def generator(chains: InProcess, config: Config) -> dict[str, Input]:
    """The warm-up that labels."""
    return {"generator": chains.run(config, evaluate=False)["warmup"]}


def shards(config: Config, inputs: dict[str, Input], count: int, folder: Path) -> dict[str, Input]:
    """Each shard's stage; its artifacts are all that the merge sees."""
    return {
        f"shard{i}": run_step(config, STEP, inputs, folder / f"shard{i}of{count}", shard=Shard(i, count))[0]
        for i in range(1, count + 1)
    }


@pytest.mark.parametrize(("name", "count"), [*((name, 3) for name in SELECTORS), ("class_balanced", 2)])
def test_merged_shards_equal_the_single_pass(
    name: str, count: int, chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """Labels, extras (thresholds, class sizes, ranking), manifest and figures are the same files; the order in which
    shards are given plays no part; each image has been observed by one shard."""
    method, overrides = SELECTORS[name]
    config = small(method, tiny_world, *overrides, rounds=1)
    inputs = generator(chains, config)
    observed = shards(config, inputs, count, tmp_path)
    for given in observed.values():
        assert sorted(files(given.path)) == ["shard/shard.json", "shard/state.npz"]
    turned = dict(reversed(list(observed.items())))
    merged, _ = run_step(config, STEP, {**inputs, **turned}, tmp_path / "merged")
    single, _ = run_step(config, STEP, inputs, tmp_path / "single")
    assert files(merged.path) == files(single.path)


def test_no_pass_is_repeated_by_the_merge(
    chains: InProcess, tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After merging, each image goes through the network once more, for its label; a single pass takes two."""
    from udamlf.stages import pseudo_label

    config = small("cbst", tiny_world, rounds=1)
    inputs = generator(chains, config)
    observed = shards(config, inputs, 2, tmp_path)
    calls = []
    original = pseudo_label.label_scores
    monkeypatch.setattr(pseudo_label, "label_scores", lambda *a, **k: calls.append(1) or original(*a, **k))
    run_step(config, STEP, {**inputs, **observed}, tmp_path / "merged")
    assert len(calls) == 4
    run_step(config, STEP, inputs, tmp_path / "single")
    assert len(calls) == 4 + 8


def test_shards_must_be_all_of_one_division(chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    """A missing, a doubled and a foreign shard are refused, each with what was found."""
    config = small("cbst", tiny_world, rounds=1)
    inputs = generator(chains, config)
    two, three = shards(config, inputs, 2, tmp_path), shards(config, inputs, 3, tmp_path)
    wrong = [
        {"shard1": two["shard1"]},
        {"shard1": two["shard1"], "shard2": two["shard1"]},
        {"shard1": two["shard1"], "shard2": three["shard2"]},
    ]
    for index, given in enumerate(wrong):
        with pytest.raises(UserError, match="every shard of one division of 4 images"):
            run_step(config, STEP, {**inputs, **given}, tmp_path / f"wrong{index}")


def test_a_sequential_selector_has_no_shards(chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    """IAST's threshold moves from image to image."""
    config = small("iast", tiny_world, rounds=1)
    with pytest.raises(UserError, match="an order of its own"):
        run_step(config, STEP, generator(chains, config), tmp_path / "shard", shard=Shard(1, 2))


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_shard_is_written_i_of_n(text: str) -> None:
    """1 <= i <= n."""
    with pytest.raises(UserError, match="1/4"):
        Shard.parse(text)


def test_shards_cover_the_list_once() -> None:
    """Also when there are more shards than images."""
    for count in (1, 2, 5, 9):
        parts = [Shard(i, count).images(7) for i in range(1, count + 1)]
        assert sorted(np.concatenate([list(part) for part in parts]).tolist()) == list(range(7))


@pytest.mark.parametrize(
    ("stage", "given", "message"),
    [
        ("pseudo_label", ("--shard", "1/2"), "generator-run"),
        ("pseudo_label", ("--shard", "3/2", "--generator-run", "x"), "1/4"),
        ("pseudo_label", ("--runs", "shard1=x"), "generator-run"),
        ("self_train", ("--shard", "1/2", "--start-run", "x"), "stage pseudo_label"),
    ],
)
def test_the_entry_point_says_what_a_shard_needs(
    stage: str, given: tuple[str, ...], message: str, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Exit code 2 and one message; no run is started."""
    monkeypatch.setattr("sys.argv", ["entry", "--scenario", "gta2city", "--method", "cbst", *given])
    monkeypatch.setattr("udamlf.cli.follow_launcher", lambda: None)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit) as ended:
        entry(stage)
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)
    assert ended.value.code == 2 and message in capsys.readouterr().err
    assert Tracker.connect().search({}) == []


# --- in the chain ----------------------------------------------------------------------------------------------------


@pytest.fixture
def two_at_once(tracker: Tracker, store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeStages:
    """Stages that only note how they were called; what is launched together runs one after another."""
    monkeypatch.setattr(chain_module, "launch_together", lambda launch, calls: [launch(*call) for call in calls])
    return FakeStages(tracker, store / "stages")


def labelled(method: str, world: Path, tracker: Tracker, stages: FakeStages, processes: int) -> tuple[Chain, str]:
    """A chain up to the first labelling; its key."""
    chain = Chain(
        Request("syn2city", method, rounds=1, data_root=str(world)), tracker, launch=stages, processes=processes
    )
    parent = tracker.create_run("parent", {})
    done = chain.run(
        Run(tracker, parent, tracker.work / parent, StopFlag()), until(plan(chain.config), "pseudo_label", 1)
    )
    return chain, done[-1].result.tags[KEY]


def test_the_chain_observes_in_as_many_processes_as_it_may(
    two_at_once: FakeStages, tracker: Tracker, tiny_world: Path
) -> None:
    """Two shards, then the stage that merges them; it has the key, and so is the result, of a single pass."""
    _, key = labelled("cbst", tiny_world, tracker, two_at_once, processes=2)
    assert two_at_once.stages == ["warmup", "pseudo_label", "pseudo_label", "pseudo_label"]
    (_, first, one), (_, second, two), (_, merge, _) = two_at_once.started[1:]
    assert (first["shard"], second["shard"]) == ("1/2", "2/2") and "shard" not in merge
    assert merge["runs"] == f"shard1={one} shard2={two}" and merge["generator_run"] == first["generator_run"]
    _, again = labelled("cbst", tiny_world, tracker, two_at_once, processes=1)
    assert again == key and len(two_at_once.started) == 4, "a single process reuses what two have made"


def test_a_finished_shard_is_not_observed_again(two_at_once: FakeStages, tracker: Tracker, tiny_world: Path) -> None:
    """A merge that failed is all that is repeated."""
    fail = [True]

    def act(stage: str) -> None:
        if stage == "pseudo_label" and len(two_at_once.started) == 4 and fail.pop():
            raise UserError("no room", "room")

    two_at_once.act = act
    with pytest.raises(UserError, match="no room"):
        labelled("cbst", tiny_world, tracker, two_at_once, processes=2)
    fail.append(False)
    labelled("cbst", tiny_world, tracker, two_at_once, processes=2)
    assert len(two_at_once.started) == 5 and "runs" in two_at_once.started[-1][1]


@pytest.mark.parametrize(("method", "processes"), [("iast", 2), ("cbst", 1)])
def test_one_process_where_there_is_nothing_to_share(
    method: str, processes: int, two_at_once: FakeStages, tracker: Tracker, tiny_world: Path
) -> None:
    """A sequential selector, or one GPU."""
    labelled(method, tiny_world, tracker, two_at_once, processes)
    assert two_at_once.stages == ["warmup", "pseudo_label"]


def meet(folder: str, name: str, other: str, well: bool) -> bool:
    """Succeeds only while another call is at work; says what its environment is."""
    Path(folder, name).write_text(os.environ.get("UDAMLF_TEST_VALUE", ""))
    deadline = time.monotonic() + 60
    while not Path(folder, other).exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    os.environ["UDAMLF_TEST_VALUE"] = name  # stays in this process
    return well


def test_launched_together_means_at_once_and_apart(tmp_path: Path) -> None:
    """Each call waits for the other; one that fails does not hide in the other's success."""
    folder = str(tmp_path)
    found = launch_together(meet, [(folder, "a", "b", True), (folder, "b", "a", False)])
    assert found == [True, False] and "UDAMLF_TEST_VALUE" not in os.environ
