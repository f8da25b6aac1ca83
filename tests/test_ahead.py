"""Work that threads do ahead: in order, so far and no further, and no thread is waited for by who gives it up."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from udamlf.common.ahead import ahead


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order_and_items_are_drawn_as_far_as_is_said(workers: int) -> None:
    drawn = list[int]()

    def items() -> object:
        for number in range(20):
            drawn.append(number)
            yield number

    results = ahead(lambda number: number * number, items(), workers)  # type: ignore[arg-type]
    assert next(results) == 0 and len(drawn) == 1 + 2 * workers
    assert list(results) == [number * number for number in range(1, 20)]


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    before, results = set(threading.enumerate()), ahead(lambda number: 6 // (number - 2), range(9), 2)
    assert [next(results), next(results)] == [-3, -6]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert set(threading.enumerate()) <= before


def test_who_gives_it_up_waits_for_no_thread() -> None:
    """The garbage collector does so wherever it runs, for instance in a thread that is being started: that thread holds
    a lock which the end of another one needs, so that to wait for that end was to wait for ever."""
    goes_on = threading.Event()
    results = ahead(lambda number: number == 0 or goes_on.wait(60), range(9), 2)
    assert next(results)
    close: Callable[[], None] = results.close  # type: ignore[attr-defined]
    closing = threading.Thread(target=close)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    goes_on.set()
