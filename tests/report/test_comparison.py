"""Rows of a comparison: which runs count, what is averaged, and what is never shown as a number."""

from __future__ import annotations

import csv
import io
import json
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from udamlf.common.errors import UserError
from udamlf.config.labels import CITYSCAPES_16
from udamlf.report.comparison import CODE, CONFIG, MATCHED, SCORED, Row, chains, rows, source_only_of
from udamlf.report.tables import NOT_IN_SOURCE, OTHER_CODE, render, render_evaluation, render_running


def parent(run_id: str, method: str = "st", seed: int = 0, score: float = 40.0, **tags: str) -> Any:
    """A finished parent run as the store returns it."""
    labels = {
        "scenario": "syn2city", "method": method, "seed": str(seed), "profile": "miniature", "data": "miniature",
        "split": "target_test", "overrides": "", "label_space": "cityscapes16", "udamlf.data": "d",
        "network": "compact", "udamlf.protocol": "p", "udamlf.config": method,
        "role": "baseline" if method in ("source_only", "adabn", "control") else "method", **tags,
    }  # fmt: skip
    metrics = {"miou/16": score, "miou/13": score + 5, "iou/road": 2 * score, "iou/wall": 0.0, "source/miou/16": 60.0}
    return SimpleNamespace(
        info=SimpleNamespace(run_id=run_id, run_name=run_id), data=SimpleNamespace(tags=labels, metrics=metrics)
    )


def test_seeds_of_one_method_are_one_row_with_mean_and_deviation() -> None:
    (row,) = rows([parent("c", seed=2, score=46), parent("b", seed=1, score=43), parent("a", seed=0, score=40)])
    assert (row.seeds, row.run_ids) == ([0, 1, 2], ["a", "b", "c"])
    value = row.estimates()["miou"]["16"]
    assert value is not None
    assert (value["mean"], value["std"], value["n"]) == (43, statistics.stdev([40, 43, 46]), 3)


def test_the_newest_run_of_a_seed_counts() -> None:
    (row,) = rows([parent("new", score=50), parent("old", score=10)])
    assert row.run_ids == ["new"]


def test_runs_of_an_older_configuration_are_not_averaged_in() -> None:
    (row,) = rows([parent("new", seed=1, **{"udamlf.config": "edited"}), parent("old", seed=0)])
    assert row.run_ids == ["new"]


@pytest.mark.parametrize(
    "tag", ["scenario", "profile", "data", "split", "udamlf.data", "recipe", "network", "udamlf.protocol"]
)
def test_what_cannot_be_compared_is_not_averaged(tag: str) -> None:
    assert len(rows([parent("a", seed=0), parent("b", seed=1, **{tag: "real" if tag == "data" else "other"})])) == 2


def test_overrides_that_make_another_configuration_are_another_row_and_others_are_not() -> None:
    """A step count that a method has no use for; the gain of a chain with it is over that row too."""
    plain, set_ = parent("a", "source_only", score=30), parent("b", "source_only", 1, 31, overrides="x=1")
    st = parent("c", "st", 1, 35, overrides="x=1", **{"udamlf.source_only": "source_only"})
    source_only, method = rows([st, set_, plain])
    assert (source_only.seeds, source_only.overrides) == ([0, 1], "")
    assert source_only_of(method, [source_only, method]) is source_only
    other = parent("d", "source_only", overrides="x=2", **{"udamlf.config": "other"})
    assert len(rows([other, plain])) == 2


def test_a_class_that_does_not_occur_or_is_not_in_the_source_has_no_number() -> None:
    (row,) = rows([parent("a")])
    iou = row.estimates()["iou"]
    assert iou["wall"] == {"mean": 0.0, "std": None, "low": None, "high": None, "n": 1}
    assert iou["bus"] is None and iou["train"] is None
    table = render([row], "table")
    lines = {line.split()[0]: line for line in table.splitlines() if line.strip()}
    assert lines["train"].endswith(NOT_IN_SOURCE) and lines["bus"].endswith("-") and lines["wall"].endswith("0.0")
    assert json.loads(render([row], "json"))[0]["iou"]["train"] is None


def make(*methods: str) -> list[Row]:
    return rows([parent(method, method) for method in methods])


def test_baselines_come_first_and_every_class_and_subset_is_there() -> None:
    table = make("st", "cbst", "control", "adabn", "source_only")
    assert [row.method for row in table] == ["source_only", "adabn", "control", "cbst", "st"]
    names = ["mIoU 16", "mIoU 13", *CITYSCAPES_16.classes, *CITYSCAPES_16.not_in_source, "source mIoU"]
    lines = [line.split("  ") for line in render(table, "table").splitlines()[2:]]
    assert [line[0] for line in lines[2:]] == names


def test_markdown_has_methods_as_rows_and_classes_as_columns() -> None:
    """The published form: one line a method, its seeds, subsets and classes, ready to paste."""
    table = make("st", "source_only")
    head, rule, *lines = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in render(table, "markdown").splitlines()
        if line.startswith("|")
    )
    names = ["mIoU 16", "mIoU 13", *CITYSCAPES_16.classes, *CITYSCAPES_16.not_in_source, "source mIoU"]
    assert head == ["method", "seeds", *names] and all(set(cell) <= {"-", ":"} for cell in rule)
    assert [line[0] for line in lines] == ["source_only", "st"]
    for line, row in zip(lines, table, strict=True):
        cells = dict(zip(head, line, strict=True))
        assert cells["road"] == f"{row.estimates()['iou']['road']['mean']:.1f}" and cells["train"] == NOT_IN_SOURCE


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_table_of_the_miniature_says_so_and_one_of_real_data_does_not(form: str) -> None:
    assert "miniature (procedural scenes)" in render(make("st"), form)
    assert "procedural" not in render(rows([parent("a", data="real", profile="paper")]), form)


def test_shared_overrides_are_named_once_and_own_ones_beside_the_method() -> None:
    both = rows([parent("a", "st", overrides="x=1 rounds=2"), parent("b", "source_only", overrides="x=1")])
    table = render(both, "table")
    assert "with x=1" in table.splitlines()[0] and "st (rounds=2)" in table
    assert table.count("x=1") == 1


def test_json_and_csv_hold_the_same_numbers() -> None:
    table = make("source_only", "st")
    parsed = json.loads(render(table, "json"))
    assert {"scenario", "method", "profile", "seeds", "run_ids", "miou", "iou"} <= set(parsed[0])
    lines = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    st = {line["name"]: line["mean"] for line in lines if line["method"] == "st" and line["metric"] == "iou"}
    assert st["road"] == f"{parsed[1]['iou']['road']['mean']:.4f}"
    assert st["train"] == NOT_IN_SOURCE and st["bus"] == ""


def test_one_evaluation_is_shown_with_its_protocol() -> None:
    result = {"run_id": "r", "split": "target_test", "images": 4, "protocol": {"flip": True},
              "miou": {"16": 40.0, "13": None}, "iou": {"road": 80.0, "train": None}}  # fmt: skip
    table = render_evaluation(result, CITYSCAPES_16)
    assert "target_test, 4 images" in table and "flip True" in table
    assert NOT_IN_SOURCE in table and "80.0" in table


def gains(runs: list[Any]) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in render(rows(runs), "markdown", content="gains").splitlines()[4:]]
    return [[cell.strip() for cell in line] for line in lines]


def test_gains_are_paired_by_seed_with_source_only_and_the_matched_control() -> None:
    """On the seeds that both have. A control is named after what it is matched to; a reference gains nothing over
    itself, and the control of another method is none."""
    runs = [parent(f"s{seed}", "st", seed, 41.0 + 2 * seed, recipe="adapted", **{MATCHED: "k"}) for seed in range(3)]
    runs += [parent("p", "st", 0, 30.0, recipe="published", **{MATCHED: "longer"})]
    runs += [parent(f"b{seed}", "source_only", seed, 40.0 + seed) for seed in range(2)]
    runs += [parent("k0", "control", 0, 39.0, **{CONFIG: "k"}), parent("o", "control", 0, 99.0, **{CONFIG: "other"})]
    assert gains(runs) == [
        ["source_only", "40.0 / 41.0", "40.5 ± 0.7", "-", "-", "60.0 ± 0.0"],
        ["control of st (adapted)", "39.0", "39.0", "-1.0 (-1.0)", "-", "60.0, +0.0 (+0.0)"],
        ["control", "99.0", "99.0", "+59.0 (+59.0)", "-", "60.0, +0.0 (+0.0)"],
        ["st (adapted)", "41.0 / 43.0 / 45.0", "43.0 ± 2.0", "+1.5 (+1.0 / +2.0 / -)", "+2.0 (+2.0 / - / -)",
         "60.0 ± 0.0, +0.0 (+0.0 / +0.0 / -)"],
        ["st (published)", "30.0", "30.0", "-10.0 (-10.0)", "no run", "60.0, +0.0 (+0.0)"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"network": "resnet38"}, "other network (compact)"),
        ({"udamlf.protocol": "flip"}, "other protocol"),
        ({"overrides": "profile.warmup.steps=3"}, "no run"),
        ({"overrides": "method.rounds=2"}, "+1.0 (+1.0)"),  # source_only does not read it
        ({"seed": "4"}, "other seeds"),
        ({"udamlf.source_only": "edited"}, "other configuration"),  # a file was edited between the two
    ],
)
def test_a_gain_over_what_cannot_be_compared_says_why_there_is_none(tags: dict[str, str], reason: str) -> None:
    lines = gains([parent("a", "st", score=41.0, **tags), parent("b", "source_only", score=40.0)])
    assert next(line for line in lines if line[0].startswith("st"))[3] == reason


def test_chains_that_other_code_has_scored_are_told() -> None:
    chains = [parent(f"a{seed}", "st", seed, **{CODE: code}) for seed, code in enumerate(("old", "new"))]
    for content in ("classes", "gains"):
        assert OTHER_CODE in render(rows(chains), "markdown", content=content)
        assert OTHER_CODE not in render(rows([chains[0], parent("b", "iast")]), "markdown", content=content)


def test_worlds_are_never_compared_with_each_other() -> None:
    """Two data sets under one scenario: a table each, named by their digest, and gains within it."""
    worlds = {"one": (60.0, 50.0), "two": (50.0, 40.0)}
    runs = [parent(f"{w}{m}", m, score=s, **{"udamlf.data": w})
            for w, scores in worlds.items() for m, s in zip(("st", "source_only"), scores, strict=True)]  # fmt: skip
    text = render(rows(runs), "markdown", content="gains")
    assert text.count("+10.0 (+10.0)") == 2 and "data one" in text and "data two" in text
    assert "data one" not in render(rows(runs[:2]), "markdown", content="gains")


def test_networks_are_named_where_a_table_has_several() -> None:
    text = render(rows([parent("a", "st", network="resnet38"), parent("b", "source_only")]), "markdown")
    assert "st (resnet38)" in text and "source_only (compact)" in text


def test_a_running_chain_shows_its_last_scored_round() -> None:
    begun, new = parent("iast-s0", "iast", rounds="3", **{SCORED: "1"}), parent("st-s0")
    begun.data.metrics = {"miou": 43.21}
    new.data.metrics = {}
    lines = render_running([begun, new]).splitlines()[1:]
    assert lines == [
        "running: syn2city iast-s0, round 1 of 3: mIoU 43.2", "running: syn2city st-s0, not scored yet",
    ]  # fmt: skip
    assert render_running([]) == ""


def test_a_long_name_does_not_make_its_column_wide() -> None:
    overrides = "method.round.selector.alpha=0.3 profile.round.steps=60 profile.evaluation.flip=true"
    text = render(rows([parent("a", "iast", overrides=overrides), parent("b", "source_only")]), "table")
    lines = text.splitlines()[2:]
    assert max(map(len, lines)) < 80 and all(word in text for word in overrides.split())


def test_a_scenario_is_asked_for_by_name_or_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: fields")
    assert chains(str(tmp_path / "mine.yaml")) == chains("fields")
    with pytest.raises(UserError, match="no file"):
        chains(str(tmp_path / "no.yaml"))


def test_an_empty_store_says_how_to_fill_it() -> None:
    assert "udamlf run" in render(rows([]), "table") and render(rows([]), "json") == "[]"


def test_cost_stands_beside_the_score_and_is_empty_where_nobody_recorded_it() -> None:
    """Means over the seeds in every form, on which device; a chain of an earlier version has empty cells."""
    measured = [parent(f"s{seed}", "st", seed, 40.0 + 2 * seed, device="H100") for seed in range(2)]
    for seed, run in enumerate(measured):
        numbers = {"parameters": 4.2e5, "gflops": 1.25, "frames_per_second": 50.0 + seed, "hours": 0.25}
        run.data.metrics |= {f"cost/{name}": value for name, value in numbers.items()}
    compared = rows([*measured, parent("old", "source_only")])
    lines = [
        [c.strip() for c in line.split("|")[1:-1]]
        for line in render(compared, "markdown", content="cost").splitlines()[4:]
    ]
    empty = ["", "", "", "", ""]
    assert lines == [["source_only", "40.0", *empty], ["st", "41.0", "0.42", "1.25", "50.5", "0.250", "H100"]]
    old, st = json.loads(render(compared, "json", content="cost"))
    assert (old["hours"], st["hours"], st["frames_per_second"], st["device"]) == (None, 0.25, 50.5, "H100")
    old, st = csv.DictReader(io.StringIO(render(compared, "csv", content="cost")))
    assert (old["hours"], st["hours"], st["parameters"]) == ("", "0.25", "420000")
    assert "cost" not in str(render(compared, "csv")), "no class is called so"
