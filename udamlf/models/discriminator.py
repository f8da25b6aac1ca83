"""Fully convolutional discriminators of domains (adversarial-warmup.md 2, advent.md 3, proda.md 2)."""

from collections import OrderedDict

from torch import nn

from udamlf.models.base import seeded

# Kernels of the five convolutions, negative slopes after the first four. ``advent`` is HIAST's and IntraDA's too.
VARIANTS = {
    "iast": ((3, 4, 4, 4, 4), (0.2, 0.2, 0.2, 0.2)),
    "advent": ((4, 4, 4, 4, 4), (0.2, 0.2, 0.2, 0.2)),
    "proda": ((3, 3, 3, 3, 1), (0.0, 0.0, 0.0, 0.2)),
}


def discriminator(num_classes: int, variant: str = "advent", width: int = 64, seed: int = 0) -> nn.Sequential:
    """Class maps float [N, C, H, W] -> domain logits [N, 1, h, w]: 512x1024 gives 16x32, or 32x64 for ``proda``."""
    kernels, slopes = VARIANTS[variant]
    channels = (num_classes, width, 2 * width, 4 * width, 8 * width, 1)
    with seeded(seed, f"discriminator {variant}"):
        *convs, classifier = (
            nn.Conv2d(before, after, 1) if kernel == 1 else nn.Conv2d(before, after, kernel, stride=2, padding=1)
            for before, after, kernel in zip(channels, channels[1:], kernels, strict=False)
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (conv, slope) in enumerate(zip(convs, slopes, strict=True), start=1):
        layers |= {f"conv{number}": conv, f"leak{number}": nn.LeakyReLU(slope)}
    return nn.Sequential(layers | {"classifier": classifier})
