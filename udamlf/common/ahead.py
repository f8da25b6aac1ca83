"""Work that threads do ahead of whoever takes its results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int, each: int = 2) -> Iterator[Result]:
    """``function`` of every item, in their order; each of ``workers`` threads is at most ``each`` results ahead, which
    bounds memory; 0 workers: in the caller's thread. Items are drawn in the caller's thread, so that what makes them
    (a network) goes on while a thread is still at the ones before (a writer)."""
    if workers == 0:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ahead")
    coming = (pool.submit(function, item) for item in items)
    wait = True
    try:
        waiting = deque(islice(coming, each * workers))
        while waiting:
            waiting.extend(islice(coming, 1))
            yield waiting.popleft().result()
    except GeneratorExit:  # by the garbage collector maybe, in a thread that starts, whose locks a join would wait for
        wait = False
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)
