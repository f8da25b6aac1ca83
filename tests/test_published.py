"""docs/published.md: every hyper-parameter of a release, ours, equal or a named deviation."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.published import PAGE, ROOT, equal, our_value, page, read
from udamlf.config.compose import available, resolve
from udamlf.evaluation.predict import input_sizes

SEEDS = ("st", "cbst", "cbst_sp", "crst_mrkld", "iast", "hiast", "advent", "intrada", "proda")
ONLINE = ("daformer", "hrda", "mic", "mic_hrda")
ROWS = [(method, row) for method, rows in read().items() for row in rows]


@pytest.mark.parametrize(("method", "row"), ROWS, ids=[f"{method}: {row['what']}" for method, row in ROWS])
def test_a_row_is_equal_or_a_named_deviation(method: str, row: dict[str, Any]) -> None:
    """Equal values need no excuse, others have one; what is no value is shown by a test that exists."""
    ways = {"key", "constant", "ours"} & row.keys()
    assert len(ways) == 1 and {"what", "released"} <= row.keys()
    assert row.keys() <= {*ways, "what", "released", "source", "scenario", "test", "deviation"}
    if "test" in row:
        file, name = row["test"].split("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.M) and "deviation" not in row
    elif "ours" in row:
        assert row["deviation"]
    else:
        assert equal(row["released"], our_value(method, row)) == ("deviation" not in row)


def test_the_page_is_that_of_the_rows() -> None:
    """`python -m tests.published` makes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_seed_is_there() -> None:
    assert tuple(read()) == (*SEEDS, *ONLINE) and set(read()) <= set(available("methods"))


def test_sizes_of_none_are_native() -> None:
    """What the page calls native."""
    for method in ("st", "proda"):
        assert input_sizes(resolve("gta2city", method, "paper").profile.evaluation, (1024, 2048)) == [(1024, 2048)]


def test_equal_is_to_four_digits() -> None:
    assert equal([1e-4, [2, True]], [0.0001, [2.0, True]]) and equal(7.0711e-5, 7.071e-5)
    assert not equal(0.1, 0.101) and not equal([1, 2], [1]) and not equal("sgd", "adam") and not equal(0, None)
