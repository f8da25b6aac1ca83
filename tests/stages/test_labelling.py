"""Labelling costs one forward pass a frame, and its bytes depend neither on what is kept nor on who reads ahead."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.in_process import InProcess, run_step, small
from udamlf.runs.plan import Step
from udamlf.stages import pseudo_label
from udamlf.stages.pseudo_label import StoredLogits


@pytest.mark.parametrize(("method", "exact"), [("cbst", "true"), ("iast", "")])
def test_one_forward_pass_a_frame_and_the_same_bytes(
    method: str, exact: str, chains: InProcess, tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CBST's exact thresholds look at every frame three times. With no room to keep anything, and with other numbers of
    readers, the archive is the same."""
    overrides = ("method.round.selector.exact=true",) if exact else ()
    warmup = chains.run(small(method, tiny_world, *overrides, rounds=1), evaluate=False)["warmup"]
    passes = list[int]()
    network_logits = pseudo_label.network_logits

    def counted(*arguments: Any) -> list[torch.Tensor]:
        passes.append(1)
        return network_logits(*arguments)

    monkeypatch.setattr(pseudo_label, "network_logits", counted)
    archives, counts = [], []
    for workers, free in ((0, 1 << 30), (1, 1 << 30), (3, 0)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(pseudo_label.shutil, "disk_usage", lambda path, usage=usage: usage)
        config = small(method, tiny_world, *overrides, f"profile.workers={workers}", rounds=1)
        step, folder = Step("pseudo_label", 1), tmp_path / str(workers)
        done, _ = run_step(config, step, {"generator": warmup}, folder)
        archives.append((done.path / "pseudo_labels" / "labels.zip").read_bytes())
        counts.append(len(passes))
        passes.clear()
    assert archives[0] == archives[1] == archives[2]
    assert counts[0] == counts[1] and counts[2] == counts[0] * (3 if exact else 1)


@pytest.mark.parametrize("selector", ["{name: global, portion: 0.4}", "{name: threshold, threshold: 0.7}"])
def test_selectors_see_probabilities_whatever_is_averaged(
    selector: str, chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """Of one view, logits averaged at the frame's size are softmax taken there."""
    overrides = ("profile.labelling.flip=false", f"method.round.selector={selector}")
    warmup = chains.run(small("st", tiny_world, *overrides, rounds=1), evaluate=False)["warmup"]
    archives = []
    for average in ("probabilities", "logits"):
        config = small("st", tiny_world, *overrides, f"profile.labelling.average={average}", rounds=1)
        done, _ = run_step(config, Step("pseudo_label", 1), {"generator": warmup}, tmp_path / average)
        archives.append((done.path / "pseudo_labels" / "labels.zip").read_bytes())
    assert archives[0] == archives[1]


def test_what_is_kept_comes_back_until_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit, of any sizes; nothing lies in the folder, whatever ends the process."""
    monkeypatch.setattr(pseudo_label.shutil, "disk_usage", lambda path: SimpleNamespace(free=2000))
    kept, maps = StoredLogits(tmp_path / "work"), {3: [torch.randn(1, 2, 4, 5)], 1: [torch.randn(1, 2, 3, 7)] * 2}
    for index, logits in maps.items():
        kept.put(index, (4 + index, 9), logits)
    kept.put(7, (1, 1), [torch.zeros(1000)])
    for index, logits in maps.items():
        size, found = kept.get(index) or ((0, 0), [])
        assert size == (4 + index, 9) and all(map(np.array_equal, found, logits))
    assert kept.get(7) is None and list((tmp_path / "work").iterdir()) == []
