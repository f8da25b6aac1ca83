"""Work files that are damaged, and configurations that a store brings: repaired, or refused by name."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udamlf.common.errors import UserError
from udamlf.common.files import file_lock
from udamlf.config.reading import mapping
from udamlf.runs.checkpoints import recorded_config
from udamlf.runs.log import Journal, RunLog
from udamlf.runs.maintenance import reap, sync
from udamlf.runs.runner import DONE, remove_work
from udamlf.runs.tags import PROCESS
from udamlf.runs.tracker import Tracker

ENTRIES = [{"metrics": {"loss": float(n)}, "step": n, "time_ms": n, "run": "a" * 32} for n in range(4)]


@given(data=st.data())
@settings(max_examples=80)
def test_a_damaged_journal_is_repaired(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any bytes exchanged, cut off or put in, and any mark: what is whole is kept in order, and what follows is too."""
    folder = tmp_path_factory.mktemp("work")
    Journal(folder).append(*ENTRIES)
    file = folder / "journal.jsonl"
    whole = file.read_bytes()
    first, last = sorted((data.draw(st.integers(0, len(whole))), data.draw(st.integers(0, len(whole)))))
    file.write_bytes(whole[:first] + data.draw(st.binary(max_size=20)) + whole[last:])
    (folder / "journal.sent").write_bytes(data.draw(st.binary(max_size=4) | st.just(b"2")))
    journal = Journal(folder)
    journal.append(ENTRIES[0])
    kept = [entry for entry in Journal(folder).entries if entry in ENTRIES]
    assert kept[-1] == ENTRIES[0] and kept[:-1] == [entry for entry in ENTRIES if entry in kept[:-1]]
    assert {n for n, line in enumerate(whole.splitlines(True)) if whole.index(line) + len(line) <= first} <= {
        int(entry["step"]) for entry in kept
    }


def test_a_whole_journal_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every kind of entry, and numbers that are none: read again it is not rewritten, nothing is sent twice."""
    journal = Journal(tmp_path)
    metrics = {"loss": 1.0, "gone": math.nan, "most": math.inf, "whole": 3}
    data = {"name": "target_train", "digest": "d", "context": "target", "count": 1, "source": "file:///x"}
    journal.append({"metrics": metrics, "step": 1, "time_ms": 2, "model": "m", "run": "r"})
    journal.append({"tags": {"a": "b"}, "run": "r"}, {"params": {"a": "b"}, "run": "r"}, {"dataset": data, "run": "r"})
    journal.forget()
    text = journal.file.read_text()
    again = Journal(tmp_path)
    assert (again.sent, len(again.entries), again.file.read_text(), caplog.text) == (4, 4, text, "")


@pytest.mark.parametrize(
    "line",
    [
        *('{"run": 1}', '{"tags": {"a": "b"}}', "[]", '{"run": "r", "more": 1}', '{"run": "r", "tags": ["a"]}'),
        *('{"run": "r", "tags": {"a": 1}}', '{"run": "r", "metrics": {"a": "b"}, "step": 1, "time_ms": 1}'),
        *('{"run": "r", "metrics": {"a": 1.0}, "step": 1}', '{"run": "r", "dataset": {"name": "x"}}'),
    ],
)
def test_a_journal_line_of_another_form_is_left_out(line: str, tmp_path: Path) -> None:
    Journal(tmp_path).append(ENTRIES[0])
    with (tmp_path / "journal.jsonl").open("a") as handle:
        handle.write(line + "\n")
    assert Journal(tmp_path).entries == [ENTRIES[0]]


def test_what_cannot_be_sent_does_not_hold_up_the_rest(tracker: Tracker) -> None:
    """A run that was deleted in the browser, a result whose run is unknown: told at the end, by folder."""
    runs = [tracker.create_run("r", {}) for _ in range(2)]
    for name, run_id in zip("ac", runs, strict=True):
        RunLog(tracker, run_id, tracker.work / "steps" / name).log_metrics({"loss": 1.0}, 1)
    unknown = tracker.work / "steps" / "b"
    unknown.mkdir()
    done = {"run_id": "f" * 32, "others": [], "round": 0, "tags": {}, "use": "", "model": "m"}
    (unknown / DONE).write_text(json.dumps(done))
    tracker.client.delete_run(runs[0])
    with pytest.raises(UserError, match=r"1 runs sent, 2 could not be:\n\S*steps/a: .*\n\S*steps/b: "):
        sync(tracker)
    assert [m.value for m in tracker.client.get_metric_history(runs[1], "loss")] == [1.0]


def test_runs_of_other_programs_are_not_reaped(tracker: Tracker) -> None:
    other = tracker.client.create_run(tracker.experiment_id, start_time=0).info.run_id
    mine = tracker.create_run("r", {PROCESS: "another-host:1:1"})
    assert reap(tracker, older_than_min=-1) == [mine]
    assert tracker.get(other).info.status == "RUNNING"


def test_a_kill_before_the_mark_doubles_nothing(tracker: Tracker, store: Path) -> None:
    run_id = tracker.create_run("r", {})
    run = RunLog(tracker, run_id, tracker.work / "steps" / "abc")
    run.log_metrics({"loss": 1.0}, 1)
    run.log_dataset("target_train", "d", "target", 1, "file:///x")
    assert run.flush()
    (run.work / "journal.sent").write_text("0")
    assert sync(tracker) == [run_id]
    assert [m.value for m in tracker.client.get_metric_history(run_id, "loss")] == [1.0]
    inputs = tracker.get(run_id).inputs
    assert inputs is not None and len(inputs.dataset_inputs) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run_id": 1}', "\x00"])
def test_a_damaged_result_is_refused_by_name(tracker: Tracker, text: str) -> None:
    folder = tracker.work / "steps" / "abc"
    folder.mkdir(parents=True)
    (folder / DONE).write_text(text)
    with pytest.raises(UserError, match=r"steps/abc/done.json is damaged[\s\S]*rm -r "):
        sync(tracker)


def test_of_a_work_folder_goes_first_what_would_be_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the middle leaves nothing that would be published again; and who is at work there is left alone."""
    (work := tmp_path / "work").mkdir()
    for name in (DONE, "journal.jsonl"):
        (work / name).write_text("{}")
    with file_lock(work.with_suffix(".lock")):
        remove_work(work)
    assert (work / DONE).is_file()
    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", lambda *_, **__: None)
        remove_work(work)
    assert [path.name for path in work.iterdir()] == ["journal.jsonl"]
    remove_work(work)
    assert not work.exists()


def test_a_work_folder_that_cannot_be_made_is_told(tracker: Tracker, store: Path) -> None:
    (store / "file").write_text("")
    with pytest.raises(UserError, match=f"cannot write {store}/file/work"):
        RunLog(tracker, "r", store / "file" / "work")


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_a_configuration_is_a_mapping_or_refused(text: bytes | str) -> None:
    with suppress(UserError):
        assert isinstance(mapping(text, "config.yaml"), dict)


BOMB = "".join(f"{'abcdefgh'[n]}: &{n} [{', '.join([f'*{n - 1}' if n else 'x'] * 9)}]\n" for n in range(8))


HOSTILE = {
    "a list within itself": "a: &a [*a]",
    "a block within itself": "a: &a {b: *a}",
    "9^8 values": BOMB,
    "5000 lists, one in the other": "[" * 5000,
    "code": "a: !!python/object:os.system {}",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_configuration_is_refused(tracker: Tracker, what: str) -> None:
    text = HOSTILE[what]
    run_id = tracker.create_run("r", {})
    tracker.client.log_text(run_id, text, "config.yaml")
    with pytest.raises(UserError, match=f"the configuration of run {run_id} is not YAML"):
        recorded_config(tracker, run_id)
