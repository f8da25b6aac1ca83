"""The spatial prior: computed from the source labels, used without a hand-made step, or read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.in_process import InProcess, small
from udamlf.cli import cli
from udamlf.data.labels import IGNORE
from udamlf.data.lists import ScenarioData
from udamlf.errors import UserError
from udamlf.plan import lists_of, step_key
from udamlf.pseudo_labels import PseudoLabels
from udamlf.selection.spatial_prior import load_prior, save_prior
from udamlf.stages.source_prior import CELL, source_prior


def labels_of(data: ScenarioData) -> list[np.ndarray]:
    dataset, space = data.dataset("source_train"), data.config.space
    return [dataset.read_label(sample, space) for sample in data.samples("source_train", True)]


def test_the_prior_is_where_each_class_occurs(tiny_world: Path) -> None:
    """Planes of present classes sum to 1, of absent ones to 0; a class's mass lies around its own rows."""
    data = ScenarioData(small("cbst_sp", tiny_world))
    prior, labels = source_prior(data), labels_of(data)
    height, width = labels[0].shape
    assert prior.shape == (19, height // CELL, width // CELL) and prior.dtype == np.float32
    rows = np.arange(prior.shape[1])
    for c in range(19):
        counts = np.sum([(label == c).sum(1) for label in labels], axis=0)
        assert prior[c].sum() == pytest.approx(float(counts.sum() > 0), abs=1e-4)
        if counts.sum():
            mean_row = (prior[c].sum(1) * rows).sum()
            assert mean_row == pytest.approx((counts * np.arange(height)).sum() / counts.sum() / CELL - 0.5, abs=1.0)


def test_the_chain_needs_no_hand_made_step(chains: InProcess, tiny_world: Path) -> None:
    """`prior: source` gives the same labels as the file of `udamlf data prior` given by its path."""
    automatic = small("cbst_sp", tiny_world, rounds=1)
    path = tiny_world.parent / "prior.npy"
    arguments = ["data", "prior", "--scenario", "gta2city", "--data-root", str(tiny_world), "--out", str(path)]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert done.output.strip() == f"--set method.round.selector.prior={path}"
    np.testing.assert_array_equal(load_prior(path, 19), source_prior(ScenarioData(automatic)))
    given = small("cbst_sp", tiny_world, f"method.round.selector.prior={path}", rounds=1)
    plain = small("cbst", tiny_world, rounds=1)
    archives = [
        (chains.run(config, evaluate=False)["pseudo_label 1"].path / "pseudo_labels" / "labels.zip").read_bytes()
        for config in (automatic, given, plain)
    ]
    assert archives[0] == archives[1] != archives[2]


def test_a_class_that_the_source_never_shows_is_never_labelled(
    chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """A plane of zeros takes the class out, without a warning or a nan."""
    data = ScenarioData(small("cbst_sp", tiny_world))
    prior = source_prior(data)
    first = chains.run(small("cbst", tiny_world, rounds=1), evaluate=False)["pseudo_label 1"]
    sizes = PseudoLabels(first.path / "pseudo_labels").extras["class_sizes"]
    without = int(sizes.argmax())
    prior[without] = 0
    save_prior(tmp_path / "prior.npy", prior)
    config = small("cbst_sp", tiny_world, f"method.round.selector.prior={tmp_path / 'prior.npy'}", rounds=1)
    labels = PseudoLabels(chains.run(config, evaluate=False)["pseudo_label 1"].path / "pseudo_labels")
    seen = set(np.unique(np.concatenate([labels.label(name).ravel() for name in labels.names])))
    assert without not in seen and seen - {IGNORE}
    assert np.isnan(labels.extras["thresholds"][without]) and labels.extras["class_sizes"][without] == 0


def test_the_labels_are_keyed_by_the_prior(tiny_world: Path, tmp_path: Path) -> None:
    """Source labels count where the prior comes from them; a file counts by its content, not by its name."""
    sp, plain = small("cbst_sp", tiny_world), small("cbst", tiny_world)
    assert lists_of(sp, "pseudo_label", 1) == ["target_train", "source_train"]
    assert lists_of(plain, "pseudo_label", 1) == ["target_train"]
    path = tmp_path / "prior.npy"
    keys = []
    for value in (1, 2, 1):
        save_prior(path, np.full((19, 4, 4), value, np.float32))
        given = small("cbst_sp", tiny_world, f"method.round.selector.prior={path}")
        keys.append(step_key(given, "pseudo_label", 1, {}, lambda name: name))
    assert keys[0] == keys[2] != keys[1]


def test_a_prior_file_is_found_from_every_folder(tiny_world: Path) -> None:
    """Stages run in folders of their own: a relative path would mean another file there."""
    with pytest.raises(UserError, match="absolute"):
        small("cbst_sp", tiny_world, "method.round.selector.prior=prior.npy")
    with pytest.raises(UserError, match="no spatial prior"):
        small("cbst_sp", tiny_world, "method.round.selector.prior=/nowhere/prior.npy")
