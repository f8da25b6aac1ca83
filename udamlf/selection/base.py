"""The contract of a pseudo-label selector, how one is found by name, and how one is driven.

A selector is a file ``udamlf/selection/<name>.py`` with one subclass of ``Selector``; where the name is a Python
keyword the file carries a trailing underscore (``global`` lives in ``global_.py``). ``label_images`` is the whole use:

    selector = build("class_balanced", {"portion": 0.2}, space, round=1)
    for index, label in label_images(selector, count, seed, scores): ...

where ``scores(index)`` gives the class probabilities of image ``index`` of the target list, float32 [C, H, W].
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.labels import IGNORE, LabelSpace
from udamlf.errors import UserError, nearest
from udamlf.models.base import Output
from udamlf.trees import refused_parameter

State = dict[str, np.ndarray]
BAND_PIXELS = 1 << 17  # 19 classes of float32: 10 MB, whatever the size of the frame


class Selector:
    """Base of every selector; the defaults suit one that labels each image by itself.

    Class attributes:
        Params: pydantic model of the YAML parameters.
        group: images pooled by one ``assign`` call.
        mergeable: whether shards of the list may be observed apart and merged; the result is then exactly that of one
            pass.
        observes_network: whether ``observe_network`` must see every image before its ``assign``.
        stores_soft: whether ``soft_label`` gives something to publish.

    Attributes:
        passes: how many times every image is observed before the first ``assign``; each pass ends with ``end_pass``.
    """

    Params: ClassVar[type[Strict]] = Strict
    group: int = 1
    mergeable: ClassVar[bool] = False
    observes_network: ClassVar[bool] = False
    stores_soft: bool = False
    passes: int = 0

    def __init__(self, params: Any, space: LabelSpace, round: int) -> None:
        self.params = params
        self.space = space
        self.round = round

    @property
    def two_pass(self) -> bool:
        """Whether every image is observed before any is labelled."""
        return self.passes > 0

    @property
    def shardable(self) -> bool:
        """Whether the first pass may be shared among processes."""
        return self.mergeable and self.two_pass and not self.observes_network

    @property
    def needs_source_prior(self) -> bool:
        """Whether a spatial prior (``spatial_prior.PriorCounts`` of the source labels) must be given to ``set_prior``
        before the first image."""
        return False

    def set_prior(self, prior: np.ndarray) -> None:
        """Take the spatial prior float32 [C, h, w], of any size."""
        raise UserError(f"selector {type(self).__name__} uses no spatial prior", "class_balanced or global")

    def observe(self, scores: Tensor, index: int) -> None:
        """Take in the probabilities float32 [C, H, W] of image ``index``; the order of the images does not matter."""

    def observe_network(self, output: Output, index: int) -> None:
        """Take in the network's own output of image ``index``, a batch of one at its stride, unmirrored."""

    def end_pass(self) -> None:
        """Every image has been observed (by this selector, or by shards now merged into it)."""

    def order(self, count: int, seed: int) -> list[int]:
        """The images that get a label map, in the order in which they are to be assigned."""
        return list(range(count))

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        """Label maps uint8 [H, W] (train ids and IGNORE) of up to ``group`` images, in the order of ``order``.

        Args:
            scores: probabilities float32 [C, H, W] of each image.
            indices: their positions in the target list.
        """
        raise TypeError(f"{type(self).__name__} assigns no labels")

    def soft_label(self, index: int) -> np.ndarray:
        """What is stored of image ``index``, which was assigned last, beside its label map; handed out once."""
        raise TypeError(f"{type(self).__name__} stores no soft labels")

    def merge(self, other: Selector) -> None:
        """Add what ``other`` observed, in the same pass, on other images of the list."""
        raise UserError(f"selector {type(self).__name__} is sequential: its shards cannot be merged", "one process")

    def state(self) -> State:
        """Everything observed so far, as arrays; ``restore`` on a selector of the same configuration continues."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the arrays of ``state``."""

    def thresholds(self) -> np.ndarray:
        """Float64 [C] probability from which a pixel of each class is kept; nan: the class has none."""
        return np.full(self.space.num_classes, np.nan)

    def extras(self) -> State:
        """Arrays to publish with the label maps, by name."""
        return {"thresholds": self.thresholds()}


# --- shared by selectors ------------------------------------------------------------------------------------------


def slices(pixels: int) -> Iterator[slice]:
    """Slices that cover ``pixels``, so that temporary arrays stay small."""
    for start in range(0, pixels, BAND_PIXELS):
        yield slice(start, min(start + BAND_PIXELS, pixels))


def top1(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Confidence and class of every pixel.

    Args:
        scores: float [C, H, W], C < 255.

    Returns:
        float32 [H, W] maximum over the classes and uint8 [H, W] its class (the lowest one on a tie).
    """
    flat = scores.flatten(1)
    confidence = torch.empty(flat.shape[1], dtype=torch.float32, device=scores.device)
    label = torch.empty(flat.shape[1], dtype=torch.uint8, device=scores.device)
    for part in slices(flat.shape[1]):
        confidence[part], label[part] = flat[:, part].max(0)
    return confidence.view(scores.shape[1:]), label.view(scores.shape[1:])


def keep_above(confidence: np.ndarray, label: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Labels of the pixels with ``confidence >= thresholds[label]``, IGNORE elsewhere.

    Args:
        confidence: float32 [H, W].
        label: uint8 [H, W], classes.
        thresholds: float64 [C]; nan keeps nothing. The comparison is exact in float64.

    Returns:
        uint8 [H, W].
    """
    # q >= t in float64 is q >= (the smallest float32 that is >= t) in float32.
    rounded = thresholds.astype(np.float32)
    rounded = np.where(rounded < thresholds, np.nextafter(rounded, np.float32(np.inf)), rounded)
    table = np.full(256, np.inf, np.float32)
    table[: len(rounded)] = np.where(np.isnan(rounded), np.float32(np.inf), rounded)
    rejected = cv2.compare(confidence, cv2.LUT(label, table), cv2.CMP_LT)  # all bits set where rejected, 0 elsewhere
    return np.maximum(label, np.bitwise_and(rejected, IGNORE))  # IGNORE is larger than any class


# --- found by name ------------------------------------------------------------------------------------------------


def _class_in(module: ModuleType) -> type[Selector] | None:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Selector) and value.__module__ == module.__name__:
            return value
    return None


def _found() -> dict[str, type[Selector]]:
    package = importlib.import_module(__package__ or "udamlf.selection")
    modules = [m.name for m in pkgutil.iter_modules(package.__path__) if m.name != "base"]
    classes = {name: _class_in(importlib.import_module(f"{package.__name__}.{name}")) for name in modules}
    return {name.rstrip("_"): found for name, found in classes.items() if found is not None}


def names() -> list[str]:
    """Names accepted by ``build``."""
    return sorted(_found())


def build(name: str, params: Mapping[str, Any], space: LabelSpace, round: int) -> Selector:
    """The selector ``name`` for round 1, 2, ...

    Raises:
        UserError: unknown selector or parameter (with the nearest valid one), or a value out of range.
    """
    found = _found()
    if name not in found:
        raise UserError(f"unknown selector {name!r}", "", nearest(name, list(found)))
    try:
        checked = found[name].Params(**params)
    except ValidationError as error:
        valid = list(found[name].Params.model_fields)
        problem, hint = refused_parameter(error, valid)
        raise UserError(f"selector {name}: {problem}", f"parameters {', '.join(valid)}", hint) from error
    return found[name](checked, space, round)


def label_images(
    selector: Selector, count: int, seed: int, scores: Callable[[int], Tensor], observed: bool = False
) -> Iterator[tuple[int, np.ndarray]]:
    """Observe ``count`` images as often as the selector asks, then yield (index, label map) in the selector's order.

    Args:
        scores: probabilities float32 [C, H, W] of image ``index``; called ``selector.passes`` + 1 times per image.
        observed: the first pass is done already (by shards that were merged), except for its ``end_pass``.
    """
    for number in range(selector.passes):
        for index in range(0 if number or not observed else count, count):
            selector.observe(scores(index), index)
        selector.end_pass()
    order = selector.order(count, seed)
    for start in range(0, len(order), selector.group):
        indices = order[start : start + selector.group]
        yield from zip(indices, selector.assign([scores(i) for i in indices], indices), strict=True)
