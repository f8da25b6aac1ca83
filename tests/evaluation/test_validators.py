"""Validators and calibration by hand-made values and by their properties; what ranks them, on a hand-made table."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from torch import Tensor

from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.evaluation.calibration import LEVELS, expected_calibration_error, reliability, stored_confidence
from udamlf.evaluation.validators import entropy, soft_neighbourhood_density, validators
from udamlf.report import validators as report

seeds = st.integers(0, 2**31)


def probabilities(seed: int, *shape: int) -> Tensor:
    """Softmax of noise over the first axis."""
    return torch.from_numpy(rng(seed, "scores").normal(0, 3, shape).astype(np.float32)).softmax(0)


def test_entropy_by_hand() -> None:
    """Of a certain pixel 0, of an undecided one all; (1/2, 1/4, 1/4) has 1.5 bits of log2(3)."""
    pixels = torch.tensor([[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]]).T
    for column, expected in enumerate((0.0, 100.0, 150 / math.log2(3))):
        assert entropy(pixels[:, [column]]) == pytest.approx(expected, abs=1e-4)


def test_density_by_hand() -> None:
    """Three equal pixels: each sees two equal neighbours, log 2. Two pairs of opposite classes: a pixel sees its twin
    exp(1 / temperature) times as near as each of the two others."""
    same = torch.tensor([[0.6, 0.4]] * 3)
    assert soft_neighbourhood_density(same) == pytest.approx(math.log(2))
    pairs = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    other = 1 / (math.exp(1 / 0.5) + 2)
    expected = -(1 - 2 * other) * math.log(1 - 2 * other) - 2 * other * math.log(other)
    assert soft_neighbourhood_density(pairs, temperature=0.5) == pytest.approx(expected)


def test_agreement_and_balance_by_hand() -> None:
    """Three of four pixels keep their class; classes 0, 1, 0, 1 are balanced, one class alone is not at all."""
    weak = torch.tensor([[[0.9, 0.2, 0.6, 0.1]], [[0.1, 0.8, 0.4, 0.9]]])
    seen = validators([(weak, weak[..., [0, 1, 1, 3]])])
    assert seen["validator/agreement"] == 75 and seen["validator/balance"] == pytest.approx(100)
    assert validators([(weak[..., :1], weak[..., :1])])["validator/balance"] == 0


@given(seeds)
def test_validators_do_not_depend_on_the_order_of_classes(seed: int) -> None:
    weak, strong = probabilities(seed, 4, 5, 6), probabilities(seed + 1, 4, 5, 6)
    turned = torch.from_numpy(rng(seed, "order").permutation(4))
    first, second = (validators([(weak[order], strong[order])]) for order in (torch.arange(4), turned))
    assert first == pytest.approx(second, rel=1e-4)
    assert first.keys() == {f"validator/{name}" for name in report.BETTER}
    assert 0 <= first["validator/snd"] <= math.log(31) + 1e-9
    assert all(0 <= first[f"validator/{name}"] <= 100.001 for name in ("entropy", "agreement", "balance"))


def test_calibration_by_hand() -> None:
    """Guo et al.: (2/15, 3/15] holds its upper end. Two bins of one and three pixels, 0.2 and 0.1 off."""
    confidence = np.array([0.2, 0.9, 0.9, 0.9])
    table = reliability(confidence, np.array([False, True, True, True]))
    assert np.flatnonzero(table[0]).tolist() == [2, 13] and table[:, 13].tolist() == pytest.approx([3, 3, 2.7])
    assert expected_calibration_error(table) == pytest.approx(25 * 0.2 + 75 * 0.1)
    assert math.isnan(expected_calibration_error(np.zeros((3, 15))))


@given(seeds)
def test_a_calibrated_confidence_has_no_error_and_tables_add_up(seed: int) -> None:
    generator = rng(seed, "calibration")
    confidence = generator.random(20_000)
    right = generator.random(20_000) < confidence
    table = reliability(confidence, right)
    assert expected_calibration_error(table) < 3
    assert 10 < expected_calibration_error(reliability(confidence, ~right)) <= 100
    parts = [reliability(confidence[part], right[part]) for part in (slice(0, 7), slice(7, None))]
    np.testing.assert_allclose(parts[0] + parts[1], table)


def test_what_is_stored_is_the_probability_of_the_label_not_the_highest() -> None:
    scores = torch.tensor([[[0.7, 0.2, 0.5]], [[0.3, 0.8, 0.5]]])
    stored = stored_confidence(scores, np.array([[1, 1, IGNORE]], np.uint8))
    assert stored.dtype == np.uint8 and stored.tolist() == [[round(0.3 * LEVELS), round(0.8 * LEVELS), 0]]


def run(run_id: str, name: str, tags: dict[str, str], metrics: dict[str, float]) -> Any:
    info, data = SimpleNamespace(run_id=run_id, run_name=name), SimpleNamespace(tags=tags, metrics=metrics)
    return SimpleNamespace(info=info, data=data)


@pytest.fixture
def table() -> pd.DataFrame:
    """Three chains that share round 0; entropy falls where mIoU rises, balance with it; density is the same for all."""
    mious = {"a": [30.0, 35, 40], "b": [30.0, 32, 31], "c": [30.0, 20, 10]}
    place = {"scenario": "gta2city", "data": "miniature", "profile": "p", "split": "s", "label_space": "cityscapes19"}
    chains, evaluations = [], {}
    for name, values in mious.items():
        ids = {f"udamlf.run.evaluate.{n}": f"{name}{n}" if n else "warm-up" for n in range(3)}
        chains.append(run(name, f"{name}-s0", {**place, **ids}, {}))
        for run_id, miou in zip(ids.values(), values, strict=True):
            seen = {"entropy": -miou, "snd": 1.0, "agreement": -miou, "balance": miou**2}
            metrics = {"miou/19": miou} | {f"validator/{k}": v for k, v in seen.items()}
            evaluations[run_id] = run(run_id, "", {}, metrics)
    return report.trainings(chains, evaluations.values())


def test_ranking_by_hand(table: pd.DataFrame) -> None:
    """A perfect validator +1, its opposite -1 and the worst choice, a constant one none."""
    assert len(table) == 9 and table["last"].sum() == 3
    ranked = report.ranking(table)
    assert ranked.loc["entropy", ["by methods", "by rounds"]].tolist() == [1, 1]
    assert ranked.loc["agreement", ["by methods", "by rounds"]].tolist() == [-1, -1]
    assert ranked.loc["entropy", "chooses"] == ranked.loc["miou", "chooses"] == "a-s0 round 2"
    assert ranked.loc["agreement", ["chooses", "its mIoU"]].tolist() == ["c-s0 round 2", 10]
    assert math.isnan(ranked.loc["snd", "by methods"])
    shown = report.render(table)
    assert "by methods" in shown and "3 chains" in shown and "trained on" in shown


def test_ranking_is_scipys(table: pd.DataFrame) -> None:
    """On noise with ties, over the last trainings of 20 chains."""
    noise = rng(0, "ranking").integers(0, 8, (20, 2))
    lines = [table.iloc[0].to_dict() | {"chain": n, "run_id": n, "last": True, "snd": a, "miou": b}
             for n, (a, b) in enumerate(noise)]  # fmt: skip
    expected = spearmanr(noise[:, 0], noise[:, 1]).statistic
    assert report.ranking(pd.DataFrame(lines)).loc["snd", "by methods"] == pytest.approx(expected)


def test_a_store_of_earlier_chains_has_no_ranking(table: pd.DataFrame) -> None:
    assert "no finished chain" in report.render(table[:0])
