"""ProDA's first round, in one pass (proda.md, 5 and 6): argmax labels; soft labels, the softmax of the network's own
output; and the initial prototypes, running means of its features, folded image by image."""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from udamlf.config.labels import LabelSpace
from udamlf.data.maps import resize_matrix
from udamlf.data.pseudo_labels import encode_soft_label
from udamlf.models.base import Output
from udamlf.selection.base import BaseSelector, Publication

MIN_PIXELS = 10  # a class with fewer pixels in an image gives no vector for it
COUNT_CAP = 3000  # beyond this count the mean becomes an exponential average of rate 1/3001


class ClassMeans(NamedTuple):
    """Mean feature float32 [N,C,D] of every class in every image, 0 without pixels; int64 [N,C] pixels behind each."""

    means: Tensor
    pixels: Tensor


class Prototypes(NamedTuple):
    """Running means float [C,D], 0 for a class never seen, and float [C] images folded in, at most the cap."""

    vectors: Tensor
    counts: Tensor


def class_means(features: Tensor, classes: Tensor, num_classes: int, align_corners: bool = True) -> ClassMeans:
    """Mean feature of every class in every image, from features float [N,D,h,w], taken as upsampled (bilinear), and
    classes int [N,H,W], of which anything outside 0..C-1 counts for nothing (proda.md 6)."""
    features = features.float()
    masks = classes.unsqueeze(1) == torch.arange(num_classes, device=classes.device).view(1, -1, 1, 1)
    pixels = masks.sum((2, 3))
    weights = masks.to(features.dtype)
    if weights.shape[2:] != features.shape[2:]:
        # The transpose of the resize, of the masks: the same sums without upsampled features (537 MB at ProDA's size).
        rows = resize_matrix(features.shape[2], weights.shape[2], features, align_corners)
        columns = resize_matrix(features.shape[3], weights.shape[3], features, align_corners)
        weights = rows.T @ weights @ columns
    sums = weights.flatten(2) @ features.flatten(2).transpose(1, 2)
    return ClassMeans(sums / pixels.clamp(min=1).unsqueeze(2), pixels)


def fold(vectors: Tensor, means: Tensor, rates: Tensor) -> Tensor:
    """v <- (1-r) v + r mean over the images in turn, as one weighted sum; means [N,C,D], rates [N,C] -> [C,D]."""
    decay = 1 - rates
    after = torch.cat([decay[1:].flip(0).cumprod(0).flip(0), torch.ones_like(decay[:1])])
    folded = torch.einsum("nc,ncd->cd", rates * after, means.to(vectors.dtype))
    return decay.prod(0).unsqueeze(1) * vectors + folded


def update_prototypes(
    prototypes: Prototypes, batch: ClassMeans, min_pixels: int = MIN_PIXELS, count_cap: int = COUNT_CAP
) -> Prototypes:
    """Fold a batch into the running means, image after image: eta <- (n eta + v) / (n + 1), n <- min(n + 1, count_cap)
    (proda.md 6, initial prototypes; the released mean of image means)."""
    weight = (batch.pixels >= min_pixels).to(prototypes.counts.dtype)
    total = prototypes.counts + weight.cumsum(0)
    before = (total - weight).clamp(max=count_cap)
    rates = weight / (before + weight).clamp(min=1)
    return Prototypes(fold(prototypes.vectors, batch.means, rates), total[-1].clamp(max=count_cap))


class Selector(BaseSelector):
    """No parameters. Labels each image by itself; publishes ``prototypes`` float32 [C, D] and ``prototype_counts``."""

    observes_network = True
    stores_soft = True
    publishes = ("thresholds", "prototypes", "prototype_counts")

    def __init__(self, params: Any, space: LabelSpace, round: int) -> None:
        super().__init__(params, space, round)
        counts = torch.zeros(space.num_classes, dtype=torch.float64)  # the order of images leaves no trace in float32
        self.prototypes = Prototypes(counts[:, None], counts)  # as wide as the features, once there are any
        self._soft: dict[int, np.ndarray] = {}

    def observe_network(self, output: Output, index: int) -> None:
        logits = output.logits.float()
        self.learn(output, logits.argmax(1))
        self._soft[index] = encode_soft_label(torch.softmax(logits[0], 0))

    def learn(self, output: Output, classes: Tensor) -> None:
        """Fold an image's features into the prototypes, by its classes int [1, h, w]."""
        means = class_means(output.needed_features("selector soft"), classes, self.space.num_classes)
        # On the CPU, where every device's sums can be added up in float64.
        self.prototypes = update_prototypes(self.prototypes, ClassMeans(means.means.cpu(), means.pixels.cpu()))

    def soft_label(self, index: int) -> np.ndarray:
        return self._soft.pop(index)

    def publish(self) -> Publication:
        vectors, counts = self.prototypes.vectors.float().numpy(), self.prototypes.counts.numpy()
        return Publication({"thresholds": self.thresholds(), "prototypes": vectors, "prototype_counts": counts})
