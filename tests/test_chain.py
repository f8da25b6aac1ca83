"""The chain: what a plan is, what a key depends on, what is reused, and what a failure leaves behind."""

from __future__ import annotations

import math
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fake_stages import FakeStages
from udamlf.common.errors import UserError
from udamlf.report import comparison
from udamlf.runs import plan as keys
from udamlf.runs.chain import Chain
from udamlf.runs.log import RunLog
from udamlf.runs.plan import Request, key_parts, plan, up_to_step
from udamlf.runs.repeat import recorded_request
from udamlf.runs.runner import read_config
from udamlf.runs.signals import StopFlag
from udamlf.runs.tags import DIGEST, ERROR, PROCESS
from udamlf.runs.tracker import Tracker

# --- plan ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_warmup_then_labels_and_training_per_round_each_evaluated_at_once(request_: Request) -> None:
    steps = plan(request_.resolve())
    rounds = [[f"pseudo_label {n}", f"self_train {n}", f"evaluate {n}"] for n in (1, 2)]
    assert [str(step) for step in steps] == ["warmup", "evaluate 0", *rounds[0], *rounds[1]]
    last = steps[-2]
    assert {name: str(need) for name, need in last.needs.items()} == {
        "start": "self_train 1",
        "labels": "pseudo_label 2",
    }
    evaluation = {name: str(need) for name, need in steps[-1].needs.items()}
    assert evaluation == {"training": "self_train 2", "labels": "pseudo_label 2"}


def test_a_method_without_selector_has_no_labels_and_one_without_rounds_no_training(request_: Request) -> None:
    source_only = ["warmup", "evaluate 0"]
    assert [str(s) for s in plan(request_.reference("source_only").resolve())] == source_only
    assert [str(s) for s in plan(request_.reference("adabn").resolve())] == [*source_only, "self_train 1", "evaluate 1"]


def test_a_plan_can_stop_after_any_of_its_steps(request_: Request) -> None:
    steps = plan(request_.resolve())
    assert [str(s) for s in up_to_step(steps, "pseudo_label", 1)] == ["warmup", "pseudo_label 1"]
    with pytest.raises(UserError, match="no stage pseudo_label in round 3"):
        up_to_step(steps, "pseudo_label", 3)


def test_every_step_comes_after_what_it_needs(request_: Request) -> None:
    seen: set[str] = set()
    for step in plan(request_.resolve()):
        assert {str(need) for need in step.needs.values()} <= seen
        seen.add(str(step))


# --- key -------------------------------------------------------------------------------------------------------------


def key_of(request: Request, stage: str = "warmup", digest: str = "d", inputs: dict[str, str] | None = None) -> str:
    config, number = request.resolve(), int(stage == "self_train")
    return keys.key_of(key_parts(config, stage, number, inputs or {}, lambda split, labelled: digest))


def test_a_key_depends_on_what_the_stage_reads_and_on_nothing_else(request_: Request) -> None:
    key = key_of(request_)
    assert key == key_of(request_)
    assert key == key_of(replace(request_, method="adabn", rounds=None)), "methods share their warm-up"
    assert key == key_of(replace(request_, overrides=("profile.round.steps=7",)))
    changed = [
        key_of(replace(request_, seed=1)),
        key_of(replace(request_, overrides=("profile.warmup.steps=7",))),
        key_of(request_, digest="other data"),
        key_of(request_, inputs={"start": "other"}),
        key_of(request_, "self_train"),
    ]
    assert len({key, *changed}) == len(changed) + 1


def test_a_key_depends_on_the_code(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    key = key_of(request_)
    monkeypatch.setattr(keys, "module_digests", lambda names: {"udamlf.losses": "edited"})
    assert key_of(request_) != key


# --- run -------------------------------------------------------------------------------------------------------------


def test_the_parent_shows_every_round_and_where_its_numbers_come_from(
    go: Any, tracker: Tracker, request_: Request
) -> None:
    parent, stages = go(request_)
    found = tracker.get(parent)
    history = tracker.client.get_metric_history(parent, "iou/road")
    assert [(m.step, m.value) for m in history] == [(0, 50.0), (1, 51.0), (2, 52.0)]
    coverage = tracker.client.get_metric_history(parent, "pl/coverage")
    assert [(m.step, m.value) for m in coverage] == [(1, 41.0), (2, 42.0)]
    assert found.data.metrics["miou"] == 52.0
    assert math.isnan(found.data.metrics["iou/bus"]), "a class that no longer occurs has no score"
    tags = found.data.tags
    assert {tags[n] for n in ("scenario", "method", "seed", "stage", "data")} == {"syn2city", "st", "0", "chain",
                                                                                 "miniature"}  # fmt: skip
    assert tags["udamlf.run.self_train.2"] == stages.started[6][2] and stages.started[6][0] == "self_train"
    assert found.data.params["cfg.method.rounds"] == "2"
    for stage, _, run_id in stages.started:
        child = tracker.get(run_id).data.tags
        assert (child["mlflow.parentRunId"], child["stage"], child["data"]) == (parent, stage, "miniature")


def test_inputs_reach_a_stage_as_run_ids(go: Any, request_: Request) -> None:
    _, stages = go(request_)
    warmup, _, labels, training, evaluation = stages.started[:5]
    assert labels[1]["inputs"] == f"generator={warmup[2]}"
    assert training[1]["inputs"] == f"start={warmup[2]} labels={labels[2]}"
    assert evaluation[1]["inputs"] == f"training={training[2]} labels={labels[2]}"


def test_a_second_chain_starts_nothing_and_shows_the_same(go: Any, tracker: Tracker, request_: Request) -> None:
    first, _ = go(request_)
    second, stages = go(request_)
    assert stages.stages == []
    assert tracker.get(second).data.metrics == pytest.approx(tracker.get(first).data.metrics, nan_ok=True)


def test_another_method_shares_the_warmup(go: Any, request_: Request) -> None:
    go(request_)
    _, stages = go(request_.reference("adabn"))
    assert stages.stages == ["self_train", "evaluate"]


def test_only_what_a_change_reaches_is_repeated(go: Any, request_: Request) -> None:
    go(request_)
    _, stages = go(replace(request_, overrides=("profile.labelling.scales=[0.5]",)))
    assert "warmup" not in stages.stages
    assert stages.stages[0] == "pseudo_label"


def test_a_step_whose_artifacts_are_gone_is_repeated_and_what_follows_is_not(
    go: Any, tracker: Tracker, request_: Request
) -> None:
    _, stages = go(request_)
    (tracker.fetch(stages.started[0][2]).path / "result.json").unlink()
    _, again = go(request_)
    assert again.stages == ["warmup"]


def test_a_failed_stage_fails_the_chain_with_its_reason_and_is_no_result(
    go: Any, tracker: Tracker, request_: Request
) -> None:
    def fail(stage: str) -> None:
        if stage == "pseudo_label":
            raise UserError("no confident pixel")

    with pytest.raises(UserError, match="no confident pixel"):
        go(request_, fail)
    (child,) = tracker.search({"stage": "pseudo_label"}, status="FAILED")
    assert (child.data.tags[ERROR], DIGEST in child.data.tags) == ("no confident pixel", False)
    assert tracker.get(go.parent).info.status == "FAILED"
    _, stages = go(request_)
    assert stages.stages[0] == "pseudo_label", "the warm-up is kept, the failed stage repeated"


def test_a_signal_kills_the_stage_and_the_chain(go: Any, tracker: Tracker, request_: Request) -> None:
    def interrupt(stage: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(request_, interrupt)
    assert tracker.get(go.parent).info.status == "KILLED"
    assert [run.data.tags["stage"] for run in tracker.search({"stage": "warmup"}, status="KILLED")] == ["warmup"]


@pytest.mark.parametrize(
    ("code", "ended", "reason"),
    [
        (-signal.SIGTERM, "KILLED", "by SIGTERM"),
        (-signal.SIGKILL, "FAILED", "by SIGKILL"),
        (1, "FAILED", "with code 1"),
    ],
)
def test_a_stage_that_ended_before_it_could_speak_has_a_reason(
    tracker: Tracker, store: Path, request_: Request, code: int, ended: str, reason: str
) -> None:
    """A signal during its imports, for example."""
    chain = Chain(request_, launch=lambda *arguments: code)
    with pytest.raises(UserError, match=f"its process was ended {reason}") as told:
        chain.run(RunLog(tracker, tracker.create_run("parent", {}), store / "parent"))
    assert ("memory" in str(told.value)) == (code == -signal.SIGKILL)
    (run,) = tracker.search({"stage": "warmup"}, status=ended)
    assert reason in run.data.tags[ERROR]


def test_two_chains_at_once_do_shared_work_once(tracker: Tracker, store: Path, request_: Request) -> None:
    stages = FakeStages(tracker, store / "stages", lambda stage: time.sleep(0.3))
    requests = [request_, request_.reference("adabn")]
    errors: list[BaseException] = []

    def work(request: Request) -> None:
        try:
            parent = tracker.create_run(request.method, {})
            Chain(request, launch=stages).run(RunLog(tracker, parent, store / "parents" / parent, StopFlag()))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert stages.stages.count("warmup") == 1
    assert stages.stages.count("evaluate") == 4, "three of st, one of adabn: the warm-up is scored once"


def test_a_run_belongs_to_the_process_that_will_close_it(tracker: Tracker) -> None:
    run = tracker.get(tracker.create_run("r", {}))
    assert run.data.tags[PROCESS] and run.info.status == "RUNNING"


# --- request ---------------------------------------------------------------------------------------------------------


def test_a_stage_gets_the_configuration_as_it_was_resolved(go: Any, request_: Request) -> None:
    """One file hands it on, names and all; nothing is merged again on the other side."""
    overrides = ("profile.round.steps=3", "method.round.selector.portion=[0.1, 0.2]")
    sent = replace(request_, overrides=overrides, seed=5)
    _, stages = go(sent)
    for _, parameters, _ in stages.started:
        assert read_config(Path(parameters["config"])) == sent.resolve()
    with pytest.raises(UserError, match="no configuration"):
        read_config(Path("/nowhere.yaml"))


@pytest.mark.parametrize("changed", ["", "profile.evaluation.flip=true", "method.round.selector.exact=false"])
def test_a_repeated_chain_has_its_gain_over_source_only(
    go: Any, tracker: Tracker, request_: Request, changed: str
) -> None:
    """Over the recorded source_only, or the one repeated with the same change where that concerns it too."""

    def gains() -> list[dict[str, Any]]:
        lines = comparison.plain(comparison.rows(tracker.search(comparison.finished())))
        return [line["delta"]["source_only"] for line in lines if line["method"] == "st"]

    source_only, (recorded, _) = go(request_.reference("source_only"))[0], go(request_)
    before = gains()
    overrides = (changed,) if changed else ()
    repeated = [*([source_only] if changed.startswith("profile") else []), recorded]
    again = [go(recorded_request(tracker, run_id, overrides))[0] for run_id in repeated]
    after = gains()
    assert len(after) == (2 if changed else 1)
    assert all(gain["miou"] == before[0]["miou"] for gain in after)
    compared_with = {run_id for gain in after for run_id in gain["run_ids"]}
    assert compared_with == {source_only, *again[:-1]}


def test_the_command_in_the_description_repeats_the_request(request_: Request) -> None:
    command = replace(request_, overrides=("a=b c",)).command()
    assert command.startswith("udamlf run --scenario syn2city --method st")
    assert "--set 'a=b c'" in command and "--data-root" in command


@pytest.mark.parametrize("split", ["val", "train"])
def test_a_score_at_home_is_of_frames_that_nobody_learns(split: str, tiny_world: Path, tmp_path: Path) -> None:
    """GTA5 and SYNTHIA come as one split: who lists frames to keep apart must list the others too."""
    root = Path(shutil.copytree(tiny_world, tmp_path / "world"))
    (train,) = (root / "synthia").rglob("train.txt")
    train.with_name("val.txt").write_text(train.with_name(f"{split}.txt").read_text())
    request = Request("syn2city", "st", data_root=str(root))
    if split == "val":
        assert Chain(request).data.has("source_val")
        return
    with pytest.raises(UserError, match=r"of source_val, .* are in source_train too, whose labels are learnt"):
        Chain(request)


def test_weights_that_a_later_round_will_read_must_be_there_at_once(tmp_path: Path, monkeypatch: Any) -> None:
    """ProDA's SimCLRv2 weights are read days after the chain starts. A relative path means another file to a stage."""
    with pytest.raises(UserError, match=r"method.round.2.model.weights=r101_1x_sk0.pth: no such file"):
        Request("gta2city", "proda", profile="paper").resolve()
    Request("gta2city", "proda", profile="paper").resolve(files=False)  # `doctor --step` computes on noise
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.pth").touch()
    for path, problem in (("own.pth", "relative"), (str(tmp_path / "other.pth"), "no such file")):
        asked = Request("gta2city", "proda", profile="paper", overrides=(f"method.round.2.model.weights={path}",))
        with pytest.raises(UserError, match=problem) as error:
            asked.resolve()
        assert "--set method.round.2.model.weights=/" in str(error.value)
    whole = f"method.round.2.model.weights={tmp_path / 'own.pth'}"
    Request("gta2city", "proda", profile="paper", overrides=(whole,)).resolve()
    with pytest.raises(UserError, match=r"profile.model.weights=/nowhere"):
        Request("gta2city", "iast", profile="paper", overrides=("profile.model.weights=/nowhere/x.pth",)).resolve()
