"""A building block of one's own that cannot be used: its file, the line and what is wrong, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from udamlf import methods
from udamlf.common.errors import UserError
from udamlf.config.parts import Parts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import torch\nimport nonexistent\n\nclass Objective: ...\n", r"mine\.py:2: ModuleNotFoundError: No module"),
        ("class Objective:\n    def losses(self, batch:\n", r"mine\.py:2: SyntaxError: "),
        ("from json import loads\n\nclass Objective:\n    weights = loads('')\n", r"mine\.py:4: JSONDecodeError: "),
        ("class Objectiv: ...\n", r"mine\.py has no class Objective"),
    ],
)
def test_a_broken_file_is_told_with_its_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of the user's own code, also where a library that it calls has raised."""
    (tmp_path / "mine.py").write_text(text)
    monkeypatch.setattr(methods, "__path__", [str(tmp_path)])
    parts = Parts("udamlf.methods", "Objective", "objective")
    monkeypatch.setattr(parts, "_folder", tmp_path)
    with pytest.raises(UserError, match=said):
        parts.find("mine")
