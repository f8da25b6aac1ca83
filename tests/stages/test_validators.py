"""What an evaluation reads off target_train: validators without a label, calibration by the labels that there are."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.in_process import InProcess, small
from udamlf.config.labels import IGNORE
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.evaluation import calibration
from udamlf.evaluation.calibration import LEVELS
from udamlf.report.validators import BETTER


@pytest.fixture(scope="module")
def evaluated(chains: InProcess, tiny_world: Path) -> dict[str, float]:
    """Metrics of the first round of ST, audited."""
    results = chains.run(small("st", tiny_world, "profile.audit=true", rounds=1))
    notes = chains.notes[results["evaluate 1"].run_id]
    assert (results["evaluate 1"].path / "figures" / "reliability.png").is_file()
    return notes.metrics[-1][1]


def test_validators_are_the_same_without_any_label_of_the_target(
    evaluated: dict[str, float], tiny_world: Path, tmp_path: Path
) -> None:
    """All label files of target_train are gone, and there is no audit."""
    root = tmp_path / "world"
    shutil.copytree(tiny_world, root)
    shutil.rmtree(root / "cityscapes/gtFine/train")
    chains = InProcess(tmp_path / "chains")
    results = chains.run(small("st", root, "profile.audit=false", rounds=1))
    metrics = chains.notes[results["evaluate 1"].run_id].metrics[-1][1]
    names = {f"validator/{name}" for name in BETTER}
    assert {name: metrics[name] for name in names} == {name: evaluated[name] for name in names}
    assert "pl/ece" in evaluated and not any(name.startswith("pl/") for name in metrics)


def test_the_stored_confidence_is_that_of_the_labels_and_passed_the_threshold(
    evaluated: dict[str, float], chains: InProcess, tiny_world: Path
) -> None:
    results = chains.run(small("st", tiny_world, "profile.audit=true", rounds=1))
    folder = results["pseudo_label 1"].path / "pseudo_labels"
    labels = PseudoLabels(folder)
    with np.load(folder / calibration.CONFIDENCE, allow_pickle=False) as stored:
        assert set(stored.files) == set(labels.names)
        for name in labels.names:
            kept = labels.label(name) != IGNORE
            threshold = np.nanmin(labels.extras["thresholds"])
            assert not stored[name][~kept].any()
            assert (stored[name][kept] / LEVELS).min(initial=1) >= threshold - 0.5 / LEVELS


def test_a_sample_is_the_same_for_all_and_in_order() -> None:
    chosen = calibration.sample(range(500))
    assert chosen == calibration.sample(range(500)) == sorted(set(chosen)) and len(chosen) == calibration.SAMPLE
    assert calibration.sample("abc") == ["a", "b", "c"]
