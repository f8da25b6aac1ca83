"""Mixing images: class mixing and rare-class sampling (online-ema.md 3, 2), HIAST's copy-paste (hiast.md 3)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.data.geometry import resize_image, resize_label


class OnlineLabels(NamedTuple):
    labels: Tensor  # int64 [N,H,W], the argmax; no pixel is ignored
    confidence: Tensor  # float32 [N,H,W], its probability
    weights: Tensor  # float32 [N,H,W], the confident share everywhere, 0 in the ignored rows
    confident: Tensor  # bool [N,H,W], pixels at or over the threshold


def online_labels(teacher_logits: Tensor, threshold: float, ignore_top: int, ignore_bottom: int) -> OnlineLabels:
    """Labels and weights of a batch from logits float [N,C,H,W] (3.4, 3.5); a pixel at or over ``threshold`` is
    confident; rows at the top and bottom have weight 0 (sky and bonnet: 15 and 120 in DAFormer)."""
    confidence, labels = torch.softmax(teacher_logits.float(), 1).max(1)
    confident = confidence >= threshold
    weights = confident.float().mean().expand_as(confidence).clone()
    weights[:, :ignore_top] = 0
    weights[:, max(weights.shape[1] - ignore_bottom, 0) :] = 0
    return OnlineLabels(labels, confidence, weights, confident)


def choose_classes(present: np.ndarray, generator: np.random.Generator, share: float = 0.5) -> np.ndarray:
    """ceil(share x K) of the K classes ``present`` [K], drawn without replacement (3.6)."""
    return generator.choice(present, int(np.ceil(share * len(present))), replace=False)


def mix_mask(label: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """uint8 [H,W], 1 where a source image with train ids uint8 [H,W] is pasted: pixels of half of its classes (3.6; the
    released code draws among the classes of the whole batch, IGNORE included, a slip)."""
    present = np.flatnonzero(np.bincount(label.ravel(), minlength=IGNORE + 1)[:IGNORE])
    table = np.zeros(IGNORE + 1, np.uint8)
    table[choose_classes(present, generator)] = 1
    return table[label]


def mix(masks: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """``source`` where the mask is True, else ``target``: images [N,3,H,W], labels or weights [N,H,W] (3.7)."""
    return torch.where(masks if source.dim() == masks.dim() else masks.unsqueeze(1), source, target)


def class_distribution(pixels_per_image: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """P(c) = softmax over the classes seen of (1 - f_c) / temperature, f_c the share of class c of all pixels: int
    [images,C] pixels of each class in each source label -> int64 [K] train ids by increasing frequency, without those
    never seen, and float64 [K] probabilities. UserError: no image has a labelled pixel."""
    pixels = pixels_per_image.sum(0)
    classes = np.argsort(pixels, kind="stable")
    classes = classes[pixels[classes] > 0]
    if not len(classes):
        raise UserError("rare-class sampling of source labels without a labelled pixel", "labels of known classes")
    exponents = -pixels[classes] / pixels.sum() / temperature
    weights = np.exp(exponents - exponents.max())
    return classes, weights / weights.sum()


class RareClassSampler:
    """Draws a class, then an image with more than ``min_pixels`` (published: 3000) of it, or those that hold most."""

    def __init__(self, pixels_per_image: np.ndarray, temperature: float, min_pixels: int) -> None:
        self.classes, self.probabilities = class_distribution(pixels_per_image, temperature)
        per_class = {c: pixels_per_image[:, c] for c in self.classes.tolist()}
        self.images = {c: np.flatnonzero((p > min_pixels) | (p == p.max())) for c, p in per_class.items()}

    def draw(self, generator: np.random.Generator) -> tuple[int, int]:
        """(class, position of the image)."""
        rare = int(generator.choice(self.classes, p=self.probabilities))
        return rare, int(generator.choice(self.images[rare]))


def largest_share(label: np.ndarray) -> float:
    """The share of the most frequent class among the labelled pixels of a crop; 1 where there is none."""
    pixels = np.bincount(label.ravel(), minlength=IGNORE + 1)[:IGNORE]
    return float(pixels.max() / max(pixels.sum(), 1)) if pixels.any() else 1.0


class Pasted(NamedTuple):
    """Result of ``paste``: uint8 image [H,W,3], label [H,W] and mask [H,W] (class where pasted, else ``IGNORE``)."""

    image: np.ndarray
    label: np.ndarray
    mask: np.ndarray


class Donors(NamedTuple):
    """Where pasted pixels come from: statistics of the round's pseudo-labels."""

    hard_classes: Sequence[int]  # train ids K whose pixels are pasted
    probability: np.ndarray  # float [C], chance of each class to be drawn; restricted to K and renormalised here
    candidates: Mapping[int, Sequence[int]]  # train id -> positions of images that may donate it; none = never drawn


def paste(
    image: np.ndarray, label: np.ndarray, donor_image: np.ndarray, donor_label: np.ndarray, classes: Sequence[int]
) -> Pasted:
    """A copy of the base with every donor pixel, resized to the base, whose pseudo-label is in ``classes``."""
    size_hw = (label.shape[0], label.shape[1])
    donor_image, donor_label = resize_image(donor_image, size_hw, "bilinear"), resize_label(donor_label, size_hw)
    pasted_ids = np.full(IGNORE + 1, IGNORE, np.uint8)
    pasted_ids[list(classes)] = classes
    mask = cv2.LUT(donor_label, pasted_ids)
    where = (mask != IGNORE).view(np.uint8)
    return Pasted(cv2.copyTo(donor_image, where, image.copy()), cv2.copyTo(donor_label, where, label.copy()), mask)


def draw_donor(donors: Donors, rng: np.random.Generator) -> int | None:
    """Position of one image, drawn for a hard class that has a candidate and a positive probability (None without):
    what the released code does, though its comments mean to go on until half of the hard classes are covered."""
    classes = [c for c in donors.hard_classes if donors.candidates.get(c)]
    weights = np.asarray(donors.probability, np.float64)[classes]
    if not weights.sum() > 0:
        return None
    candidates = donors.candidates[classes[int(rng.choice(len(classes), p=weights / weights.sum()))]]
    return candidates[int(rng.integers(len(candidates)))]
