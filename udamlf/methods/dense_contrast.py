"""Self-supervised pre-training on unlabelled images: a pixel finds itself again in another view of its image.

Dense contrastive learning in its shortest form (Wang et al., "Dense Contrastive Learning for Self-Supervised Visual
Pre-Training", CVPR 2021, arXiv 2011.09157), without queue, projection and second network. It stands in for ProDA's
SimCLRv2 weights where there are none. Both views' geometry is known, so the correspondence is exact. Negatives come
from the same domain only: telling the domains apart is the one thing not to be learned.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from udamlf.config import Strict
from udamlf.data.augment.photometric import jitter
from udamlf.data.augment.randaugment import draw_strong_view, strong_image, strong_index
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.methods.base import BaseObjective, Batch, Domain, Losses


class DenseContrastParams(Strict):
    """Parameters of ``dense_contrast``.

    Attributes:
        stride: features are compared on the crop's 1/stride grid.
        pixels: grid cells compared per image.
        temperature: of the softmax over cosines.
        jitter: photometric strength on the second view, beside its random operations.
        operations, cutout: of the second view, as in ProDA's strong view.
    """

    stride: int = Field(4, ge=1)
    pixels: int = Field(128, ge=2)
    temperature: float = Field(0.1, gt=0)
    jitter: float = Field(0.8, ge=0)
    operations: int = Field(2, ge=0)
    cutout: float = Field(0.0, ge=0, le=1)


def dense_contrast(first: Tensor, second: Tensor, valid: Tensor, temperature: float) -> Tensor:
    """InfoNCE of corresponding features: mean over the valid rows of -log softmax(cosines / temperature) at itself.

    Args:
        first, second: float [n, D]; row i of both shows the same point.
        valid: bool [n]; other rows are neither asked for nor offered. 0 with a gradient path where none is.
        temperature: above 0.
    """
    cosines = F.normalize(second, dim=1) @ F.normalize(first, dim=1).T
    logits = (cosines / temperature).masked_fill(~valid.unsqueeze(0), torch.finfo(cosines.dtype).min)
    found = torch.log_softmax(logits, 1).diagonal().masked_fill(~valid, 0.0)
    return -found.sum() / valid.sum().clamp(min=1)


class Objective(BaseObjective):
    """Dense contrast within the source and within the target images."""

    Params: ClassVar[type[Strict]] = DenseContrastParams
    domains = ("source", "target")

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        p: DenseContrastParams = self.params
        hw = (view.image.shape[0], view.image.shape[1])
        drawn = draw_strong_view(rng, hw, p.operations, cutout_share=p.cutout)
        view.images["second"] = jitter(strong_image(view.image, drawn), rng, p.jitter)
        view.arrays["second_index"] = strong_index(drawn, (hw[0] // p.stride, hw[1] // p.stride), p.stride)
        return view

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None and batch.target is not None
        domains = {"source": batch.source, "target": batch.target}
        images = [view for d in domains.values() for view in (d.images, d.views["second"])]
        features = [output.features for output in self.forward_together(*images)]
        named = {}
        for position, (name, domain) in enumerate(domains.items()):
            first, second = features[2 * position : 2 * position + 2]
            if first is None or second is None:
                raise UserError("dense_contrast needs features, and this network returns none", "another backbone")
            named[f"{name}_contrast"] = self._contrast(first, second, domain, batch.rng("pixels", name))
        return {"model": named}

    def _contrast(self, first: Tensor, second: Tensor, domain: Domain, rng: np.random.Generator) -> Tensor:
        p: DenseContrastParams = self.params
        index = domain.arrays["second_index"]
        size = (index.shape[-2], index.shape[-1])
        first, second = (self.model.upsample(f.float(), size).flatten(2) for f in (first, second))
        cells = index[0].numel()
        draws = [rng.permutation(cells)[: min(p.pixels, cells)] for _ in range(len(index))]
        drawn = torch.from_numpy(np.stack(draws)).to(index.device)
        origin = index.flatten(1).gather(1, drawn)

        def rows(features: Tensor, at: Tensor) -> Tensor:
            gathered = features.gather(2, at.unsqueeze(1).expand(-1, features.shape[1], -1))
            return gathered.transpose(1, 2).flatten(0, 1)

        valid = (origin >= 0).flatten()
        return dense_contrast(rows(first, origin.clamp(min=0)), rows(second, drawn), valid, p.temperature)
