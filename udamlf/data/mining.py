"""Small-class patch mining of CBST and CRST: training crops centred on rare classes (cbst.md, sections 6 and 10)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from udamlf.common.errors import UserError
from udamlf.data.geometry import Geometry

PROBABILITY = 0.8  # chance that a crop is moved onto a rare class (cbst.md 6)
Rule = Literal["cbst", "crst"]
Ids = Sequence[int]  # of classes
Draws = tuple[float, float]  # uniform in [0, 1), for the class and for its pixel: entry floor(u * n) of n
Position = tuple[int, int]  # row and column


class Patch(NamedTuple):
    """A crop that shows a rare class: around which of how many pixels."""

    label_class: int
    centre: Position
    origin: Position
    pixels: int


def class_shares(class_sizes: np.ndarray) -> np.ndarray:
    """Share of each class in the predicted pixels int [C], float64 [C]; zeros when there are none."""
    return np.asarray(class_sizes, np.float64) / max(np.sum(class_sizes), 1)


def rarest_classes(shares: np.ndarray, number: int = 3) -> np.ndarray:
    """The ``number`` classes of the smallest share, ascending; the lower id first on a tie (``mine_id``)."""
    return np.argsort(shares, kind="stable")[:number]


def priority_classes(shares: np.ndarray, below: float = 1e-3) -> np.ndarray:
    """Classes whose share is under ``below``, by ascending share (``mine_id_priority``)."""
    return rarest_classes(shares, int(np.sum(shares < below)))


def _present(classes: Ids, label: np.ndarray) -> list[int]:
    return [int(c) for c in classes if np.any(label == c)]


def _pick(candidates: list[int], label: np.ndarray, draws: Draws) -> Patch | None:
    """A drawn pixel of a drawn class, as centre and origin; None without candidates."""
    if not candidates:
        return None
    label_class = candidates[int(draws[0] * len(candidates))]
    rows, columns = np.nonzero(label == label_class)
    pixel = int(draws[1] * len(rows))
    place = int(rows[pixel]), int(columns[pixel])
    return Patch(label_class, place, place, len(rows))


def interior_candidates(label: np.ndarray, crop: int, rarest: Ids, priority: Ids) -> tuple[list[int], np.ndarray]:
    """Classes a crop of side ``crop`` may be centred on, the priority classes of the interior or else the rarest ones,
    and that interior of ``label``: the pixels around which a whole crop fits, from row and column ``crop // 2`` on."""
    half, (height, width) = crop // 2, label.shape
    interior = label[half : max(height - half - 1, half), half : max(width - half - 1, half)]
    return _present(priority, interior) or _present(rarest, interior), interior


def cbst_patch(label: np.ndarray, crop: int, rarest: Ids, priority: Ids, draws: Draws) -> Patch | None:
    """CBST's mined crop, side ``crop``, wholly inside the label map uint8 [H, W]; None when no class is mined there."""
    patch = _pick(*interior_candidates(label, crop, rarest, priority), draws)
    return patch and patch._replace(centre=(patch.origin[0] + crop // 2, patch.origin[1] + crop // 2))


def crst_patch(label: np.ndarray, crop_hw: Position, rarest: Ids, draws: Draws) -> Patch | None:
    """CRST's mined crop: centred on any pixel of a rare class of ``label`` uint8 [H, W], then shifted inside."""
    patch = _pick(_present(rarest, label), label, draws)
    if patch is None:
        return None
    axes = zip(patch.centre, crop_hw, label.shape, strict=True)
    top, left = (min(max(place - side // 2, 0), max(length - side, 0)) for place, side, length in axes)
    return patch._replace(origin=(top, left))


class Miner:
    """Moves crops onto classes with few predicted pixels int [C] (published by CBST's selectors). "cbst": in both
    domains onto the priority classes, else the rarest ones, where a whole square crop fits around the pixel; "crst": in
    the target onto the priority classes alone, then shifted inside."""

    def __init__(self, rule: Rule, class_sizes: np.ndarray, probability: float = PROBABILITY) -> None:
        shares = class_shares(class_sizes)
        self.rule, self.probability = rule, probability
        self.domains = ("source", "target") if rule == "cbst" else ("target",)
        self.rarest, self.priority = rarest_classes(shares).tolist(), priority_classes(shares).tolist()

    def place(self, label: np.ndarray, geometry: Geometry, rng: np.random.Generator) -> Geometry:
        """The drawn box, moved onto a rare class of ``label`` uint8 [H, W]; unchanged where there is none to move to,
        and where it is as large as the frame: it shows every class anyway."""
        size = (geometry.height, geometry.width)
        if (size[0] >= label.shape[0] and size[1] >= label.shape[1]) or rng.random() >= self.probability:
            return geometry
        draws = (float(rng.random()), float(rng.random()))
        if self.rule == "crst":
            patch = crst_patch(label, size, self.priority, draws)
        elif size[0] == size[1]:
            patch = cbst_patch(label, size[0], self.rarest, self.priority, draws)
        else:
            raise UserError(f"mining of CBST with crops of {size}", "square crops", "mining: crst")
        return replace(geometry, top=patch.origin[0], left=patch.origin[1]) if patch else geometry
