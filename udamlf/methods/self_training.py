"""Self-training on pseudo-labels (ST, CBST, CRST, IAST): cross-entropy on source and target, and regularisers.

IAST's (ECCV 2020, section 3): entropy is minimised on the ignored region, confidence is tempered by a KL to uniform on
the labelled one. CRST's (ICCV 2019; cbst.md 10): MRKLD and MRENT temper the confidence on the labelled target pixels,
LRENT replaces their hard labels by soft ones.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.augment.geometry import Geometry
from udamlf.data.augment.photometric import jitter
from udamlf.data.labels import IGNORE
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.losses.basic import cross_entropy, entropy, kl_to_uniform
from udamlf.losses.crst import lrent, mrent, mrkld, one_hot, soft_where_kept
from udamlf.methods.base import BaseObjective, Batch, Context, Domain, Losses
from udamlf.selection.mining import Miner, MiningParams


class SelfTrainingParams(Strict):
    """Parameters of ``self_training``.

    Attributes:
        pool: mean over all labelled pixels of both domains (CBST), or a separate mean per domain (``source_weight``
            and ``target_weight`` then weigh them).
        source_weight: of the source's cross-entropy, where a batch holds source images (IAST's published ones do not).
        entropy: weight of the entropy of the ignored region.
        kl: weight of the KL to uniform of the labelled region.
        regulariser_scale: ``per_class`` divides both by the number of classes once more, as IAST's released code does
            (iast.md, 3); ``per_pixel`` is the paper's formula.
        joint_batch: source and target share one forward pass and thus their BatchNorm statistics.
        target_class_weights: power (0..1) of the class weights, taken from the source labels, on the target: 1 as on
            the source, 0 none. Between them wrong labels of rare classes weigh less.
        mrkld: weight of CRST's KL to uniform, 0.01 in effect in the released code. It is ``kl`` per pixel.
        mrent: weight of CRST's negative entropy.
        lrent: CRST's alpha (0.25): the target's labels are the soft ones of the frozen network that labelled it, made
            again in every step from its probabilities and the published thresholds. The selector keeps the same pixels
            with ``soft_alpha: lrent``.
        lrent_jitter: photometric jitter of the student's view alone; ``augmentation.jitter_target`` is then 0.
        mining: small-class mining of the crops; none when a selector publishes no class sizes.
    """

    pool: Literal["pixels", "domains"] = "domains"
    source_weight: float = Field(1.0, ge=0)
    target_weight: float = Field(1.0, ge=0)
    entropy: float = Field(0.0, ge=0)
    kl: float = Field(0.0, ge=0)
    regulariser_scale: Literal["per_class", "per_pixel"] = "per_class"
    joint_batch: bool = True
    target_class_weights: float = Field(1.0, ge=0, le=1)
    mrkld: float = Field(0.0, ge=0)
    mrent: float = Field(0.0, ge=0)
    lrent: float | None = Field(None, gt=0)
    lrent_jitter: float = Field(0.0, ge=0)
    mining: MiningParams | None = None


class Objective(BaseObjective):
    """Cross-entropy on source labels and target pseudo-labels, and terms on the regions of the target."""

    Params: ClassVar[type[Strict]] = SelfTrainingParams
    domains = ("target",)

    def __init__(self, params: SelfTrainingParams, context: Context) -> None:
        super().__init__(params, context)
        sizes = context.label_extras.get("class_sizes")
        self.miner = Miner(params.mining, sizes) if params.mining is not None and sizes is not None else None
        self.generator = SoftLabeller(params.lrent, context) if params.lrent is not None else None

    @property
    def weights(self) -> dict[str, float]:
        p: SelfTrainingParams = self.params
        return {
            "source_ce": p.source_weight,
            "target_ce": p.target_weight,
            "target_entropy": p.entropy,
            "target_kl": p.kl,
            "target_mrkld": p.mrkld,
            "target_mrent": p.mrent,
        }

    def place(self, domain: str, view: View, geometry: Geometry, rng: np.random.Generator) -> Geometry:
        mined = self.miner is not None and domain in self.miner.params.domains
        return self.miner.place(view.label, geometry, rng) if self.miner and mined else geometry

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        if domain == "target" and self.params.lrent_jitter:
            view.images["student"] = jitter(view.image, rng, self.params.lrent_jitter)
        return view

    def losses(self, batch: Batch) -> Losses:
        assert batch.target is not None
        p: SelfTrainingParams = self.params
        domains = [d for d in (batch.source, batch.target) if d is not None]
        images = [d.views.get("student", d.images) for d in domains]
        outputs = self.forward_together(*images) if p.joint_batch else [self.model(part) for part in images]
        pairs = [self.at_loss_resolution(o.logits, d.labels) for o, d in zip(outputs, domains, strict=True)]
        logits, labels = pairs[-1]
        named = self._supervised(pairs) if self.generator is None else self._soft(pairs, batch.target)
        per_class = p.regulariser_scale == "per_class"
        if p.entropy:
            named["target_entropy"] = entropy(logits, labels == IGNORE, per_class)
        if p.kl:
            named["target_kl"] = kl_to_uniform(logits, labels != IGNORE, per_class)
        if p.mrkld:
            named["target_mrkld"] = mrkld(logits, labels)
        if p.mrent:
            named["target_mrent"] = mrent(logits, labels)
        return {"model": named}

    def _supervised(self, pairs: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        """Cross-entropy with hard labels; ``pairs`` are (logits, labels) of the domains, the target last."""
        weights = self.context.class_weights
        if self.params.pool == "pixels":
            logits, labels = (torch.cat(parts) for parts in zip(*pairs, strict=True))
            return {"pooled_ce": cross_entropy(logits, labels, weights)}
        named = {"source_ce": cross_entropy(*pairs[0], weights)} if len(pairs) == 2 else {}
        named["target_ce"] = cross_entropy(*pairs[-1], self.tempered_class_weights(self.params.target_class_weights))
        return named

    def _soft(self, pairs: list[tuple[Tensor, Tensor]], target: Domain) -> dict[str, Tensor]:
        """As ``_supervised``, with LRENT's soft labels on the target."""
        assert self.generator is not None
        weights = self.context.class_weights
        logits, labels = pairs[-1]
        soft = self.generator(target.images, labels)
        if self.params.pool == "pixels":
            hard = [one_hot(given, logits.shape[1]) for _, given in pairs[:-1]]
            return {"pooled_ce": lrent(torch.cat([given for given, _ in pairs]), torch.cat([*hard, soft]), weights)}
        named = {"source_ce": cross_entropy(*pairs[0], weights)} if len(pairs) == 2 else {}
        named["target_ce"] = lrent(logits, soft, self.tempered_class_weights(self.params.target_class_weights))
        return named


class SoftLabeller:
    """LRENT's soft labels of a crop, from the frozen network that labelled the target.

    Raises:
        UserError: the previous network is missing, or the thresholds are not of plain probabilities.
    """

    def __init__(self, alpha: float, context: Context) -> None:
        thresholds = context.label_extras.get("thresholds")
        if context.teacher is None or thresholds is None:
            raise UserError("lrent without pseudo-labels", "a round with a selector that has thresholds")
        # A top-1 probability is at least 1/C: what is lower was weighted by a prior, which a crop does not know.
        if np.nanmin(np.append(thresholds, np.inf)) < 0.99 / context.space.num_classes:
            raise UserError(
                "lrent with thresholds of scores that a spatial prior has weighted", "a selector without prior"
            )
        self.alpha, self.model = alpha, context.model
        self.network = context.teacher().to(context.device).eval().requires_grad_(False)
        self.thresholds = torch.from_numpy(np.nan_to_num(thresholds, nan=np.inf)).float().to(context.device)

    @torch.no_grad()
    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        """Soft labels float32 [N,C,h,w] where ``labels`` int64 [N,h,w] (of the loss's size) keep a pixel, else 0."""
        size = (labels.shape[-2], labels.shape[-1])
        scores = self.network.upsample(self.network(images).logits.float(), size).softmax(1)
        return soft_where_kept(scores, self.thresholds, self.alpha, labels != IGNORE)
