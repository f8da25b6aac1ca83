"""docs/reliability.md lists every bad input of the tests' parameters, no more and no less:
`python -m tests.test_reliability` prints its table."""

from __future__ import annotations

from collections.abc import Iterator

from tests.models.test_mxnet_params import HOSTILE as PARAMS
from tests.test_cli import BAD_INPUT, BAD_PARAMETERS
from tests.test_faults import BAD_STORES, BAD_TAGS
from tests.test_fuzz import READERS
from tests.test_relocate import BAD_FILES
from tests.test_work_files import HOSTILE as CONFIGURATIONS
from udamlf.runs.launch import PROJECT_ROOT

HEAD = ["| input | told |", "|---|---|"]


def rows() -> Iterator[tuple[str, str]]:
    """Input, and what its message says."""
    for arguments, messages in BAD_INPUT:
        yield f"`udamlf {' '.join(map(quoted, arguments))}`", ", ".join(messages)
    for words, message in BAD_PARAMETERS:
        yield f"entry point `{' '.join(map(quoted, words))}`", message
    for kind, uri in BAD_STORES.items():
        yield f"store that is {kind}, `{uri}`", "cannot open the tracking store"
    for kind in BAD_FILES:
        yield f"`udamlf runs relocate` with an `mlflow.db` that is {kind}", "cannot change sqlite:///..."
    for name, value in BAD_TAGS.items():
        yield f"tag `{name}={quoted(value)}` in a store", "run ... is left out: the tag"
    for what in CONFIGURATIONS:
        yield f"`config.yaml` of a store with {what}", "the configuration of run ... is not YAML"
    for what in PARAMS:
        yield f"`.params`: {what}", "cannot read weights from ..."
    for name in READERS:
        yield f"{name}, damaged at random", "read, or refused by name"


def quoted(text: str) -> str:
    return repr(text) if not text or not text.isprintable() or " " in text else text


def table() -> list[str]:
    return [*HEAD, *(f"| {what} | {told} |" for what, told in rows())]


def test_the_page_lists_every_bad_input() -> None:
    page = (PROJECT_ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").splitlines()
    start = page.index(HEAD[0])
    assert page[start : start + len(table())] == table()
    assert not page[start + len(table())].startswith("|")


if __name__ == "__main__":
    print("\n".join(table()))
