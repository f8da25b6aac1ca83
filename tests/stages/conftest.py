"""Chains in this process on the tiny world, shared by the tests of the stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.in_process import InProcess


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Decoded frames of the tests do not stay in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UDAMLF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory, tiny_world: Path) -> InProcess:
    """Runs methods on the tiny world; every step once."""
    return InProcess(tmp_path_factory.mktemp("chains"))
