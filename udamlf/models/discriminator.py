"""Fully convolutional discriminators of domains (adversarial-warmup.md 2, advent.md 3, proda.md 2)."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.errors import UserError
from udamlf.models.base import seeded

SLOPE = 0.2


class Variant(NamedTuple):
    """Kernel of each convolution, stride of the last one, negative slope after each of the first four."""

    kernels: tuple[int, int, int, int, int]
    last_stride: int
    slopes: tuple[float, float, float, float]


VARIANTS = {
    "iast": Variant((3, 4, 4, 4, 4), 2, (SLOPE,) * 4),
    "advent": Variant((4, 4, 4, 4, 4), 2, (SLOPE,) * 4),  # HIAST and IntraDA too
    "proda": Variant((3, 3, 3, 3, 1), 1, (0.0, 0.0, 0.0, SLOPE)),
}


class Discriminator(nn.Module):
    """Five convolutions; no norm, no sigmoid, framework initialisation. 2.8 M parameters at width 64, 19 inputs."""

    def __init__(self, inputs: int, variant: Variant, width: int) -> None:
        super().__init__()
        channels = [inputs, width, 2 * width, 4 * width, 8 * width, 1]
        strides = (2, 2, 2, 2, variant.last_stride)
        self.slopes = variant.slopes
        self.conv1, self.conv2, self.conv3, self.conv4, self.classifier = (
            nn.Conv2d(before, after, kernel, stride, padding=0 if kernel == 1 else 1)
            for before, after, kernel, stride in zip(channels, channels[1:], variant.kernels, strides, strict=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Class maps (probabilities or self-information) float [N, C, H, W] to domain logits [N, 1, h, w].

        512x1024 gives 16x32 (32x64 for ``proda``, whose last convolution has stride 1).
        """
        for conv, slope in zip((self.conv1, self.conv2, self.conv3, self.conv4), self.slopes, strict=True):
            maps = F.leaky_relu(conv(maps), slope)
        return self.classifier(maps)


def build(num_classes: int, variant: str = "advent", width: int = 64, seed: int = 0) -> Discriminator:
    """A discriminator whose initial weights are a function of ``seed``.

    Raises:
        UserError: unknown variant.
    """
    if variant not in VARIANTS:
        raise UserError(f"unknown discriminator {variant!r}", " | ".join(VARIANTS))
    with seeded(seed, f"discriminator {variant}"):
        return Discriminator(num_classes, VARIANTS[variant], width)
