"""Wrong names and values of configurations: refused, by name, with the nearest one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from udamlf.common.errors import UserError
from udamlf.config.compose import CONFIGS, resolve
from udamlf.config.reading import read_yaml
from udamlf.runs.plan import Request


def refused(*, overrides: tuple[str, ...] = (), method: str = "st", **changes: Any) -> str:
    """The message of a refused configuration."""
    with pytest.raises(UserError) as caught:
        Request(**{"scenario": "gta2city", "method": method, "overrides": overrides, **changes}).resolve()
    return str(caught.value)


def test_balanced_statistics_that_nothing_re_estimates_are_refused() -> None:
    """They would be silently idle; a re-estimation before the labelling alone does not take them."""
    for value in ("[]", "[labelling]"):
        text = refused(method="ema_mix_balanced", overrides=(f"method.round.reestimate_bn={value}",))
        assert "balanced_bn without a re-estimation" in text and "balanced_bn=false" in text


@pytest.mark.parametrize(
    ("method", "override", "said"),
    [
        ("iast", "method.round.generator=teacher", "generator: teacher after a round of self_training, which has none"),
        ("st", "method.round.objective={name: proda}", "needs 'prototypes' of the labels"),
        ("iast", "method.round.objective.mining=cbst", "needs 'class_sizes' of the labels"),
        ("hiast", "method.round.selector.statistics=false", "needs 'class_mean_confidence' of the labels"),
        ("advent", "profile.warmup.batch.target=0", "adversarial with batch.target = 0"),
        ("ema_mix", "method.round.source_portion=0", "ema_mix with source_portion 0"),
        ("ema_mix", "profile.round.batch.target=2", "ema_mix: batch.source 4, target 2"),
        ("ema_mix_balanced", "profile.model={name: hrda, variant: tiny}", "balanced_bn with hrda, which sees windows"),
        ("proda", "method.round.1.labelling.window=[64,64]", "selector soft with labelling.window"),
    ],
)
def test_a_method_that_cannot_work_is_refused_before_it_begins(method: str, override: str, said: str) -> None:
    """Each would fail, or leave a part of itself out, hours after its warm-up."""
    assert said in refused(method=method, overrides=(override,))


def test_a_teacher_labels_a_round_of_another_objective(tmp_path: Path) -> None:
    """What counts is the objective of the round before; the last one needs no teacher."""
    selector = {"name": "instance_adaptive", "statistics": True}
    rounds = [
        {"selector": selector, "objective": {"name": "hiast"}},
        {"selector": selector, "objective": {"name": "self_training"}, "generator": "teacher"},
    ]
    method = {
        "name": "mixed",
        "title": "",
        "warmup": {"objective": {"name": "supervised"}},
        "rounds": 2,
        "round": rounds,
    }
    path = tmp_path / "mixed.yaml"
    path.write_text(yaml.safe_dump(method), encoding="utf-8")
    assert Request("gta2city", str(path)).resolve().method.rounds == 2
    assert "which has none" in refused(method=str(path), rounds=3)


@pytest.mark.parametrize(
    ("augmentation", "said"),
    [
        ("{nominal_width: 200, crop_height_range: [40, 60]}", "crop_height_range and nominal_width are two rules"),
        ("{cbst_length: 200, scale_range: [0.5, 1], crop_hw: [64, 128]}", "a square crop_hw"),
        ("{cbst_length: 200, crop_hw: [64, 64]}", "cbst_length goes with a scale_range"),
    ],
)
def test_rules_of_a_crop_that_exclude_one_another_are_refused(augmentation: str, said: str) -> None:
    assert said in refused(overrides=(f"profile.round.augmentation={augmentation}",))


def test_an_empty_block_of_a_round_changes_nothing() -> None:
    """As one that sets a single key leaves the others alone."""
    jitter = resolve("gta2city", "st").training(1).augmentation.jitter_target
    for block in ("{}", "{augmentation: {}}", "{augmentation: {flip: 0.1}}"):
        changed = resolve("gta2city", "st", overrides=[f"method.round.training={block}"]).training(1)
        assert changed.augmentation.jitter_target == jitter > 0


@pytest.mark.parametrize(
    ("override", "key", "nearest"),
    [
        ("profile.round.stepz=1", "profile.round.stepz", "steps"),
        ("profile.rond.steps=1", "profile.rond", "round"),
        ("profile.round.augmentation.flipp=1", "profile.round.augmentation.flipp", "flip"),
        ("method.round.objectiv.name=x", "method.round.objectiv", "objective"),
        ("method.round.objective.entrop=1", "entrop", "entropy"),
        ("method.round.selector.portoin=0.2", "portoin", "portion"),
        ("method.round.selector.name=globl", "globl", "global"),
        ("method.round.objective.name=self_trainin", "self_trainin", "self_training"),
        ("method.round.training.stepz=4", "stepz", "steps"),
        ("method.round.training.batch.sourc=4", "batch.sourc", "source"),
        ("method.round.labelling.flpi=true", "flpi", "flip"),
        ("profile.model.auxx=true", "auxx", "aux"),
        ("profile.model.name=compct", "compct", "compact"),
        ("method.round.model.auxx=true", "auxx", "aux"),
        ("profile.evaluation.scale=[1]", "profile.evaluation.scale", "scales"),
        ("scenario.splits.source_train.datset=x", "scenario.splits.source_train.datset", "dataset"),
        ("scenario.label_space=cityscapes91", "cityscapes91", "cityscapes19"),
        ("scenario.report=target_tst", "target_tst", "target_test"),
        ("sed=1", "sed", "seed"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(override: str, key: str, nearest: str) -> None:
    message = refused(overrides=(override,))
    found, hint = message.split("\n")[0], message.split("\n")[-1]
    assert key in found
    assert nearest in hint


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("profile.round.steps=-3", "greater than or equal to 0"),
        ("profile.round.steps=[]", "profile.round.steps"),
        ("profile.round.steps=many", "profile.round.steps"),
        ("profile.round.steps.x=3", "a value, not a block"),
        ("profile.round.optimiser.lr=-1", "profile.round.optimiser.lr"),
        ("profile.round.optimiser.name=sgdd", "'sgd', 'adam' or 'adamw'"),
        ("profile.round.batch.source=-1", "profile.round.batch.source"),
        ("profile.warmup.batch.source=0", "at least one source image"),
        ("profile.round.batch.target=0", "at least one target image"),
        ("profile.frames_hw=[0,5]", "profile.frames_hw"),
        ("profile.warmup=null", "profile.warmup"),
        ("profile.micro_batch=0", "profile.micro_batch"),
        ("profile.evaluation.output_hw=[4,4]", "profile.labelling.output_hw"),
        ("method.round.reestimate_bn=[beforee]", "reestimate_bn"),
        ("method.round.source_portion=1.5", "source_portion"),
        ("method.warmup.source=target", "'source_train' or 'target_train'"),
        ("method.round=null", "has no `round`"),
        ("seed=-4", "seed"),
        ("steps", "key=value"),
        ("=3", "key=value"),
        ("profile.round.steps=[1,", "not YAML"),
    ],
)
def test_a_bad_value_is_refused(override: str, said: str) -> None:
    assert said in refused(overrides=(override,))


@pytest.mark.parametrize("name", ["a/b", "-a", "a b", "a'b", "", "a" * 101])
def test_a_name_that_is_no_part_of_a_file_name_is_refused(name: str, tmp_path: Path) -> None:
    file = tmp_path / "method.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load((CONFIGS / "methods" / "st.yaml").read_text()), "name": name}))
    assert f": name is {name!r}"[:60] in refused(method=str(file))


@pytest.mark.parametrize(
    ("override", "found", "expected"),
    [
        ("profile.warmup.steps=abc", "profile.warmup.steps is 'abc'", "a valid integer"),
        ("profile.warmup.steps=-1", "profile.warmup.steps is -1", "greater than or equal to 0"),
        ("profile.warmup.batch=4", "profile.warmup.batch is 4", "a block of keys"),
        ("profile.warmup.batch={target: 1}", "profile.warmup.batch.source is missing", "a value for it"),
        ("profile.title={a: b}", "profile.title is a block", "a valid string"),
    ],
)
def test_a_refused_value_is_told_with_what_would_be_right(override: str, found: str, expected: str) -> None:
    first, second = refused(overrides=(override,)).splitlines()
    assert first.endswith(found) and second.startswith(f"expected: {expected}")


def test_the_words_of_a_rule_of_ours_stand_alone() -> None:
    said = refused(overrides=("profile.warmup.augmentation={crop_height_range: [8, 9], nominal_width: 9}",))
    assert said.endswith("augmentation: crop_height_range and nominal_width are two rules for a crop")


def test_unknown_names_of_files_are_refused_with_the_nearest_one() -> None:
    assert "gta2city" in refused(scenario="gta2cit")
    assert "'cbst'" in refused(method="cbts")
    assert "miniature" in refused(profile="minature")


def test_bad_arguments_are_refused() -> None:
    assert "0 or more" in refused(seed=-1)
    assert "at least 1 round" in refused(rounds=0)
    assert "source_only has none" in refused(method="source_only", rounds=2)


@pytest.mark.parametrize(
    ("change", "key", "nearest"),
    [
        (lambda tree: tree.update(tittle="x"), "tittle", "title"),
        (lambda tree: tree["round"].update(selektor={"name": "global"}), "round.selektor", "selector"),
        (lambda tree: tree["warmup"].update(objectif=tree["warmup"].pop("objective")), "warmup.objectif", "objective"),
    ],
)
def test_a_file_with_an_unknown_key_is_named(
    change: Callable[[dict[str, Any]], None], key: str, nearest: str, tmp_path: Path
) -> None:
    """The path of the file, the key and the nearest valid key; also where the typo hides a required key."""
    tree = yaml.safe_load((CONFIGS / "methods" / "st.yaml").read_text(encoding="utf-8"))
    change(tree)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    message = refused(method=str(path))
    assert str(path) in message and f"{key!r}" in message and nearest in message.split("\n")[-1]


@pytest.mark.parametrize(("text", "said"), [("a: [1,", "not YAML"), ("- 1", "holds list"), ("\x00", "not YAML")])
def test_a_file_that_is_no_mapping_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    message = refused(method=str(path))
    assert str(path) in message and said in message


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        ("name: a\nround: {}\ntitle: b\nround: {}\n", "round", (4, 2)),
        ("name: a\nwarmup:\n  objective: {name: supervised,\n    name: mic}\n", "name", (4, 3)),
        ("a: &x {b: 1}\nc: {<<: *x, b: 2,\n  b: 3}\n", "b", (3, 2)),
    ],
)
def test_a_key_that_stands_twice_is_named_with_both_lines(
    text: str, key: str, lines: tuple[int, int], tmp_path: Path
) -> None:
    """PyYAML would take the last one; a key that replaces one of a merged block stands once."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    message = refused(method=str(path))
    assert f"{path} is not YAML: key {key!r} stands there twice" in message
    assert [int(number) for number in re.findall(r"line (\d+)", message)] == [*lines]
    assert read_yaml("a: &x {b: 1}\nc: {<<: *x, b: 2}", "") == {"a": {"b": 1}, "c": {"b": 2}}
    assert read_yaml("a: &x {b: 1}\nc: &y {d: 2}\ne: {<<: *x, <<: *y}", "")["e"] == {"b": 1, "d": 2}
    assert read_yaml("{1: a, '1': b}", "") == {1: "a", "1": "b"}


def test_a_tab_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: a\nround:\n\tselector: x\n")
    assert all(text in refused(method=str(path)) for text in (str(path), r"'\t'", "line 3, ", "indented by spaces"))


def test_a_method_of_one_s_own_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((CONFIGS / "methods" / "cbst.yaml").read_text().replace("name: cbst\n", "name: mine\n"))
    assert resolve("gta2city", str(path)).method.name == "mine"
