"""IntraDA's entropy ranking (Pan et al., CVPR 2020; intrada.md, section 3): the images of the lowest mean
self-information are "easy" and get argmax labels; the rest is the target domain of the second adaptation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.budget import Share
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Strict
from udamlf.data.maps import slices, top1
from udamlf.losses import self_information
from udamlf.selection.base import BaseSelector, Publication, Table

COLUMNS = ("rank", "image", "split", "score", "entropy", "rare_classes")
OFFSET = 0.5  # of the normalisation (intrada.md, section 3)
EXAMPLES = 4  # images of each end of the ranking that are drawn


def entropy_score(probabilities: Tensor) -> float:
    """Mean over pixels and classes of the self-information of probabilities float32 [C, H, W]; 0 to 1/C."""
    flat = probabilities[None].flatten(2)
    total = sum(self_information(flat[..., part]).sum(dtype=torch.float64).item() for part in slices(flat.shape[2]))
    return total / flat[0].numel()


def rare_classes_present(label: np.ndarray, rare: Sequence[int]) -> int:
    """How many of the ``rare`` train ids occur in the label map uint8 [H, W]."""
    return int(np.isin(rare, label).sum())


def normalised_score(score: float, present: int, rare_classes: int, offset: float = OFFSET) -> float:
    """Score times (share of the rare classes that is missing + offset): images rich in them look easier."""
    return score * ((rare_classes - present) / rare_classes + offset)


def split(scores: Sequence[float], easy_share: float) -> dict[str, np.ndarray]:
    """``easy``, the ``int(n * easy_share)`` lowest scores, and ``hard``: int64 positions by ascending score."""
    order = np.argsort(scores, kind="stable")
    easy = int(len(order) * easy_share)
    return {"easy": order[:easy], "hard": order[easy:]}


class EntropyRankingParams(Strict):
    easy_share: Share = 0.67  # the paper's lambda
    normalise: bool = False  # weigh scores by the rare classes present (the label space's ``rare``)


class Selector(BaseSelector):
    """Labels the easy images only; publishes the positions of the ``easy`` and ``hard`` ones and the ranking."""

    Params = EntropyRankingParams
    params: EntropyRankingParams
    parts = ("easy", "hard")
    passes = 1

    def __init__(self, params: EntropyRankingParams, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        if params.normalise and not space.rare:
            raise UserError(f"label space {space.name} names no rare classes", "normalise: false")
        self._rare = [space.classes.index(name) for name in space.rare]
        self._facts: dict[int, tuple[float, float, int]] = {}  # by image: score, entropy, rare classes

    def observe(self, scores: Tensor, index: int) -> None:
        entropy, present = entropy_score(scores), rare_classes_present(top1(scores)[1].cpu().numpy(), self._rare)
        score = normalised_score(entropy, present, len(self._rare)) if self.params.normalise else entropy
        self._facts[index] = (score, entropy, present)

    def finish(self) -> None:
        self.split = split([self._facts[index][0] for index in range(len(self._facts))], self.params.easy_share)

    def order(self, count: int, seed: int) -> list[int]:
        return self.split["easy"].tolist()

    def publish(self) -> Publication:
        ranked = [(image, name) for name, images in self.split.items() for image in images.tolist()]
        rows: list[dict[str, Any]] = [
            dict(zip(COLUMNS, (rank, image, name, *self._facts[image]), strict=True))
            for rank, (image, name) in enumerate(ranked, start=1)
        ]
        counts = {"images": len(rows), **{name: len(images) for name, images in self.split.items()}}
        summary = {"easy_share": self.params.easy_share, "normalised": self.params.normalise, **counts}
        title = f"{{rank}} of {len(rows)}, {{split}}, score {{score:.4f}}"
        examples = [(title.format_map(row), row["image"]) for row in rows[:EXAMPLES] + rows[EXAMPLES:][-EXAMPLES:]]
        return Publication(self.split, Table("ranking", summary, rows), examples)
