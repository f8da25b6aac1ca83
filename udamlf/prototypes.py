"""Class prototypes of ProDA (arXiv 2101.10979): means of features, kept by streaming, and what they correct.

All classes and images are handled by one matrix product; nothing here loops over them. Prototypes are folded image
by image, so one pass over the data is enough, and two states of disjoint images merge into the state of both.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from udamlf.data.augment.weak_view import resize_matrix
from udamlf.data.labels import IGNORE

MIN_PIXELS = 10
"""A class with fewer pixels in an image gives no vector for it."""
COUNT_CAP = 3000
"""Beyond this count the mean becomes an exponential average of rate 1/3001."""


class ClassMeans(NamedTuple):
    """Mean feature of every class in every image.

    Attributes:
        means: float32 [N,C,D]; zero for a class without pixels.
        pixels: int64 [N,C], number of pixels behind each mean.
    """

    means: Tensor
    pixels: Tensor


class Prototypes(NamedTuple):
    """State of the running means.

    Attributes:
        vectors: float [C,D]; zero for a class never seen.
        counts: float [C], images (or pixels) folded in, at most the cap.
    """

    vectors: Tensor
    counts: Tensor


def empty_prototypes(num_classes: int, feature_dim: int, device: torch.device | str = "cpu") -> Prototypes:
    """Prototypes before the first image; float64, so that the order of images leaves no trace in float32."""
    vectors = torch.zeros(num_classes, feature_dim, dtype=torch.float64, device=device)
    return Prototypes(vectors, vectors.new_zeros(num_classes))


def assigned_classes(logits: Tensor, labels: Tensor | None = None) -> Tensor:
    """Class each pixel counts for: the argmax, and with ``labels`` only where it is right (source prototypes).

    Args:
        logits: float [N,C,h,w].
        labels: int [N,h,w] train ids with IGNORE, or None (target mode).

    Returns:
        int64 [N,h,w]; IGNORE where a pixel counts for no class.
    """
    predicted = logits.argmax(1)
    return predicted if labels is None else predicted.masked_fill(predicted != labels, IGNORE)


def class_means(features: Tensor, classes: Tensor, num_classes: int, align_corners: bool = True) -> ClassMeans:
    """Mean feature of every class in every image (ProDA, section 6).

    Args:
        features: float [N,D,h,w].
        classes: int [N,H,W]; anything outside 0..C-1 counts for nothing. When (H,W) differs from (h,w) the features
            are taken as upsampled to it (bilinear): the transpose of that resize is applied to the
            masks instead, which gives the same sums without the upsampled features (537 MB at ProDA's size).
        num_classes: C.
        align_corners: convention of that upsampling.
    """
    features = features.float()
    masks = classes.unsqueeze(1) == torch.arange(num_classes, device=classes.device).view(1, -1, 1, 1)
    pixels = masks.sum((2, 3))
    weights = masks.to(features.dtype)
    if weights.shape[2:] != features.shape[2:]:
        rows = resize_matrix(features.shape[2], weights.shape[2], features, align_corners)
        columns = resize_matrix(features.shape[3], weights.shape[3], features, align_corners)
        weights = rows.T @ weights @ columns
    sums = weights.flatten(2) @ features.flatten(2).transpose(1, 2)
    return ClassMeans(sums / pixels.clamp(min=1).unsqueeze(2), pixels)


def _fold(vectors: Tensor, means: Tensor, rates: Tensor) -> Tensor:
    """v <- (1-r) v + r mean over the images in turn, as one weighted sum; means [N,C,D], rates [N,C] -> [C,D]."""
    kept = 1 - rates
    after = torch.cat([kept[1:].flip(0).cumprod(0).flip(0), torch.ones_like(kept[:1])])
    folded = torch.einsum("nc,ncd->cd", rates * after, means.to(vectors.dtype))
    return kept.prod(0).unsqueeze(1) * vectors + folded


def update_prototypes(
    prototypes: Prototypes,
    batch: ClassMeans,
    min_pixels: int = MIN_PIXELS,
    count_cap: int = COUNT_CAP,
    weighting: str = "image",
) -> Prototypes:
    """Fold a batch into the running means (ProDA, section 6, initial prototypes).

    eta <- (n eta + v) / (n + 1), n <- min(n + 1, count_cap), image after image.

    Args:
        weighting: "image" (released: a mean over images of image means) or "pixel" (paper: a mean over all pixels of
            a class; no cap).
    """
    weight = (batch.pixels >= min_pixels).to(prototypes.counts.dtype)
    if weighting == "pixel":
        weight = weight * batch.pixels
    total = prototypes.counts + weight.cumsum(0)
    before = total - weight
    if weighting == "image":
        total, before = total.clamp(max=count_cap), before.clamp(max=count_cap)
    rates = weight / (before + weight).clamp(min=1)
    return Prototypes(_fold(prototypes.vectors, batch.means, rates), total[-1])


def merge_prototypes(one: Prototypes, other: Prototypes, count_cap: int | None = COUNT_CAP) -> Prototypes:
    """Prototypes of two disjoint sets of images; equal to one pass over both as long as the cap is not reached."""
    counts = one.counts + other.counts
    share = (other.counts / counts.clamp(min=1)).unsqueeze(1)
    return Prototypes(torch.lerp(one.vectors, other.vectors, share), counts.clamp(max=count_cap))


def move_prototypes(vectors: Tensor, batch: ClassMeans, rate: float = 1e-4, min_pixels: int = MIN_PIXELS) -> Tensor:
    """One momentum step per (image, class), image after image (ProDA, section 6, moving prototypes).

    Args:
        vectors: float [C,D].
        batch: class means of the teacher's full images. A mean whose components sum to exactly 0 is skipped.
        rate: weight of the new vector.
    """
    present = (batch.pixels >= min_pixels) & (batch.means.sum(2) != 0)
    return _fold(vectors, batch.means, rate * present.to(vectors.dtype))


def feature_distances(features: Tensor, vectors: Tensor) -> Tensor:
    """Euclidean distance of every feature to every prototype (not squared).

    Computed as |f|^2 - 2 f.eta + |eta|^2 in float32 about the mean prototype, which keeps the cancellation small;
    needs full float32 products (TF32 is not precise enough).

    Args:
        features: float [N,D,h,w].
        vectors: float [C,D].

    Returns:
        float32 [N,C,h,w], feature units; differentiable in the features, with gradient 0 where the distance is 0.
    """
    with torch.autocast(features.device.type, enabled=False):
        vectors = vectors.float()
        centre = vectors.mean(0)
        vectors = vectors - centre
        points = (features.float() - centre.view(1, -1, 1, 1)).flatten(2)
        squared = points.square().sum(1, keepdim=True) + vectors.square().sum(1).view(1, -1, 1)
        squared = squared - 2 * (vectors @ points)
        # 1e-12: below float32's resolution of a squared distance; keeps the root's gradient finite.
        return squared.clamp(min=1e-12).sqrt().unflatten(2, features.shape[2:])


def prototype_weights(distances: Tensor, distance_scale: float = 1.0) -> Tensor:
    """softmax over classes of -distance_scale x distance, [N,C,h,w] (ProDA, section 7.4).

    The scale MULTIPLIES the distance, as in the released code; the paper divides by a temperature. Both are 1.
    """
    return torch.softmax(-distance_scale * distances, 1)


def rectify(soft: Tensor, weights: Tensor) -> Tensor:
    """Soft labels corrected by the prototypes: renormalised soft x weights, [N,C,h,w]; 0 where the product is 0."""
    product = soft * weights
    return product / product.sum(1, keepdim=True).clamp(min=torch.finfo(product.dtype).tiny)


def rectified_labels(rectified: Tensor, threshold: float = 0.0) -> Tensor:
    """Class with the highest rectified probability, int64 [N,h,w]; IGNORE where that probability < threshold."""
    confidence, label = rectified.max(1)
    return label.masked_fill(confidence < threshold, IGNORE)
