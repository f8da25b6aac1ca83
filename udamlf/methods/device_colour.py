"""DAFormer's jitter and blur of a normalised batch on its device, by kornia 0.5.8's formulas (mic-hrda.md 2)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.models.base import SegmentationModel

JITTERED, BLURRED = 0.8, 0.5  # share of the batches
SIGMA = (0.15, 1.15)


def colour_jitter(images: Tensor, factors: Sequence[Tensor], order: Sequence[int]) -> Tensor:
    """Images float [N, 3, H, W] in 0..1 after brightness (added), contrast (multiplied), saturation and hue (turns) in
    ``order``; four factors float [N]: 1, 1, 1 and 0 change nothing."""
    brightness, contrast, saturation, hue = (factor.view(-1, 1, 1, 1) for factor in factors)
    steps = (
        lambda x: (x + brightness - 1).clamp(0, 1),
        lambda x: (x * contrast).clamp(0, 1),
        lambda x: _in_hsv(x, saturation, torch.zeros_like(hue)),
        lambda x: _in_hsv(x, torch.ones_like(saturation), hue),
    )
    for position in order:
        images = steps[position](images)
    return images


def _in_hsv(images: Tensor, saturation: Tensor, turns: Tensor) -> Tensor:
    (value, largest), smallest = images.max(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = (value - smallest).masked_fill(value == smallest, 1.0)
    red, green, blue = ((value - images) / chroma).split(1, dim=1)
    sixths = torch.where(largest == 0, blue - green, torch.where(largest == 1, 2 + red - blue, 4 + green - red))
    strength = ((value - smallest) / (value + 1e-6) * saturation).clamp(0, 1)
    offsets = torch.arange(5, 0, -2, device=images.device).view(1, 3, 1, 1)
    k = (offsets + sixths + 6 * turns) % 6
    return value - value * strength * torch.minimum(k, 4 - k).clamp(0, 1)


def kernel_size(side: int) -> int:
    """Of the blur along an axis of ``side`` pixels: odd, about a tenth (512: 51)."""
    tenth = math.ceil(0.1 * side)
    return math.floor(tenth - 0.5 + tenth % 2)


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Images float [N, 3, H, W] under a Gaussian of ``sigma`` pixels, float [N] or [1]; the border is reflected."""
    count, channels, *sides = images.shape
    moved = images.reshape(1, count * channels, *sides)
    for axis, side in enumerate(sides):
        size = kernel_size(side)
        places = torch.arange(size, device=images.device) - size // 2
        kernel = torch.exp(-(places**2) / (2 * sigma.double().view(-1, 1) ** 2))
        kernel = (kernel / kernel.sum(1, keepdim=True)).to(images).expand(count, -1).repeat_interleave(channels, 0)
        border = [size // 2] * 2
        padded = F.pad(moved, [0, 0, *border] if axis == 0 else [*border, 0, 0], mode="reflect")
        moved = F.conv2d(padded, kernel.view(-1, 1, *((size, 1) if axis == 0 else (1, size))), groups=count * channels)
    return moved.reshape(images.shape)


@torch.no_grad()
@torch.autocast("cuda", enabled=False)  # in half precision a colour would be rounded to a grey level
@torch.autocast("cpu", enabled=False)
def coloured(
    images: Tensor, model: SegmentationModel, rng: np.random.Generator, strength: float, together: bool = False
) -> Tensor:
    """Normalised images float [N, 3, H, W], jittered in four batches of five and blurred in every second one; factors
    are drawn for each image, order and sigma for each too, as DAFormer does, or for all of them ``together`` (MIC)."""
    count = len(images)
    groups = [slice(0, count)] if together else [slice(number, number + 1) for number in range(count)]
    if rng.random() < JITTERED:
        spread = rng.uniform(-strength, strength, (4, count)) + np.array([[1], [1], [1], [0]])
        factors, orders = torch.from_numpy(spread).to(images), [rng.permutation(4).tolist() for _ in groups]

        def jittered(colours: Tensor) -> Tensor:
            parts = zip(groups, orders, strict=True)
            return torch.cat([colour_jitter(colours[part], factors[:, part].unbind(), order) for part, order in parts])

        images = model.recoloured(images, jittered)
    if rng.random() < BLURRED:
        images = gaussian_blur(images, torch.tensor(rng.uniform(*SIGMA, len(groups)), device=images.device))
    return images
