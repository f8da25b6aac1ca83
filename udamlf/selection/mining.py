"""Small-class patch mining of CBST and CRST: training crops centred on rare classes (cbst.md, sections 6 and 10).

Randomness is an argument: a choice among n is ``floor(u * n)`` of a uniform draw u in [0, 1). ``Miner`` joins the parts
for a training stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from udamlf.config import Strict
from udamlf.data.augment.geometry import Geometry
from udamlf.errors import UserError


class Patch(NamedTuple):
    """A crop that contains a rare class.

    Attributes:
        label_class: the mined class.
        centre: row, column of the pixel that was drawn.
        origin: top row, left column of the crop.
        pixels: eligible pixels of the class.
    """

    label_class: int
    centre: tuple[int, int]
    origin: tuple[int, int]
    pixels: int


def class_shares(class_sizes: np.ndarray) -> np.ndarray:
    """Share of each class in the predicted pixels, float64 [C]; zeros when there are none."""
    sizes = np.asarray(class_sizes, np.float64)
    total = sizes.sum()
    return sizes / total if total > 0 else np.zeros_like(sizes)


def rarest_classes(shares: np.ndarray, number: int = 3) -> np.ndarray:
    """The ``number`` classes of the smallest share, ascending; the lower id first on a tie (``mine_id``)."""
    return np.argsort(shares, kind="stable")[:number]


def priority_classes(shares: np.ndarray, below: float = 1e-3) -> np.ndarray:
    """Classes whose share is under ``below``, by ascending share (``mine_id_priority``)."""
    ascending = np.argsort(shares, kind="stable")
    return ascending[shares[ascending] < below]


def _pick(candidates: Sequence[int], label: np.ndarray, draws: tuple[float, float]) -> tuple[int, int, int, int]:
    chosen = candidates[int(draws[0] * len(candidates))]
    rows, columns = np.nonzero(label == chosen)
    pixel = int(draws[1] * len(rows))
    return chosen, int(rows[pixel]), int(columns[pixel]), len(rows)


def _present(classes: Sequence[int], label: np.ndarray) -> list[int]:
    found = set(np.unique(label).tolist())
    return [int(c) for c in classes if int(c) in found]


def interior_candidates(
    label: np.ndarray, crop: int, rarest: Sequence[int], priority: Sequence[int]
) -> tuple[list[int], np.ndarray, int]:
    """Classes a crop of side ``crop`` may be centred on, and where.

    Returns:
        The priority classes present in the interior, else the rarest ones present there (in the given order); the
        interior of ``label``: a pixel where a whole crop centred on it fits; the row and column it starts at.
    """
    half = crop // 2
    height, width = label.shape
    interior = label[half : max(height - half - 1, half), half : max(width - half - 1, half)]
    return _present(priority, interior) or _present(rarest, interior), interior, half


def cbst_patch(
    label: np.ndarray,
    crop: int,
    rarest: Sequence[int],
    priority: Sequence[int],
    draws: tuple[float, float],
    offset: tuple[int, int] = (0, 0),
) -> Patch | None:
    """CBST's mined crop, side ``crop``, wholly inside the label map.

    Args:
        label: uint8 [H, W] train ids; of pseudo-labels only selected pixels count.
        draws: uniform draws for the class and for its pixel.
        offset: row and column at which the label map lies in the canvas whose coordinates are returned.

    Returns:
        None when no such class is in the interior: take a uniform random crop.
    """
    candidates, interior, half = interior_candidates(label, crop, rarest, priority)
    if not candidates:
        return None
    chosen, row, column, pixels = _pick(candidates, interior, draws)
    centre = (row + half + offset[0], column + half + offset[1])
    return Patch(chosen, centre, (centre[0] - half, centre[1] - half), pixels)


def crst_patch(
    label: np.ndarray, crop_hw: tuple[int, int], rarest: Sequence[int], draws: tuple[float, float]
) -> Patch | None:
    """CRST's mined crop: centred on any pixel of a rare class, then shifted inside the label map.

    Args:
        label: uint8 [H, W] train ids; a crop larger than it starts at 0.

    Returns:
        None when no such class is present.
    """
    candidates = _present(rarest, label)
    if not candidates:
        return None
    chosen, row, column, pixels = _pick(candidates, label, draws)
    limits = (max(label.shape[0] - crop_hw[0], 0), max(label.shape[1] - crop_hw[1], 0))
    top = min(max(row - crop_hw[0] // 2, 0), limits[0])
    left = min(max(column - crop_hw[1] // 2, 0), limits[1])
    return Patch(chosen, (row, column), (top, left), pixels)


class MiningParams(Strict):
    """Parameters of small-class mining.

    Attributes:
        probability: chance that a crop is moved onto a rare class.
        rule: ``interior`` looks for the priority classes, else the rarest ones, where a whole square crop fits around
            the pixel (CBST); ``anywhere`` for the priority classes alone, and shifts the crop inside (CRST).
        number: how many classes are the rarest.
        below: share of the predicted pixels under which a class has priority.
        domains: whose crops are moved; CBST mines both, CRST the target alone.
    """

    probability: float = Field(0.8, ge=0, le=1)
    rule: Literal["interior", "anywhere"] = "interior"
    number: int = Field(3, ge=0)
    below: float = Field(1e-3, ge=0, le=1)
    domains: tuple[Literal["source", "target"], ...] = ("source", "target")


class Miner:
    """Moves crops onto the classes that were predicted least.

    Args:
        class_sizes: int [C], predicted pixels of each class in this round (published by the CBST selectors).
    """

    def __init__(self, params: MiningParams, class_sizes: np.ndarray) -> None:
        shares = class_shares(class_sizes)
        self.params = params
        self.rarest = rarest_classes(shares, params.number).tolist()
        self.priority = priority_classes(shares, params.below).tolist()

    def place(self, label: np.ndarray, geometry: Geometry, rng: np.random.Generator) -> Geometry:
        """The drawn box, moved onto a rare class of ``label`` uint8 [H, W]; unchanged where there is none to move to.

        A box as large as the frame stays: it shows every class anyway.
        """
        size = (geometry.height, geometry.width)
        whole = size[0] >= label.shape[0] and size[1] >= label.shape[1]
        if whole or rng.random() >= self.params.probability:
            return geometry
        draws = (float(rng.random()), float(rng.random()))
        if self.params.rule == "anywhere":
            patch = crst_patch(label, size, self.priority, draws)
        elif geometry.height == geometry.width:
            patch = cbst_patch(label, geometry.height, self.rarest, self.priority, draws)
        else:
            raise UserError(f"mining rule interior with crops of {size}", "square crops", "rule: anywhere")
        if patch is None:
            return geometry
        top, left = patch.origin
        # The box of a mirrored crop is given in the mirrored frame.
        return replace(geometry, top=top, left=label.shape[1] - left - geometry.width if geometry.flip else left)
