"""Golden vectors: the folder is chosen by UDAMLF_GOLDEN, hyper-parameters come from each folder's hparams.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from udamlf.config.labels import LabelSpace


class Golden:
    """Reads the vectors of one method folder, e.g. ``golden.arrays("cbst", "selection")``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def arrays(self, method: str, stem: str) -> dict[str, np.ndarray]:
        with np.load(self.root / method / f"{stem}.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def json(self, method: str, stem: str) -> Any:
        return json.loads((self.root / method / f"{stem}.json").read_text())

    def hparams(self, method: str, stem: str) -> dict[str, Any]:
        return self.json(method, "hparams")[stem]


@pytest.fixture(scope="session")
def golden() -> Golden:
    default = Path(__file__).parents[1] / "golden"
    return Golden(Path(os.environ.get("UDAMLF_GOLDEN", default)))


def space(classes: int) -> LabelSpace:
    """A label space of that many classes."""
    names = tuple(f"class{c}" for c in range(classes))
    return LabelSpace("golden", names, ((0, 0, 0),) * classes, {"all": names})
