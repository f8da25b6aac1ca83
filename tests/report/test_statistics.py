"""How sure a comparison is: intervals and tests by SciPy, worlds apart unless asked, and no number from nothing."""

from __future__ import annotations

import csv
import io
import json
import math
import random

import numpy as np
import pytest
from scipy import stats

from tests.report.test_comparison import parent
from udamlf.report.comparison import CONFIG, MATCHED, Row, baselines, difference, estimate, frame, rows
from udamlf.report.tables import render

ST, SOURCE = {0: 44.0, 1: 42.5, 2: 43.1, 3: 45.2}, {0: 40.0, 1: 40.5, 2: 38.9, 4: 10.0}


def chains(scores: dict[str, dict[int, float]], **tags: str) -> list:
    """A parent run for every method and seed."""
    return [parent(f"{m}{s}", m, s, v, **tags) for m, by_seed in scores.items() for s, v in by_seed.items()]


def test_interval_and_paired_test_are_scipys() -> None:
    """On a hand-made table: the t-interval of a mean, and of the differences on the seeds that both have."""
    mean = estimate(ST.values())
    low, high = stats.t.interval(0.95, 3, np.mean(list(ST.values())), stats.sem(list(ST.values())))
    assert mean is not None and mean["n"] == 4
    assert (mean["low"], mean["high"]) == pytest.approx((low, high))
    test = stats.ttest_rel([44.0, 42.5, 43.1], [40.0, 40.5, 38.9])
    paired = difference(ST, SOURCE)
    assert paired is not None and paired["n"] == 3 and paired["mean"] == pytest.approx(3.4)
    assert (paired["low"], paired["high"]) == pytest.approx(tuple(test.confidence_interval(0.95)))
    assert paired["p"] == pytest.approx(test.pvalue)


def test_one_seed_allows_a_mean_and_nothing_else_and_says_so() -> None:
    assert estimate([]) is None and difference({0: 1.0}, {1: 1.0}) is None
    assert estimate([3.0]) == {"mean": 3.0, "std": None, "low": None, "high": None, "n": 1}
    assert difference({0: 3.0}, {0: 1.0}) == {"mean": 2.0, "std": None, "low": None, "high": None, "n": 1, "p": None}
    table = rows(chains({"st": {0: 44.0}, "source_only": {0: 40.0, 1: 41.0}}))
    text = render(table, "table", content="summary")
    assert "st" in text.splitlines()[-1] and "one seed, so neither interval nor test" in text.splitlines()[-1]
    assert "source_only" not in text.splitlines()[-1]
    assert "[" not in next(line for line in text.splitlines() if line.startswith("st "))


def test_differences_without_spread_have_no_test() -> None:
    """Their p would be 0, or 0 by 0, or that of rounding: 40.3 - 38.1 and 41.4 - 39.2 are not one float."""
    same = difference({0: 1.0, 1: 2.0}, {0: 0.0, 1: 1.0})
    assert same is not None and (same["low"], same["mean"], same["high"], same["p"]) == (1.0, 1.0, 1.0, None)
    rounded = difference({0: 40.3, 1: 41.4, 2: 39.6}, {0: 38.1, 1: 39.2, 2: 37.4})
    assert rounded is not None and rounded["std"] > 0 and rounded["p"] is None


def test_the_order_of_the_runs_does_not_matter() -> None:
    runs = chains({"st": ST, "source_only": SOURCE, "cbst": {0: 41.0, 3: 42.0}})
    expected = render(rows(runs), "json")
    for seed in range(5):
        random.Random(seed).shuffle(runs)
        assert render(rows(runs), "json") == expected


def worlds() -> list:
    """Three worlds with a level each, and a gain of 3 ± 1 in them."""
    levels = {"w1": 30.0, "w2": 50.0, "w3": 40.0}
    return [
        run
        for number, (world, level) in enumerate(levels.items())
        for run in chains({"st": {0: level + 2 + number}, "source_only": {0: level}}, **{"udamlf.data": world})
    ]


def test_worlds_are_pooled_on_demand_only_and_paired_by_world_and_seed() -> None:
    apart, pooled = rows(worlds()), rows(worlds(), over="worlds")
    assert len(apart) == 6 and all(len(row.seeds) == 1 for row in apart)
    assert [len(row.seeds) for row in pooled] == [3, 3]
    (gain,) = (row.estimates(pooled[0])["miou"]["16"] for row in pooled if row.method == "st")
    assert gain is not None and (gain["mean"], gain["n"]) == (3.0, 3)
    assert gain["p"] == pytest.approx(stats.ttest_rel([32, 53, 44], [30, 50, 40]).pvalue)
    assert "over 3 worlds" in render(pooled, "table") and "worlds" not in render(apart, "table")


def test_a_world_counts_once_by_its_lowest_seed() -> None:
    """Its seeds share it: as independent they would make intervals of new worlds too narrow. Every number of a row, its
    cost too, is then of the same runs; one world alone has no interval."""
    more = chains({"st": {1: 36.0, 2: 37.0}, "source_only": {1: 31.0, 2: 33.0}}, **{"udamlf.data": "w1"})
    pooled = rows([*worlds(), *more], over="worlds")
    assert render(pooled, "json") == render(rows(worlds(), over="worlds"), "json")
    assert [row.seeds for row in pooled] == [[0, 0, 0]] * 2
    (alone,) = rows(more[:2], over="worlds")
    assert alone.seeds == [1] and (alone.estimates()["miou"]["16"] or {})["low"] is None


def test_a_gain_shows_which_runs_it_has_no_baseline_for() -> None:
    table = rows(chains({"source_only": {1: 40.5, 2: 38.9}, "st": {0: 44.0, 1: 42.5, 2: 43.1}}))
    lines = [line for content in ("gains", "summary") for line in render(table, "table", content=content).splitlines()]
    gains, summary = (line for line in lines if line.startswith("st "))
    assert "(- / +2.0 / +4.2)" in gains and " n=2" in summary


def test_a_table_names_the_devices_where_there_are_several() -> None:
    runs = [parent("a", "st", device="AMD EPYC, NVIDIA H200"), parent("b", "source_only", device="AMD EPYC")]
    assert "trained on AMD EPYC and NVIDIA H200" in render(rows(runs), "table")
    runs[0] = parent("a", "st", device="AMD EPYC, x86_64")  # as versions recorded it that did not know the model
    assert "trained on" not in render(rows(runs), "table")


def test_real_data_are_never_pooled() -> None:
    runs = chains({"st": {0: 40.0}}, data="real", **{"udamlf.data": "a"})
    runs += chains({"st": {0: 50.0}}, data="real", **{"udamlf.data": "b"})
    assert len(rows(runs, over="worlds")) == 2


def test_json_keeps_its_keys_and_has_intervals_and_deltas() -> None:
    runs = chains({"source_only": SOURCE, "st": ST}, **{MATCHED: "none"})
    source_only, st = json.loads(render(rows(runs), "json"))
    names = "scenario method recipe profile data split network overrides seeds worlds run_ids miou iou source delta"
    assert list(st) == names.split()
    assert st["miou"]["16"].keys() == {"mean", "std", "low", "high", "n"}
    delta = st["delta"]["source_only"]
    assert delta["miou"]["16"]["mean"] == pytest.approx(3.4) and delta["miou"]["16"]["n"] == 3
    assert delta["iou"]["road"]["mean"] == pytest.approx(6.8) and delta["iou"]["train"] is None
    assert delta["run_ids"] == source_only["run_ids"]
    assert st["delta"]["control"] == {"missing": "no run"} and source_only["delta"]["source_only"] == {"missing": "-"}


def test_the_table_of_pandas_and_csv_hold_the_same() -> None:
    table = rows(chains({"source_only": SOURCE, "st": ST}))
    data = frame(table)
    road = data[(data["method"] == "st") & (data["metric"] == "iou") & (data["name"] == "road")].iloc[0]
    assert road["over_source_only_mean"] == pytest.approx(6.8) and road["over_source_only_n"] == 3
    assert road["n"] == 4 and math.isnan(road["over_control_mean"])
    assert not data[data["name"] == "train"]["in_source"].any()
    line = list(csv.DictReader(io.StringIO(render(table, "csv"))))[road.name]
    assert (
        line["mean"] == f"{road['mean']:.4f}" and line["over_source_only_low"] == f"{road['over_source_only_low']:.4f}"
    )
    assert line["n"] == "4" and line["over_control_n"] == ""
    assert frame([]).empty and render([], "csv") == ""


def named(runs: list, name: str) -> dict[str, str]:
    table = rows(runs)
    found = {row.title: baselines(row, table, name)[name] for row in table}
    return {title: other.title if isinstance(other, Row) else other for title, other in found.items()}


def test_a_chosen_baseline_is_of_the_same_recipe_and_network() -> None:
    runs = [parent(f"{m}{r}", m, recipe=r) for m in ("st", "iast") for r in ("adapted", "published")]
    runs += [parent("other", "cbst", network="resnet38")]
    assert named(runs, "st") == {
        "iast (adapted)": "st (adapted)", "iast (published)": "st (published)", "st (adapted)": "-",
        "st (published)": "-", "cbst": "other network or protocol",
    }  # fmt: skip
    assert named(runs, "st (published)")["iast (adapted)"] == "st (published)"
    assert set(named(runs, "proda").values()) == {"no run"}
    longer = parent("longer", "proda", overrides="profile.round.steps=9", **{CONFIG: "longer"})
    assert named([*runs, longer], "proda")["iast (adapted)"] == "other overrides"


def test_class_deltas_are_marked_where_their_interval_is_without_0() -> None:
    table = rows(chains({"source_only": {0: 40.0, 1: 40.2, 2: 40.1}, "st": {0: 44.0, 1: 44.1, 2: 44.2}}))
    line = next(line for line in render(table, "table", "source_only").splitlines() if line.startswith("road"))
    assert "88.2 ±0.2 (+8.0*)" in line and "80.2 ±0.2 " in line
    assert "wall" in render(table, "table", "source_only") and "(+0.0)" in render(table, "table", "source_only")


def test_latex_compiles_in_its_outline() -> None:
    """Every line has the columns of its head, and nothing of LaTeX's stands unescaped."""
    table = rows(chains({"source_only": SOURCE, "st": ST}, overrides="a_b=1"))
    text = render(table, "latex", content="summary")
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in lines} == {5} and len(lines) == 3
    assert r"source\_only" in text and r"IoU in \% on the miniature" in text and r"\toprule" in text
