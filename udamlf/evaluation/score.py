"""Score a network on a labelled list: an integer confusion matrix, then IoU of every class and subset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from udamlf.data.dataset import DataSet, Sample
from udamlf.data.labels import LabelSpace
from udamlf.errors import UserError
from udamlf.evaluation.confusion import confusion_matrix, iou, miou
from udamlf.evaluation.prediction import predict
from udamlf.evaluation.protocol import EvalProtocol
from udamlf.models.base import SegmentationModel


@dataclass(frozen=True)
class Score:
    """Result of one network on one list under one protocol.

    Attributes:
        confusion: int64 [C, C], rows = truth, columns = prediction.
    """

    split: str
    images: int
    protocol: EvalProtocol
    space: LabelSpace
    confusion: np.ndarray

    @property
    def iou(self) -> dict[str, float | None]:
        """IoU of each class in percent; None for a class absent from truth and prediction, or not in the source."""
        values = {name: _percent(v) for name, v in zip(self.space.classes, iou(self.confusion), strict=True)}
        return {**values, **dict.fromkeys(self.space.not_in_source)}

    @property
    def miou(self) -> dict[str, float | None]:
        """Mean IoU of each subset in percent, over the classes that occur."""
        per_class = iou(self.confusion)
        return {name: _percent(miou(per_class, self.space.indices(name)).value) for name in self.space.subsets}

    def to_json(self) -> dict[str, Any]:
        """The published form of the result."""
        return {
            "split": self.split,
            "images": self.images,
            "protocol": self.protocol.model_dump(mode="json"),
            "miou": self.miou,
            "iou": self.iou,
        }

    def metrics(self) -> dict[str, float]:
        """``miou/<subset>`` and ``iou/<class>`` in percent, without the undefined ones."""
        named = {f"miou/{k}": v for k, v in self.miou.items()} | {f"iou/{k}": v for k, v in self.iou.items()}
        return {name: value for name, value in named.items() if value is not None}


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else 100.0 * float(value)


def evaluate(
    model: SegmentationModel,
    dataset: DataSet,
    samples: Sequence[Sample],
    space: LabelSpace,
    split: str,
    protocol: EvalProtocol,
    on_prediction: Callable[[Sample, np.ndarray, np.ndarray, np.ndarray], None] | None = None,
) -> Score:
    """Score ``model`` on labelled samples at the labels' own resolution.

    Args:
        on_prediction: called with (sample, image uint8 [H,W,3], truth uint8 [H,W], prediction uint8 [H,W]).

    Raises:
        UserError: a sample has no label, or an image or label is not readable.
    """
    total = np.zeros((space.num_classes, space.num_classes), np.int64)
    for sample in samples:
        if sample.label is None:
            raise UserError(f"{sample.image} has no label", "a labelled list", "another --split")
        image, truth = dataset.read_image(sample), dataset.read_label(sample, space)
        prediction = predict(model, image[None], protocol, output_hw=(truth.shape[0], truth.shape[1]))[0]
        total += confusion_matrix(prediction, truth, space.num_classes)
        if on_prediction is not None:
            on_prediction(sample, image, truth, prediction)
    return Score(split, len(samples), protocol, space, total)
