"""Self-supervised pre-training in place of SimCLRv2's weights for ProDA: a pixel finds itself again in another view of
its image. Dense contrastive learning (Wang et al., CVPR 2021, arXiv 2011.09157) without queue, projection and second
network; negatives come from the same domain."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.batches import Draw, plain
from udamlf.data.colour import jitter
from udamlf.data.sample import Domain, Sample
from udamlf.data.strong_view import draw_strong_view, strong_image, strong_index
from udamlf.losses import masked_mean
from udamlf.training.objective import BaseObjective, Batch, Losses

# Tuned on the miniature, the only user.
STRIDE = 4  # features are compared on the crop's 1/4 grid
PIXELS = 128  # grid cells compared per image
TEMPERATURE = 0.1  # of the softmax over cosines
JITTER = 0.8  # photometric strength on the second view, beside its two random operations


def dense_contrast(first: Tensor, second: Tensor, valid: Tensor) -> Tensor:
    """InfoNCE of features float [n, D] with corresponding rows: mean over the valid rows, bool [n], of -log softmax of
    the cosines / TEMPERATURE at itself, other rows are neither asked for nor offered; 0 with a gradient without any."""
    cosines = F.normalize(second, dim=1) @ F.normalize(first, dim=1).T
    logits = (cosines / TEMPERATURE).masked_fill(~valid.unsqueeze(0), torch.finfo(cosines.dtype).min)
    return masked_mean(-torch.log_softmax(logits, 1).diagonal(), valid)


class Objective(BaseObjective):
    """Dense contrast within the source and within the target images; no parameters."""

    domains = ("source", "target")

    def prepare(self, draw: Draw) -> Sample:
        crop = plain(draw)
        hw = (crop.image.shape[0], crop.image.shape[1])
        view = draw_strong_view(draw.rng, hw, cutout_share=0.0)
        crop.images["second"] = jitter(strong_image(crop.image, view), draw.rng, JITTER)
        crop.arrays["second_index"] = strong_index(view, (hw[0] // STRIDE, hw[1] // STRIDE), STRIDE)
        return crop

    def losses(self, batch: Batch) -> Losses:
        assert batch.source is not None and batch.target is not None
        domains = {"source": batch.source, "target": batch.target}
        images = [view for d in domains.values() for view in (d.images, d.views["second"])]
        features = [output.needed_features("dense_contrast") for output in self.forward_together(*images)]
        named = {}
        for (name, domain), first, second in zip(domains.items(), features[::2], features[1::2], strict=True):
            named[f"{name}_contrast"] = self._contrast(first, second, domain, batch.rng("pixels", name))
        return {"model": named}

    def _contrast(self, first: Tensor, second: Tensor, domain: Domain, rng: np.random.Generator) -> Tensor:
        index = domain.arrays["second_index"]
        cells = index[0].numel()
        first, second = (self.model.upsample(f.float(), index.shape[-2:]).flatten(2) for f in (first, second))
        numbers = np.stack([rng.permutation(cells)[:PIXELS] for _ in range(len(index))])
        places = torch.from_numpy(numbers).to(index.device)
        origin = index.flatten(1).gather(1, places)  # the same cells in the first view; -1: not there
        pairs = ((first, origin.clamp(min=0)), (second, places))
        first, second = (f.take_along_dim(cell.unsqueeze(1), 2).transpose(1, 2).flatten(0, 1) for f, cell in pairs)
        return dense_contrast(first, second, (origin >= 0).flatten())
