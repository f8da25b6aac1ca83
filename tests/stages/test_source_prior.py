"""CBST-SP from the warm-up to its labels: the prior comes from the source labels, and the stage declares that it reads
them."""

from __future__ import annotations

from pathlib import Path

from tests.in_process import InProcess, small
from udamlf.runs.plan import step_key
from udamlf.stages.stage import stage


def test_the_prior_changes_the_labels(chains: InProcess, tiny_world: Path) -> None:
    """Without a step by hand; the run records that the labelling read the source."""
    archives = []
    for method in ("cbst_sp", "cbst"):
        labels = chains.run(small(method, tiny_world, rounds=1), evaluate=False)["pseudo_label 1"]
        archives.append((labels.path / "pseudo_labels" / "labels.zip").read_bytes())
        assert ("source_train" in chains.notes[labels.run_id].splits) == (method == "cbst_sp")
    assert archives[0] != archives[1]


def test_the_labels_are_keyed_by_the_source_labels(tiny_world: Path) -> None:
    """Only where a prior is made of them."""
    sp, plain = small("cbst_sp", tiny_world), small("cbst", tiny_world)
    assert stage("pseudo_label").declare(sp, 1).splits == {"target_train": False, "source_train": True}
    assert stage("pseudo_label").declare(plain, 1).splits == {"target_train": False}

    def key(config: object, source: str) -> str:
        return step_key(config, "pseudo_label", 1, {}, lambda split, labelled: source if labelled else split)

    assert key(sp, "one") != key(sp, "other") and key(plain, "one") == key(plain, "other")
