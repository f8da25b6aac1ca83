"""Scores of networks and of pseudo-labels: an integer confusion matrix, then IoU or precision of every class."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.config.budget import EvalProtocol
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.data.dataset import DataSet, Frame
from udamlf.data.geometry import resize_label
from udamlf.data.maps import top1
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.evaluation.calibration import BINS, LEVELS, reliability
from udamlf.evaluation.predict import mean_scores, network_logits, resized
from udamlf.models.base import SegmentationModel

Predicted = tuple[Frame, np.ndarray, np.ndarray, np.ndarray]  # image, truth, prediction


def confusion_matrix(prediction: np.ndarray, label: np.ndarray, num_classes: int) -> np.ndarray:
    """int64 [C, C], rows = label, columns = prediction: pixels of every pair, where neither is ``IGNORE``. UserError:
    not uint8 of one shape, train ids or ``IGNORE``. Matrices of images add up."""
    if prediction.shape != label.shape:
        raise UserError(f"a prediction of shape {prediction.shape}", f"the shape of its label, {label.shape}")
    # 256 x 256 cells (0.5 MB) take every uint8 pair, so that counting and checking are one pass over the pixels.
    codes = np.left_shift(label, 8, dtype=np.uint16) | prediction
    pairs = np.bincount(codes.ravel(), minlength=1 << 16).reshape(256, 256)
    known = [*range(num_classes), IGNORE]
    counts = pairs[np.ix_(known, known)].astype(np.int64)
    if counts.sum() != codes.size:
        used = np.flatnonzero(pairs.sum(0) + pairs.sum(1))
        raise UserError(f"train ids {sorted(set(used.tolist()) - set(known))}", f"0..{num_classes - 1} or {IGNORE}")
    return counts[:-1, :-1]


def iou(confusion: np.ndarray) -> np.ndarray:
    """IoU of each class, float64 [C] in 0..1; nan for a class absent from labels and predictions."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


def miou(per_class: np.ndarray) -> float:
    """Mean of ``iou``, absent classes left out (cbst.md 7); nan if every class is absent."""
    present = per_class[~np.isnan(per_class)]
    return float(present.mean()) if present.size else float("nan")


@dataclass(frozen=True)
class Score:
    """Result of one network on one split; ``confusion`` int64 [C, C], rows = truth, columns = prediction."""

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
        return {name: _percent(miou(per_class[self.space.indices(name)])) for name in self.space.subsets}

    def to_json(self) -> dict[str, Any]:
        protocol = self.protocol.model_dump(mode="json")
        return {"split": self.split, "images": self.images, "protocol": protocol, "miou": self.miou, "iou": self.iou}

    def metrics(self) -> dict[str, float]:
        """``miou/<subset>`` and ``iou/<class>`` in percent, without the undefined ones."""
        named = {f"miou/{k}": v for k, v in self.miou.items()} | {f"iou/{k}": v for k, v in self.iou.items()}
        return {name: value for name, value in named.items() if value is not None}


def _percent(value: float) -> float | None:
    return None if np.isnan(value) else 100.0 * float(value)


def evaluate(
    model: SegmentationModel, dataset: DataSet, frames: Iterable[Frame], space: LabelSpace, split: str,
    protocol: EvalProtocol, on_prediction: Callable[..., None] = lambda *_: None, workers: int = 0,
) -> Score:  # fmt: skip
    """Score ``model`` on labelled frames at the labels' own resolution. UserError: one has none or is not readable, or
    all of them are void. ``on_prediction`` gets every ``Predicted`` in their order. ``workers`` threads read ahead of
    the network, one counts behind."""

    def read(frame: Frame) -> tuple[Frame, np.ndarray, np.ndarray, list[np.ndarray]]:
        image = dataset.read_image(frame)
        return frame, image, dataset.read_label(frame, space), resized(image[None], protocol)

    def predicted() -> Iterator[Predicted]:
        for frame, image, truth, inputs in ahead(read, frames, workers):
            native_hw, truth_hw = (image.shape[0], image.shape[1]), (truth.shape[0], truth.shape[1])
            logits = network_logits(model, inputs, protocol)
            maps = mean_scores(model, logits, native_hw, protocol, truth_hw)
            yield frame, image, truth, top1(maps[0])[1].cpu().numpy()

    def counted(item: Predicted) -> np.ndarray:
        on_prediction(*item)
        return confusion_matrix(item[3], item[2], space.num_classes)

    total, images = np.zeros((space.num_classes, space.num_classes), np.int64), 0
    for matrix in ahead(counted, predicted(), min(workers, 1)):
        total, images = total + matrix, images + 1
    score = Score(split, images, protocol, space, total)
    if score.miou[space.headline] is None:
        problem = f"{split}: none of its {images} labels has a pixel of a class of {space.name}-{space.headline}"
        raise UserError(problem, "labels to score against", "udamlf data check SCENARIO")
    return score


def audit(
    labels: PseudoLabels, dataset: DataSet, frames: Iterable[Frame], space: LabelSpace,
    confidences: Mapping[str, np.ndarray] = {},
) -> tuple[dict[str, float], np.ndarray]:  # fmt: skip
    """Published pseudo-labels against the target's true labels, which nobody reads who trains.

    Returns ``pl/precision`` and ``pl/precision/<class>``: percent of the labelled pixels (with a known truth) whose
    label is right; a class without labelled pixels has none; and the table of ``reliability`` of the images with
    ``stored_confidence``."""
    total, table = np.zeros((space.num_classes, space.num_classes), np.int64), np.zeros((3, BINS))
    for frame in frames:
        if frame.label is None or frame.name not in labels:
            continue
        truth = dataset.read_label(frame, space)
        label = resize_label(labels.label(frame.name), truth.shape)
        total += confusion_matrix(label, truth, space.num_classes)
        if frame.name in confidences:
            known = (label != IGNORE) & (truth != IGNORE)
            confidence = resize_label(confidences[frame.name], truth.shape)[known] / LEVELS
            table += reliability(confidence, label[known] == truth[known])
    pixels, right = total.sum(0), np.diag(total)
    counts = {f"pl/precision/{name}": (right[c], pixels[c]) for c, name in enumerate(space.classes)}
    counts["pl/precision"] = (right.sum(), pixels.sum())
    return {name: 100.0 * float(hits / count) for name, (hits, count) in counts.items() if count}, table
