"""Scores equal an image-by-image count, and, for Cityscapes, the official evaluator on the masks that were saved."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.data.worlds import write_data_set
from udamlf.common.errors import UserError
from udamlf.config.budget import EvalProtocol
from udamlf.config.labels import (
    CITYSCAPES_13,
    CITYSCAPES_16,
    CITYSCAPES_19,
    IGNORE,
    ROBOTCAR_9,
    SYNTHIA_19,
    LabelSpace,
)
from udamlf.data.dataset import SHIPPED, DataSet, Frame
from udamlf.evaluation.score import Score, evaluate
from udamlf.models.base import Output, SegmentationModel

PROTOCOL = EvalProtocol(align_corners=False, interpolation="area", size_hw=(64, 128))


class Painter(SegmentationModel):
    """Judges by colour alone: nearest of some random colours per class, so that many classes are predicted."""

    def __init__(self, num_classes: int, seed: int = 0) -> None:
        super().__init__(num_classes)
        generator = torch.Generator().manual_seed(seed)
        centres = torch.randn(num_classes, 3, generator=generator)
        self.judge = nn.Conv2d(3, num_classes, 1)
        self.judge.weight.data = 2 * centres[:, :, None, None]
        self.judge.bias.data = -centres.square().sum(1)

    def forward(self, images: Tensor) -> Output:
        return Output(self.judge(nn.functional.avg_pool2d(images, 4, ceil_mode=True)))


Masks = list[tuple[Frame, np.ndarray, np.ndarray]]


def scored(
    dataset: DataSet, samples: Sequence[Frame], space: LabelSpace, protocol: EvalProtocol = PROTOCOL
) -> tuple[Score, Masks]:
    """A score and the (sample, truth, prediction) it was made of."""
    masks: Masks = []
    score = evaluate(
        Painter(space.num_classes),
        dataset,
        samples,
        space,
        "list",
        protocol,
        lambda sample, image, truth, prediction: masks.append((sample, truth, prediction)),
    )
    return score, masks


def counted(masks: Masks, space: LabelSpace) -> dict[str, float | None]:
    """IoU in percent of each class by set arithmetic, image by image; None for a class without a pixel."""
    result: dict[str, float | None] = {}
    for c, name in enumerate(space.classes):
        intersection = union = 0
        for _, truth, prediction in masks:
            known = truth != IGNORE
            intersection += int(np.count_nonzero((truth == c) & (prediction == c)))
            union += int(np.count_nonzero(known & ((truth == c) | (prediction == c))))
        result[name] = 100 * intersection / union if union else None
    return result


CASES = {
    "cityscapes": ("test", CITYSCAPES_19),
    "gta5": ("val", CITYSCAPES_19),
    "synthia": ("val", CITYSCAPES_16),
    "robotcar": ("test", ROBOTCAR_9),
}


@pytest.mark.parametrize("name", CASES)
def test_it_equals_a_count_image_by_image(name: str, tiny_world: Path) -> None:
    """Every class, every subset, on every data set of the miniature."""
    split, space = CASES[name]
    dataset = SHIPPED[name]
    score, masks = scored(dataset, dataset.samples(tiny_world, split), space)
    expected = counted(masks, space)
    assert score.images == len(masks) == 4
    assert sum(value is not None for value in expected.values()) >= space.num_classes // 2
    assert set(score.iou) == {*space.classes, *space.not_in_source}
    for class_name, value in expected.items():
        assert score.iou[class_name] == (value if value is None else pytest.approx(value, abs=1e-9))
    for subset, names in space.subsets.items():
        present = [expected[n] for n in names if expected[n] is not None]
        assert score.miou[subset] == pytest.approx(np.mean(present), abs=1e-9)


@pytest.mark.parametrize("name", ["camvid", "robotcar", "synthia"])
def test_it_equals_the_count_on_noise_with_ignored_pixels(name: str, tmp_path: Path) -> None:
    """Random labels and images: all classes and the ignore value occur in every image."""
    dataset, space, split = write_data_set(tmp_path, name)
    score, masks = scored(dataset, dataset.samples(tmp_path, split), space)
    assert all((truth == IGNORE).any() for _, truth, _ in masks)
    expected = counted(masks, space)
    assert all(score.iou[n] == pytest.approx(expected[n], abs=1e-9) for n in space.classes)


def test_the_official_evaluator_agrees(tiny_world: Path, tmp_path: Path) -> None:
    """cityscapesScripts on our saved masks and the label files: each of the 19 classes within 1e-6, absent ones
    included, and the mean over the classes that occur."""
    official = pytest.importorskip(
        "cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling", reason="cityscapesscripts is not installed"
    )
    dataset = SHIPPED["cityscapes"]
    samples = dataset.samples(tiny_world, "val")
    score, masks = scored(dataset, samples, CITYSCAPES_19)
    pairs = []
    for sample, _, prediction in masks:
        path = dataset.write_prediction(tmp_path / "masks", sample, prediction, CITYSCAPES_19)
        assert path.name == sample.image.name
        pairs.append((str(path), str(sample.label)))
    options = copy.copy(official.args)
    options.quiet, options.JSONOutput, options.evalInstLevelScore = True, False, False
    result = official.evaluateImgLists(*(list(files) for files in zip(*pairs, strict=True)), options)
    theirs = {name.replace(" ", "_"): value for name, value in result["classScores"].items()}
    ours = score.iou
    assert set(ours) <= set(theirs)
    occurring = [name for name, value in ours.items() if value is not None]
    assert len(occurring) >= 12
    for name, value in ours.items():
        if value is None:
            assert math.isnan(theirs[name])
        else:
            assert value / 100 == pytest.approx(theirs[name], abs=1e-6)
    assert score.miou["19"] == pytest.approx(100 * result["averageScoreClasses"], abs=1e-4)


def test_classes_without_a_pixel_and_classes_not_in_the_source_are_none() -> None:
    """None, never 0, and no part of a mean; a class that is only predicted is 0 and counts."""
    confusion = np.zeros((16, 16), np.int64)
    confusion[0, 0], confusion[1, 1], confusion[1, 0], confusion[3, 4] = 30, 10, 20, 5
    score = Score("test", 1, PROTOCOL, CITYSCAPES_16, confusion)
    iou = score.iou
    assert iou["road"] == pytest.approx(60.0)
    assert iou["sidewalk"] == pytest.approx(100 / 3)
    assert iou["wall"] == 0.0 and iou["fence"] == 0.0
    assert iou["sky"] is None
    assert {name: iou[name] for name in CITYSCAPES_16.not_in_source} == dict.fromkeys(CITYSCAPES_16.not_in_source)
    assert score.miou["16"] == pytest.approx((60 + 100 / 3 + 0 + 0) / 4)
    assert score.miou["13"] == pytest.approx((60 + 100 / 3) / 2)
    assert "iou/sky" not in score.metrics() and "iou/terrain" not in score.metrics()
    assert score.metrics()["iou/wall"] == 0.0


def test_of_19_outputs_the_16_that_the_source_has_are_scored() -> None:
    """As IAST's and HIAST's releases on SYNTHIA: a truck that is called a car counts against the car, and the three
    classes that the source lacks are in no mean."""
    confusion = np.zeros((19, 19), np.int64)
    road, car, truck = (SYNTHIA_19.classes.index(name) for name in ("road", "car", "truck"))
    confusion[road, road], confusion[car, car], confusion[truck, car] = 10, 30, 20
    score = Score("test", 1, PROTOCOL, SYNTHIA_19, confusion)
    assert score.miou == {"16": pytest.approx(80.0), "13": pytest.approx(80.0)} and score.iou["truck"] == 0.0
    assert CITYSCAPES_13.classes == CITYSCAPES_16.subsets["13"] == SYNTHIA_19.subsets["13"]


def test_nothing_labelled_gives_no_score() -> None:
    empty = Score("test", 0, PROTOCOL, ROBOTCAR_9, np.zeros((9, 9), np.int64))
    assert set(empty.iou.values()) == {None}
    assert empty.miou == {"9": None}
    assert empty.metrics() == {}


def test_the_published_form_carries_the_protocol(tiny_world: Path) -> None:
    """Every number comes with how it was made."""
    dataset = SHIPPED["robotcar"]
    samples = dataset.samples(tiny_world, "val")
    protocol = EvalProtocol(size_hw=(64, 128), scales=(1.0, 0.5), flip=True)
    score, _ = scored(dataset, samples, ROBOTCAR_9, protocol)
    published = score.to_json()
    assert published.keys() == {"split", "images", "protocol", "miou", "iou"}
    assert EvalProtocol.model_validate(published["protocol"]) == protocol
    plain, _ = scored(dataset, samples, ROBOTCAR_9)
    assert not np.array_equal(plain.confusion, score.confusion)


def test_an_image_without_label_is_refused(tiny_world: Path) -> None:
    """RobotCar's training frames have none: an error, not a score over the rest."""
    dataset = SHIPPED["robotcar"]
    with pytest.raises(UserError, match="without label"):
        scored(dataset, dataset.samples(tiny_world, "train"), ROBOTCAR_9)


def test_prediction_and_truth_meet_at_the_label_s_own_size(tiny_world: Path) -> None:
    """Whatever the network's input size, the mask has the label's resolution."""
    dataset = SHIPPED["cityscapes"]
    samples = dataset.samples(tiny_world, "val")[:1]
    for size in ((32, 64), (65, 97)):
        _, masks = scored(dataset, samples, CITYSCAPES_19, EvalProtocol(size_hw=size))
        assert masks[0][1].shape == masks[0][2].shape == dataset.read_label(samples[0], CITYSCAPES_19).shape
