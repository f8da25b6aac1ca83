"""What a chain finds done, and what it says of what is not; several machines at one store."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fake_stages import FakeStages
from udamlf.runs import plan as keys
from udamlf.runs import reuse
from udamlf.runs.chain import Chain
from udamlf.runs.log import RunLog
from udamlf.runs.plan import Request
from udamlf.runs.reuse import claim, differences, finished_chain
from udamlf.runs.tags import HEARTBEAT, KEY, PROCESS
from udamlf.runs.tracker import Tracker
from udamlf.stages.stage import Input


def reasons(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Step -> why it was not reused."""
    lines = [record.getMessage() for record in caplog.records if " is not reused" in record.getMessage()]
    named = [line.split(": ", 1)[1].split(" is not reused, ") for line in lines]
    return {step: why.split(": ", 1)[1] for step, why in named}


def test_a_step_says_what_has_changed_since_the_last_chain(
    go: Any, request_: Request, caplog: Any, monkeypatch: Any
) -> None:
    caplog.set_level(logging.INFO, "udamlf")
    go(request_)
    assert reasons(caplog) == {}, "the first time there is nothing to compare with"
    go(replace(request_, overrides=("profile.labelling.scales=[0.5]",)))
    why = reasons(caplog)
    assert why["pseudo_label 1"] == "configuration labelling.scales [1.0] -> [0.5]"
    assert "input" in why["self_train 1"] and "warmup" not in why
    caplog.clear()
    before = keys.module_digests
    monkeypatch.setattr(keys, "module_digests", lambda names: before(names) | {"udamlf.losses": "edited"})
    go(request_)
    assert reasons(caplog)["warmup"] == "code udamlf.losses"


def test_a_difference_is_named_by_its_kind() -> None:
    old = {"config": {"a": {"b": 1}}, "data": {"target_train": ["x", None]}, "versions": {"torch": "1"}, "files": ["f"]}
    new = {"config": {"a": {"b": 2}}, "data": {"target_train": ["y", None]}, "versions": {"torch": "2"}, "files": ["g"]}
    assert differences(old, new) == "configuration a.b 1 -> 2; data target_train; version torch 1 -> 2; file of weights"
    many = {"code": {f"udamlf.m{number}": "x" for number in range(6)}}
    assert differences({"code": {}}, many) == "code udamlf.m0, udamlf.m1, udamlf.m2, udamlf.m3, 2 more"


# --- several machines ------------------------------------------------------------------------------------------------


def test_machines_that_share_only_the_store_do_shared_work_once(
    tracker: Tracker, store: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two chains without a common work folder, so without a common lock."""
    monkeypatch.setattr(reuse, "POLL_S", 0.1)
    stages = FakeStages(tracker, store / "stages", lambda stage: time.sleep(0.3))
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            machine = Tracker(tracker.uri, tracker.client, tracker.experiment_id)
            machine.work = store / name
            log = RunLog(machine, machine.create_run(name, {}), store / "parents" / name)
            Chain(request_, launch=stages).run(log)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(stages.started) == len(keys.plan(request_.resolve())), "each step once"


@pytest.mark.parametrize("silent_s, waits", [(0, True), (3600, False)])
def test_a_machine_is_waited_for_while_it_gives_signs_of_life(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, silent_s: float, waits: bool
) -> None:
    monkeypatch.setattr(reuse, "POLL_S", 0.05)
    tags = {KEY: "k", PROCESS: "elsewhere:1:1", HEARTBEAT: str(int(time.time() - silent_s))}
    other = tracker.create_run("other", tags)
    found: list[Input | str] = []
    thread = threading.Thread(
        target=lambda: found.append(claim(tracker, "k", lambda: tracker.create_run("m", {KEY: "k"})))
    )
    thread.start()
    thread.join(2 if waits else 30)
    assert thread.is_alive() == waits
    tracker.end(other, "FAILED")
    thread.join()
    assert isinstance(found[0], str) and found[0] != other


def test_a_finished_chain_is_found_by_its_steps(go: Any, tracker: Tracker, request_: Request) -> None:
    config = request_.resolve()
    assert finished_chain(config, tracker) is None
    parent, _ = go(request_)
    found = finished_chain(config, tracker)
    assert found is not None and found.info.run_id == parent
