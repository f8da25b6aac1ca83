"""The contract of a pseudo-label selector: a file ``udamlf/selection/<name>.py`` with a class ``Selector``.

selector = build(Part(name="class_balanced", portion=0.2), space, round=1)
for index, label in label_images(selector, count, seed, scores): ..."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import cv2
import numpy as np
from torch import Tensor

from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part, Parts, Strict
from udamlf.data.maps import top1
from udamlf.models.base import Output


@dataclass(frozen=True)
class Table:
    """Published as ``<name>/<name>.json`` and ``.csv``: JSON-able facts about the whole, and per image a mapping of
    column to value, which names it by its position in the split under ``image``."""

    name: str
    summary: dict[str, Any]
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Publication:
    """What a selector gives to be published beside the label maps.

    The round's training sees ``arrays`` as ``Context.published``; an int64 array of image positions is a part of the
    target, which a round names as ``source: labels.NAME`` or ``target: labels.NAME``."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    table: Table | None = None
    examples: list[tuple[str, int]] = field(default_factory=list)  # (title, image), drawn with prediction and entropy


class BaseSelector:
    """Base of every ``Selector``; the defaults label every pixel of each image with its most probable class."""

    Params: ClassVar[type[Strict]] = Strict  # of the YAML part
    reads_source: ClassVar[bool] = False  # the source's label maps: ``prepare`` sees them before the first image
    observes_network: ClassVar[bool] = False  # ``observe_network`` must see every image before its ``assign``
    observes_source: ClassVar[bool] = False  # and ``observe_source`` must see every source image by then
    group: int = 1  # images pooled by one ``assign`` call
    parts: ClassVar[tuple[str, ...]] = ()  # parts of the target that it publishes
    publishes: tuple[str, ...] = ("thresholds",)  # further arrays of ``publish``, which an objective may need
    passes: int = 0  # times every image is observed before the first ``assign``; each pass ends with ``finish``
    stores_soft: bool = False  # ``soft_label`` gives something to publish

    def __init__(self, params: Any, space: LabelSpace, round: int) -> None:
        self.params, self.space, self.round = params, space, round

    def prepare(self, source_labels: Sequence[np.ndarray]) -> None:
        """See the label maps uint8 [H, W] of ``source_train``, each read when it is asked for (from any thread)."""

    def observe(self, scores: Tensor, index: int) -> None:
        """Take in the probabilities float32 [C, H, W] of image ``index``; the order of the images does not matter."""

    def observe_network(self, output: Output, index: int) -> None:
        """Take in the network's own output of image ``index``, a batch of one at its stride, unmirrored."""

    def observe_source(self, output: Output, label: np.ndarray) -> None:
        """Take in the network's own output of a source image, as of a target image, and its label, uint8 [H, W]."""

    def finish(self) -> None:
        """A pass is over: every image has been observed."""

    def order(self, count: int, seed: int) -> list[int]:
        """The images that get a label map, in the order in which they are to be assigned."""
        return list(range(count))

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        """Label maps uint8 [H, W] (train ids and IGNORE) of up to ``group`` images with these probabilities float32
        [C, H, W] and positions in the split, in the order of ``order``."""
        return [top1(image)[1].cpu().numpy() for image in scores]

    def soft_label(self, index: int) -> np.ndarray:
        """What is stored of image ``index``, which was assigned last, beside its label map; handed out once."""
        raise NotImplementedError

    def thresholds(self) -> np.ndarray:
        """Float64 [C] probability from which a pixel of each class is kept; nan: the class has none."""
        return np.full(self.space.num_classes, np.nan)

    def publish(self) -> Publication:
        """What goes beside the label maps, once all of them are assigned."""
        return Publication({"thresholds": self.thresholds()})


SELECTORS = Parts("udamlf.selection", "Selector", "selector")


def build(part: Part, space: LabelSpace, round: int) -> BaseSelector:
    """The selector named by ``part`` for round 1, 2, ... UserError: unknown, or refused parameters."""
    return SELECTORS.find(part.name)(SELECTORS.params(part), space, round)


def label_images(
    selector: BaseSelector, count: int, seed: int, scores: Callable[[int], Tensor]
) -> Iterator[tuple[int, np.ndarray]]:
    """Observe ``count`` images as often as the selector asks, then yield (index, label map) in the selector's order;
    ``scores`` gives the probabilities float32 [C, H, W] of an image, ``selector.passes`` + 1 times."""
    for _ in range(selector.passes):
        for index in range(count):
            selector.observe(scores(index), index)
        selector.finish()
    order = selector.order(count, seed)
    for start in range(0, len(order), selector.group):
        indices = order[start : start + selector.group]
        yield from zip(indices, selector.assign([scores(i) for i in indices], indices), strict=True)


def keep_above(confidence: np.ndarray, label: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Labels uint8 [H, W] where ``confidence >= thresholds[label]``, IGNORE elsewhere, from confidence float32 [H, W],
    classes uint8 [H, W] and thresholds float64 [C]; nan keeps nothing. The comparison is exact in float64."""
    exact = np.full(256, np.inf)
    exact[: len(thresholds)] = np.where(np.isnan(thresholds), np.inf, thresholds)
    # q >= t in float64 is q >= (the smallest float32 that is >= t) in float32.
    table = exact.astype(np.float32)
    table = np.where(table < exact, np.nextafter(table, np.float32(np.inf)), table)
    rejected = cv2.compare(confidence, cv2.LUT(label, table), cv2.CMP_LT)  # all bits set or none: IGNORE is 255
    return np.maximum(label, rejected)
