"""How good a network seems on target images without labels: functions of its probabilities alone.

None of them is an accuracy, and all are read off images that the method has trained on: how well each ranks methods and
rounds is to be measured where labels exist (``udamlf validators``)."""

import math

import numpy as np
import torch
from torch import Tensor

from udamlf.common.seeding import rng

TEMPERATURE = 0.05  # of soft neighbourhood density, as published
PIXELS = 32  # of each image, drawn for it: 32 images make a matrix of 1024 x 1024


def mean_entropy(probabilities: Tensor) -> float:
    """Mean over the pixels of the entropy of probabilities float [C, ...], per cent of its maximum, log C; 0 log 0 = 0
    (Morerio et al., ICLR 2018). Lower is taken for better."""
    return 100.0 * float(torch.special.entr(probabilities).sum(0).mean()) / math.log(len(probabilities))


def soft_neighbourhood_density(probabilities: Tensor, temperature: float = TEMPERATURE) -> float:
    """Of probabilities float [N, C] of N >= 2 pixels, 0..log(N - 1) nats: the mean entropy of softmax(similarity /
    temperature) over the other pixels, by cosine similarity (Saito et al., ICCV 2021, equations 1 to 3). Higher is
    taken for better: pixels lie in dense groups."""
    vectors = torch.nn.functional.normalize(probabilities.double(), dim=1)
    similarity = (vectors @ vectors.T / temperature).fill_diagonal_(-math.inf)
    return float(torch.special.entr(similarity.softmax(1)).sum(1).mean())


def agreement(weak: Tensor, strong: Tensor) -> float:
    """Per cent of the pixels whose most probable class is the same in two maps float [C, H, W]."""
    return 100.0 * float((weak.argmax(0) == strong.argmax(0)).double().mean())


def class_balance(pixels: np.ndarray) -> float:
    """Entropy of the predicted classes, from their pixels [C], per cent of its maximum, log C. Higher is taken for
    better: few classes are what a collapsed network predicts; but the truth is not balanced either."""
    shares = torch.from_numpy(pixels / max(pixels.sum(), 1))
    return 100.0 * float(torch.special.entr(shares).sum()) / math.log(len(pixels))


class Validators:
    """Takes in one image after another; ``metrics`` has the mean over the images, density and balance over all."""

    def __init__(self, num_classes: int) -> None:
        self.pixels = np.zeros(num_classes, np.int64)
        self.vectors: list[Tensor] = []
        self.entropies: list[float] = []
        self.agreements: list[float] = []

    def add(self, name: str, weak: Tensor, strong: Tensor) -> None:
        """Probabilities float [C, H, W] of an image, and of a photometrically changed view of it."""
        self.entropies.append(mean_entropy(weak))
        self.agreements.append(agreement(weak, strong))
        self.pixels += np.bincount(weak.argmax(0).flatten().cpu().numpy(), minlength=len(self.pixels))
        flat = weak.flatten(1)
        drawn = rng(0, "neighbourhood", name).integers(0, flat.shape[1], PIXELS)
        self.vectors.append(flat[:, torch.from_numpy(drawn).to(flat.device)].T.cpu())

    def metrics(self) -> dict[str, float]:
        """``validator/<name>``, of one image or more."""
        return {
            "validator/entropy": float(np.mean(self.entropies)),
            "validator/snd": soft_neighbourhood_density(torch.cat(self.vectors)),
            "validator/agreement": float(np.mean(self.agreements)),
            "validator/balance": class_balance(self.pixels),
        }
