"""HIAST's hard-class copy-paste between pseudo-labelled target images (hiast.md 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from udamlf.data.labels import IGNORE
from udamlf.data.resize import resize_image, resize_label


class Pasted(NamedTuple):
    """Result of ``paste``: uint8 image [H,W,3], label [H,W] and mask [H,W] (class where pasted, else ``IGNORE``)."""

    image: np.ndarray
    label: np.ndarray
    mask: np.ndarray


class Donors(NamedTuple):
    """Where pasted pixels come from; the statistics of one round's own pseudo-labels.

    Attributes:
        hard_classes: train ids K whose pixels are pasted.
        probability: float [C], chance of each class to be drawn; restricted to K and renormalised here.
        candidates: train id -> positions of the images that may donate it. A class of K without any is never drawn.
    """

    hard_classes: Sequence[int]
    probability: np.ndarray
    candidates: Mapping[int, Sequence[int]]


def paste(
    image: np.ndarray, label: np.ndarray, donor_image: np.ndarray, donor_label: np.ndarray, classes: Sequence[int]
) -> Pasted:
    """Overwrite the base by every donor pixel whose pseudo-label is in ``classes``, at the same position.

    The donor's ignored and easy pixels leave the base as it is; a donor of another size is resized to the base's
    (bilinear, labels nearest). The arguments are not changed.
    """
    size_hw = (label.shape[0], label.shape[1])
    donor_image, donor_label = resize_image(donor_image, size_hw, "bilinear"), resize_label(donor_label, size_hw)
    hard = np.zeros(256, bool)
    hard[list(classes)] = True
    chosen = hard[donor_label]
    return Pasted(
        np.where(chosen[..., None], donor_image, image),
        np.where(chosen, donor_label, label),
        np.where(chosen, donor_label, np.uint8(IGNORE)),
    )


def draw_donor(rng: np.random.Generator, donors: Donors, covered: Sequence[int] = ()) -> tuple[int, int] | None:
    """A hard class that is not ``covered`` and one of its candidate images, as (class, position).

    Returns:
        None if no such class has both a candidate and a positive probability.
    """
    classes = [c for c in donors.hard_classes if c not in covered and donors.candidates.get(c)]
    weights = np.asarray(donors.probability, np.float64)[classes] if classes else np.zeros(0)
    if not weights.sum() > 0:
        return None
    chosen = classes[int(rng.choice(len(classes), p=weights / weights.sum()))]
    candidates = donors.candidates[chosen]
    return chosen, candidates[int(rng.integers(len(candidates)))]


def copy_paste(
    image: np.ndarray,
    label: np.ndarray,
    donors: Donors,
    read: Callable[[int], tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
    max_donors: int = 1,
) -> Pasted:
    """Paste from up to ``max_donors`` drawn images.

    Args:
        read: position -> (image uint8 [H,W,3], pseudo-label uint8 [H,W]).
        max_donors: 1 is what the released code does, whatever it says. More is the rule its comments intend: go on
            until half of the hard classes are covered, a class being covered by a donor that contains it.
    """
    result = Pasted(image, label, np.full_like(label, IGNORE))
    covered: set[int] = set()
    for _ in range(max_donors):
        drawn = draw_donor(rng, donors, sorted(covered))
        if drawn is None:
            break
        donor_image, donor_label = read(drawn[1])
        pasted = paste(result.image, result.label, donor_image, donor_label, donors.hard_classes)
        result = pasted._replace(mask=np.where(pasted.mask == IGNORE, result.mask, pasted.mask))
        covered |= set(np.unique(donor_label).tolist()) & set(donors.hard_classes)
        if 2 * len(covered) >= len(donors.hard_classes):
            break
    return result
