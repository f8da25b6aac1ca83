"""How good a network seems on target images without labels: functions of its probabilities alone."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.common.seeding import rng

TEMPERATURE = 0.05  # of soft neighbourhood density, as published
PIXELS = 32  # of each image, drawn for it: 32 images make a matrix of 1024 x 1024


def entropy(probabilities: Tensor) -> float:
    """Of probabilities float [C, ...] the mean entropy, per cent of its maximum, log C; 0 log 0 = 0."""
    return 100.0 * float(torch.special.entr(probabilities).sum(0).mean()) / math.log(len(probabilities))


def soft_neighbourhood_density(probabilities: Tensor, temperature: float = TEMPERATURE) -> float:
    """Of probabilities float [N, C] of N >= 2 pixels, 0..log(N - 1) nats: mean entropy of softmax(cosine similarity /
    temperature) over the other pixels (Saito et al., ICCV 2021). High where pixels lie densely."""
    vectors = F.normalize(probabilities.double(), dim=1)
    similarity = (vectors @ vectors.T / temperature).fill_diagonal_(-math.inf)
    return float(torch.special.entr(similarity.softmax(1)).sum(1).mean())


def validators(views: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """``validator/<name>`` of one image or more, each with the probabilities float [C, H, W] of it and of a
    photometrically changed view of it: ``entropy`` (low is taken for better), ``snd``, ``agreement`` of the two classes
    of a pixel in per cent, ``balance`` (entropy of all predicted classes: low in a collapsed network)."""
    images, drawn, predicted = [], [], []
    for number, (weak, strong) in enumerate(views):
        label = weak.argmax(0)
        images.append((entropy(weak), 100.0 * float((label == strong.argmax(0)).double().mean())))
        predicted.append(F.one_hot(label, len(weak)).double().mean((0, 1)))
        pixels = torch.from_numpy(rng(0, "neighbourhood", number).integers(0, label.numel(), PIXELS))
        drawn.append(weak.flatten(1)[:, pixels.to(weak.device)].T)
    mean = torch.tensor(images, dtype=torch.float64).mean(0).tolist()
    named = {"entropy": mean[0], "snd": soft_neighbourhood_density(torch.cat(drawn)), "agreement": mean[1]}
    named["balance"] = entropy(torch.stack(predicted).mean(0))
    return {f"validator/{name}": value for name, value in named.items()}
