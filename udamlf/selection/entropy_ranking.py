"""IntraDA's entropy ranking and easy/hard split (Pan et al., CVPR 2020; intrada.md, section 3).

An image's score is its mean self-information over pixels and classes. The share of images with the lowest scores is
"easy" and gets plain argmax labels, every pixel; the rest is the target domain of the second adaptation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.labels import LabelSpace
from udamlf.errors import UserError
from udamlf.losses.adversarial import self_information
from udamlf.selection.base import Selector, State, slices, top1


class Split(NamedTuple):
    """Image indices int64, each part by ascending score."""

    easy: np.ndarray
    hard: np.ndarray


def entropy_score(probabilities: Tensor) -> float:
    """Mean over pixels and classes of the self-information of probabilities float32 [C, H, W]; 0 to 1/C."""
    flat = probabilities[None].flatten(2)
    total = sum(self_information(flat[..., part]).sum(dtype=torch.float64).item() for part in slices(flat.shape[2]))
    return total / flat[0].numel()


def rare_classes_present(label: np.ndarray, rare: Sequence[int]) -> int:
    """How many of the ``rare`` train ids occur in the label map uint8 [H, W]."""
    return int(np.isin(np.asarray(rare), np.unique(label)).sum())


def normalised_scores(scores: np.ndarray, present: np.ndarray, rare_classes: int, offset: float = 0.5) -> np.ndarray:
    """Scores times (share of the rare classes that is missing + offset): images rich in rare classes look easier.

    Args:
        scores: float64 [n].
        present: int [n], rare classes present in each image.
        rare_classes: how many there are.
    """
    return scores * ((rare_classes - present) / rare_classes + offset)


def split(scores: np.ndarray, easy_share: float) -> Split:
    """The ``int(n * easy_share)`` images of the lowest scores and the rest; ties in list order."""
    order = np.argsort(scores, kind="stable")
    easy = int(len(order) * easy_share)
    return Split(order[:easy], order[easy:])


class EntropyRankingParams(Strict):
    """Parameters of ``entropy_ranking``.

    Attributes:
        easy_share: the paper's lambda, 0-1.
        normalise: weigh scores by the rare classes present (the label space's ``rare``).
        offset: of the normalisation.
    """

    easy_share: float = Field(0.67, ge=0, le=1)
    normalise: bool = False
    offset: float = 0.5


class EntropyRanking(Selector):
    """Publishes labels of the easy split only, and the ranking as extras."""

    Params: ClassVar[type[Strict]] = EntropyRankingParams
    params: EntropyRankingParams
    mergeable: ClassVar[bool] = True
    passes = 1

    def __init__(self, params: EntropyRankingParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        if params.normalise and not space.rare:
            raise UserError(f"label space {space.name} names no rare classes", "normalise: false")
        self._rare = [space.classes.index(name) for name in space.rare]
        self._observed: dict[int, tuple[float, int]] = {}

    def observe(self, scores: Tensor, index: int) -> None:
        present = rare_classes_present(top1(scores)[1].cpu().numpy(), self._rare)
        self._observed[index] = (entropy_score(scores), present)

    def merge(self, other: Selector) -> None:
        assert isinstance(other, EntropyRanking)
        self._observed.update(other._observed)

    def state(self) -> State:
        """``ranked_images`` int64 [n] ascending, ``entropy_scores`` float64 [n], ``rare_classes_present`` int64 [n]."""
        images = sorted(self._observed)
        return {
            "ranked_images": np.array(images, np.int64),
            "entropy_scores": np.array([self._observed[i][0] for i in images], np.float64),
            "rare_classes_present": np.array([self._observed[i][1] for i in images], np.int64),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        columns = (state["ranked_images"], state["entropy_scores"], state["rare_classes_present"])
        self._observed = {int(i): (float(s), int(r)) for i, s, r in zip(*columns, strict=True)}

    def scores(self) -> np.ndarray:
        """What the ranking sorts by, float64 [n], in the order of ``state``'s ``ranked_images``."""
        state = self.state()
        if not self.params.normalise:
            return state["entropy_scores"]
        present = state["rare_classes_present"]
        return normalised_scores(state["entropy_scores"], present, len(self._rare), self.params.offset)

    def ranking(self) -> Split:
        """Image indices of the easy and of the hard split."""
        state = self.state()
        parts = split(self.scores(), self.params.easy_share)
        return Split(state["ranked_images"][parts.easy], state["ranked_images"][parts.hard])

    def order(self, count: int, seed: int) -> list[int]:
        return self.ranking().easy.tolist()

    def assign(self, scores: Sequence[Tensor], indices: Sequence[int]) -> list[np.ndarray]:
        return [top1(s)[1].cpu().numpy() for s in scores]

    def extras(self) -> State:
        return {**super().extras(), **self.state(), **self.ranking()._asdict()}
