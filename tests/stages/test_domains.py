"""Which images a training reads: a growing share of the source, or the two splits of the target."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.config.schema import Round
from udamlf.data.pseudo_labels import PseudoLabels, publish
from udamlf.data.sample import Sample
from udamlf.stages.images import Images, _part, picked_source

COUNT = 40


def images(count: int = COUNT, name: str = "source_train") -> Images:
    """Image i has value i and label i mod 3."""

    def label(index: int) -> np.ndarray:
        return np.full((2, 3), index % 3, np.uint8)

    return Images(name, count, lambda i: Sample(np.full((2, 3, 3), i, np.uint8), label(i)), label)


def described(**changes: object) -> Round:
    return Round(objective=Part(name="self_training"), **changes)  # type: ignore[arg-type]


def picks(round: int, seed: int = 3, **changes: object) -> list[int]:
    chosen = picked_source(images(), described(**changes), round, seed)
    return [int(chosen.read(i).image[0, 0, 0]) for i in range(chosen.count)]


def test_cumulative_picks_grow_and_contain_the_earlier_ones() -> None:
    """Round r's images are the first of round r+1's; the last portion of the list repeats."""
    portions = (0.1, 0.25, 0.5)
    rounds = [picks(r, source_portion=portions) for r in (1, 2, 3, 4)]
    assert [len(r) for r in rounds] == [4, 10, 20, 20]
    for earlier, later in pairwise(rounds):
        assert later[: len(earlier)] == earlier
    assert len(set(rounds[-1])) == 20 and picks(1, seed=4, source_portion=portions) != rounds[0]


def test_random_picks_are_drawn_anew() -> None:
    """Same size, other images, the same ones whenever asked."""
    first, second = (picks(r, source_portion=0.5, source_policy="random") for r in (1, 2))
    assert len(first) == len(second) == 20 and set(first) != set(second)
    assert first == picks(1, source_portion=0.5, source_policy="random")


def test_a_portion_of_one_is_the_whole_list_and_of_none_no_source() -> None:
    """1 keeps the list as it is, in its order; 0 leaves the source out, as IAST does."""
    assert picks(1) == list(range(COUNT)) and picks(1, source_portion=1.0) == list(range(COUNT))
    assert picked_source(images(), described(source_portion=0.0), 1, 0).count == 0


def test_less_than_one_image_is_an_error() -> None:
    """floor(40 * 0.02) = 0: the training would silently have no source."""
    with pytest.raises(UserError, match="less than one image"):
        picked_source(images(), described(source_portion=0.02), 1, 0)


def ranking(folder: Path, easy: list[int], hard: list[int]) -> PseudoLabels:
    publish(
        folder,
        ((f"image{i}", np.zeros((2, 3), np.uint8)) for i in easy),
        lambda: ({"label_space": "toy"}, {"easy": np.array(easy, np.int64), "hard": np.array(hard, np.int64)}),
    )
    return PseudoLabels(folder)


def test_a_part_of_the_target_is_what_the_selector_published(tmp_path: Path) -> None:
    """In the order of the ranking, with the labels; an empty part has no image."""
    labels = ranking(tmp_path, [3, 0], [4, 1, 2])
    easy, hard = (_part(images(5, "target_train"), labels, f"labels.{name}") for name in ("easy", "hard"))
    assert [int(easy.read(i).image[0, 0, 0]) for i in range(easy.count)] == [3, 0]
    assert [int(hard.read(i).image[0, 0, 0]) for i in range(hard.count)] == [4, 1, 2]
    assert easy.class_pixels(3).tolist() == [[6, 0, 0], [6, 0, 0]] and easy.label(1).max() != IGNORE
    assert _part(images(2), ranking(tmp_path / "all", [1, 0], []), "labels.hard").count == 0


def test_a_part_that_no_selector_publishes_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no part labels.easy"):
        _part(images(2), None, "labels.easy")
    with pytest.raises(UserError, match=r"no part labels.middle"):
        _part(images(2), ranking(tmp_path, [0], [1]), "labels.middle")
