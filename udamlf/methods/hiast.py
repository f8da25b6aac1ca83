"""HIAST's training (Zhu et al., TPAMI 2025, arXiv 2302.06992; hiast.md 3 to 5)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from udamlf.config.labels import IGNORE
from udamlf.config.parts import Strict
from udamlf.data.batches import Draw, plain
from udamlf.data.colour import strong_colours
from udamlf.data.mixing import Donors, draw_donor
from udamlf.data.sample import Domain, Sample
from udamlf.losses import cross_entropy, masked_mean
from udamlf.models.base import Output
from udamlf.models.ema import ema_update, make_teacher
from udamlf.training.objective import Batch, Context, Losses, TargetObjective

KL, ENTROPY, CONSISTENCY = 0.1, 1.0, 0.5  # weights of the regularisers as released (hiast.md 5); IAST's entropy has 3


def consistency(log_p: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """HIAST's consistency (hiast.md 5, L_cst): -(1/N) sum over ``mask`` and classes of t_c log p_c; N counts the
    (pixel, class) products that are not exactly 0, so it is about 1/C of ``soft_cross_entropy``."""
    products = (targets.detach() * log_p).masked_fill(~mask.unsqueeze(1), 0.0)
    return -products.sum() / products.detach().count_nonzero().clamp(min=1)


def region_terms(logits: Tensor, labels: Tensor, targets: Tensor, per_class: bool = True) -> dict[str, Tensor]:
    """The regularisers, from one log-softmax (iast.md 3, hiast.md 5), ``targets`` the teacher's probabilities float
    [N, C, H, W]. ``per_class``: each with an extra 1/C, as released; else N counts pixels."""
    log_p, confident, classes = F.log_softmax(logits, 1), labels != IGNORE, logits.shape[1]
    scale = 1 / classes if per_class else 1
    return {
        "target_kl": masked_mean(-log_p.mean(1), confident) * scale,
        "target_entropy": masked_mean(-(log_p.exp() * log_p).sum(1), ~confident) * scale,
        "target_consistency": consistency(log_p, targets, ~confident) * (1 if per_class else classes),
    }


def candidate_lists(class_pixels: np.ndarray, images: np.ndarray, drop_fraction: float = 0.1) -> list[np.ndarray]:
    """For every class the images that may donate it, int64: those that show it, fewest pixels first, less a fraction
    (rounded half to even) at the small end. From labelled pixels int64 [n, C] and each row's image, int64 [n]."""
    shown = [np.argsort(pixels, kind="stable")[np.count_nonzero(pixels == 0) :] for pixels in class_pixels.T]
    return [np.asarray(images, np.int64)[rows[round(drop_fraction * len(rows)) :]] for rows in shown]


def hard_classes(mean: np.ndarray, number: int, excluded: Sequence[int] = ()) -> np.ndarray:
    """The ``number`` classes with the smallest mean confidence float64 [C], ascending, the lower id first on a tie."""
    ascending = np.argsort(mean, kind="stable")
    return ascending[~np.isin(ascending, excluded)][:number]


def sampling_probabilities(mean: np.ndarray, classes: Sequence[int], power: float = 2.0) -> np.ndarray:
    """Chance to draw each class, float64 [C]: (1 - mean)**power, normalised over ``classes``, 0 for the others."""
    weights = np.where(np.isin(np.arange(len(mean)), classes), (1 - mean) ** power, 0)
    return weights / max(weights.sum(), np.finfo(np.float64).tiny)


class HiastParams(Strict):
    """Parameters of ``hiast``; the defaults are the released ones."""

    hard_share: float = Field(14 / 19, ge=0, le=1)  # of the classes, those of lowest mean confidence, are pasted
    decay: float = Field(0.999, ge=0, lt=1)  # of the EMA teacher, from the first step on
    regulariser_scale: Literal["per_class", "per_pixel"] = "per_class"  # with the released extra 1/C, or the paper's
    source_weight: float = Field(0.0, ge=0)  # of a source cross-entropy in the same BatchNorm batch
    target_class_weights: float = Field(0.0, ge=0, le=1)  # power of the source's class weights in the target's loss


def donors(context: Context, number: int) -> Donors:
    """Who donates the ``number`` hardest classes of the pseudo-labels, by their statistics."""
    mean = context.published["class_mean_confidence"]
    candidates = candidate_lists(context.published["class_pixels"], context.published["labelled_images"])
    # Outputs that no score counts, SYNTHIA's three of 19, are never pasted, not even where the network has seen one.
    scored = {c for name in context.space.subsets for c in context.space.indices(name)}
    idle = [c for c, images in enumerate(candidates) if not len(images) or c not in scored]
    classes = hard_classes(mean, number, idle).tolist()
    return Donors(classes, sampling_probabilities(mean, classes), {c: candidates[c].tolist() for c in classes})


class Objective(TargetObjective):
    """Cross-entropy and KL on the confident region, entropy and the teacher's consistency on the ignored one."""

    Params: ClassVar[type[Strict]] = HiastParams
    has_teacher = True
    needs: ClassVar = {"hard_share": ("class_mean_confidence", "class_pixels", "labelled_images")}

    def __init__(self, params: HiastParams, context: Context) -> None:
        super().__init__(params, context)
        self.teacher = self.modules["teacher"] = make_teacher(context.model).eval()
        self.weights = {"target_kl": KL, "target_entropy": ENTROPY, "target_consistency": CONSISTENCY}
        self.weights["source_ce"] = params.source_weight
        number = round(params.hard_share * context.space.num_classes)
        self.donors = donors(context, number) if number else None

    def prepare(self, draw: Draw) -> Sample:
        if draw.domain != "target":
            return plain(draw)
        donor = draw_donor(self.donors, draw.rng) if self.donors else None
        pasted = (draw.read(donor), self.donors.hard_classes) if self.donors and donor is not None else None
        crop = draw.crop(draw.read(draw.index), donor=pasted)
        crop.images["strong"] = strong_colours(crop.image, draw.rng)
        return crop

    def target_view(self, target: Domain, batch: Batch) -> Tensor:
        return target.views["strong"]

    def losses(self, batch: Batch) -> Iterator[Losses]:
        assert batch.target is not None
        p, target = self.params, batch.target
        with torch.no_grad():
            taught, _ = self.at_loss_resolution(self.teacher.eval()(target.images).logits, target.labels)

        def on_strong(output: Output) -> dict[str, Tensor]:
            logits, labels = self.at_loss_resolution(output.logits, target.labels)
            named = {"target_ce": cross_entropy(logits, labels, self.tempered_class_weights(p.target_class_weights))}
            return named | region_terms(logits, labels, taught.softmax(1), p.regulariser_scale == "per_class")

        yield from self.with_source(batch.source, True, (self.target_view(target, batch), on_strong))
        yield from self.in_parts(False, *self.further_terms(batch, target.labels))

    def after_step(self, step: int) -> None:
        ema_update(self.teacher, self.model, self.params.decay, "copy")
