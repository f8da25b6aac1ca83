"""Labels that the source has a part in: CBST-SP's prior and ProDA's prototypes of the source come from its labels, and
the stage declares that it reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.in_process import InProcess, small
from udamlf.data.geometry import resize_image, resize_label
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.predict import evaluating
from udamlf.models import checkpoint
from udamlf.runs.plan import key_of, key_parts
from udamlf.selection.soft import MIN_PIXELS
from udamlf.selection.soft_source import rightly_predicted
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
        return key_of(key_parts(config, "pseudo_label", 1, {}, lambda split, labelled: source if labelled else split))

    assert key(sp, "one") != key(sp, "other") and key(plain, "one") == key(plain, "other")


def test_prototypes_of_the_source_are_means_of_rightly_predicted_pixels(chains: InProcess, tiny_world: Path) -> None:
    """Every class that occurs has the mean, over the source images, of their means; soft labels stay those of the
    target, and stage 1 trains on both. Labelled at the network's stride, so that no resize is left."""
    sizes = ("profile.labelling={size_hw: [64, 128], interpolation: area}", "profile.warmup.steps=30")
    sizes += ("method.rounds=1", "method.round.1.reestimate_bn=[]")
    plain, source = (
        chains.run(small("proda", tiny_world, f"method.round.1.selector.name={name}", *sizes), evaluate=False)
        for name in ("soft", "soft_source")
    )
    config = small("proda", tiny_world, *sizes)
    archives = [PseudoLabels(done["pseudo_label 1"].path / "pseudo_labels") for done in (plain, source)]
    assert archives[0].extras["prototypes"].shape == archives[1].extras["prototypes"].shape
    assert all((archives[0].soft(name) == archives[1].soft(name)).all() for name in archives[0].names)
    assert "source_train" in chains.notes[source["pseudo_label 1"].run_id].splits
    assert "source_train" not in chains.notes[plain["pseudo_label 1"].run_id].splits
    network = checkpoint.load(source["warmup"].path / "checkpoint", config.space)
    data = ScenarioData(config, tiny_world)
    vectors: dict[int, list[np.ndarray]] = {}
    for frame in data.samples("source_train", True):
        image = resize_image(data.dataset("source_train").read_image(frame), (64, 128), "area")
        with evaluating(network):
            output = network(network.normalise(torch.from_numpy(image[None].copy())))
        assert output.features is not None
        label = data.dataset("source_train").read_label(frame, config.space)
        truth = torch.from_numpy(resize_label(label, (output.logits.shape[2], output.logits.shape[3])))[None]
        right = rightly_predicted(output.logits, truth)
        for c in range(config.space.num_classes):
            if int((right == c).sum()) >= MIN_PIXELS:
                vectors.setdefault(c, []).append(output.features[0][:, right[0] == c].mean(1).numpy())
    counts = archives[1].extras["prototype_counts"]
    assert vectors and {c: len(found) for c, found in vectors.items()} == {c: n for c, n in enumerate(counts) if n}
    for c, found in vectors.items():
        np.testing.assert_allclose(archives[1].extras["prototypes"][c], np.mean(found, axis=0), atol=1e-4)
