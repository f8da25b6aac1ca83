"""IntraDA from the warm-up to the second training: what is ranked, published, labelled and aligned."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.in_process import InProcess, run_step, small
from udamlf.common.errors import UserError
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.predict import scores
from udamlf.models import checkpoint
from udamlf.models.base import build
from udamlf.runs.plan import Step, data_root
from udamlf.selection.entropy_ranking import entropy_score
from udamlf.stages.stage import Input

HALF = "method.round.selector.easy_share=0.5"


@pytest.fixture(scope="module")
def config(tiny_world: Path) -> Config:
    """Two of the four target images are easy."""
    return small("intrada", tiny_world, HALF)


@pytest.fixture(scope="module")
def results(config: Config, chains: InProcess) -> dict[str, Input]:
    return chains.run(config, evaluate=False)


@pytest.fixture(scope="module")
def predicted(config: Config, results: dict[str, Input]) -> dict[str, torch.Tensor]:
    """The warm-up's probabilities of each target image, at the labelling size."""
    data = ScenarioData(config, data_root(config))
    dataset, protocol = data.dataset("target_train"), config.labelling(1)
    model = checkpoint.load(results["warmup"].path / "checkpoint", config.space)
    return {
        sample.name: scores(model, dataset.read_image(sample)[None], protocol, output_hw=protocol.size_hw)[0]
        for sample in data.samples("target_train")
    }


# --- the labelling ---------------------------------------------------------------------------------------------------


def test_the_ranking_is_published_with_every_entropy(
    results: dict[str, Input], predicted: dict[str, torch.Tensor]
) -> None:
    """CSV and JSON hold each image once, by ascending mean entropy of the warm-up's probabilities; the first half is
    easy."""
    folder = results["pseudo_label 1"].path / "ranking"
    with open(folder / "ranking.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    expected = {name: entropy_score(p) for name, p in predicted.items()}
    order = sorted(expected, key=lambda name: expected[name])
    assert [row["image"] for row in rows] == order and [row["rank"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["split"] for row in rows] == ["easy", "easy", "hard", "hard"]
    for row in rows:
        assert float(row["entropy"]) == float(row["score"]) == pytest.approx(expected[row["image"]], rel=1e-6)
    facts = json.loads((folder / "ranking.json").read_text())
    assert (facts["images"], facts["easy"], facts["hard"], facts["easy_share"]) == (4, 2, 2, 0.5)
    assert [entry["image"] for entry in facts["ranking"]] == order


def test_both_ends_are_shown(results: dict[str, Input]) -> None:
    """A picture with one row of image, prediction and entropy for each of the four images."""
    figure = cv2.imread(str(results["pseudo_label 1"].path / "figures" / "examples.png"))
    assert figure is not None and figure.shape[0] > 4 * 150 and len(np.unique(figure.reshape(-1, 3), axis=0)) > 100


def test_easy_images_carry_the_argmax_of_every_pixel(
    results: dict[str, Input], predicted: dict[str, torch.Tensor]
) -> None:
    """And hard ones no label at all."""
    labels = PseudoLabels(results["pseudo_label 1"].path / "pseudo_labels")
    names = list(predicted)
    assert set(labels.names) == {names[i] for i in labels.extras["easy"]} and len(labels.names) == 2
    for name in labels.names:
        np.testing.assert_array_equal(labels.label(name), predicted[name].argmax(0).numpy())


def test_normalisation_ranks_images_with_rare_classes_first(
    chains: InProcess, tiny_world: Path, results: dict[str, Input]
) -> None:
    """The published score is the entropy times the share of missing rare classes plus a half."""
    config = small("intrada", tiny_world, HALF, "method.round.selector.normalise=true")
    folder = chains.run(config, evaluate=False)["pseudo_label 1"].path / "ranking"
    facts = json.loads((folder / "ranking.json").read_text())
    rare = len(config.space.rare)
    for entry in facts["ranking"]:
        factor = (rare - entry["rare_classes"]) / rare + 0.5
        assert entry["score"] == pytest.approx(entry["entropy"] * factor)
    assert [e["score"] for e in facts["ranking"]] == sorted(e["score"] for e in facts["ranking"])


# --- the training ----------------------------------------------------------------------------------------------------


def weights(given: Input, config: Config) -> dict[str, torch.Tensor]:
    return checkpoint.read_state(given.path / "checkpoint", config.space)[1]


@pytest.mark.parametrize("start", ["last", "initial"])
def test_the_round_starts_where_it_is_told(start: str, chains: InProcess, tiny_world: Path) -> None:
    """Without a step, `last` leaves the warm-up's weights and `initial` (the paper's) the backbone's first ones."""
    nothing = (f"method.round.start={start}", "method.round.training.steps=0")
    config = small("intrada", tiny_world, HALF, *nothing)
    found = chains.run(config, evaluate=False)
    after = weights(found["self_train 1"], config)
    fresh = build("compact", config.space.num_classes, seed=config.seed, aux=True).state_dict()
    expected = weights(found["warmup"], config) if start == "last" else fresh
    assert all(torch.equal(after[name], value) for name, value in expected.items())


def test_the_round_reads_the_target_alone(results: dict[str, Input], chains: InProcess) -> None:
    """Both domains of the second training are lists of the target; the source is not splits_of."""
    assert chains.notes[results["self_train 1"].run_id].splits == ["target_train", "target_train"]
    assert "source_train" in chains.notes[results["warmup"].run_id].splits


def test_lambda_1_is_self_training_on_every_image(chains: InProcess, tiny_world: Path) -> None:
    """No hard image is left, so there is no discriminator's loss; the training runs on the labels alone."""
    config = small("intrada", tiny_world, "method.round.selector.easy_share=1.0")
    found = chains.run(config, evaluate=False)
    assert len(PseudoLabels(found["pseudo_label 1"].path / "pseudo_labels").names) == 4
    logged = {name for _, metrics in chains.notes[found["self_train 1"].run_id].metrics for name in metrics}
    assert "train/source_ce" in logged and "train/aux_source_ce" in logged
    assert not {name for name in logged if "adversarial" in name or "discriminator" in name}


def test_lambda_0_publishes_a_ranking_and_refuses_to_train(
    chains: InProcess, tiny_world: Path, results: dict[str, Input], tmp_path: Path
) -> None:
    """There is a ranking and no label: the training says what is missing, before its first step."""
    config = small("intrada", tiny_world, "method.round.selector.easy_share=0.0")
    given = {"generator": results["warmup"]}
    labels, _ = run_step(config, Step("pseudo_label", 1), given, tmp_path / "labels")
    facts = json.loads((labels.path / "ranking" / "ranking.json").read_text())
    assert (facts["easy"], facts["hard"]) == (0, 4) and PseudoLabels(labels.path / "pseudo_labels").names == []
    with pytest.raises(UserError, match=r"labels.easy holds none"):
        inputs = {"start": results["warmup"], "labels": labels}
        run_step(config, Step("self_train", 1), inputs, tmp_path / "training")
    assert not list((tmp_path / "training" / "out").iterdir())
