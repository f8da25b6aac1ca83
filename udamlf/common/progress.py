"""How far a piece of work is: a bar in a terminal, elsewhere a line a minute."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from udamlf.common.ahead import Item

logger = logging.getLogger("udamlf")


def show() -> None:
    """In a script that has not set up logging: print the steps of chains, and this progress."""
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
        logger.setLevel(logging.INFO)
        logging.getLogger("mlflow.projects").setLevel(logging.WARNING)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """The function that is yielded takes how much is done (none: one more), of how much, and a note on it."""
    console, said = Console(stderr=True), time.monotonic()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        number = bar.add_task(what, total=total)

        def update(done: int | None = None, of: int | None = None, note: str = "") -> None:
            nonlocal said
            task, text = bar.tasks[number], f"{what} {note}".rstrip()
            bar.update(number, completed=task.completed + 1 if done is None else done, total=of, description=text)
            if not console.is_terminal and time.monotonic() - said >= 60:
                said, left_s = time.monotonic(), task.time_remaining
                left = "" if left_s is None else f", {left_s / 60:.0f} min left"
                logger.info("%s: %d of %s%s", text, task.completed, task.total, left)

        yield update


def tracked(items: Iterable[Item], what: str, total: int) -> Iterator[Item]:
    """The items, ``total`` of them, with their progress."""
    with progress(what, total) as update:
        for item in items:
            yield item
            update()
