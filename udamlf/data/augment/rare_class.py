"""Rare-class sampling of source images (DAFormer, arXiv 2111.14887, section 3.3; online-ema.md 2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from udamlf.errors import UserError


class ClassDistribution(NamedTuple):
    """How often each class is drawn.

    Attributes:
        classes: int64 [K] train ids by increasing frequency; classes never seen are left out.
        probabilities: float64 [K], summing to 1.
    """

    classes: np.ndarray
    probabilities: np.ndarray


def class_distribution(pixels_per_image: np.ndarray, temperature: float = 0.01) -> ClassDistribution:
    """P(c) = softmax over the classes seen of (1 - f_c) / temperature, f_c the share of class c of all pixels.

    Args:
        pixels_per_image: int [images,C] pixels of each class in each source label.
        temperature: small = rare classes only; large = uniform.

    Raises:
        UserError: no image has a labelled pixel.
    """
    pixels = pixels_per_image.sum(0)
    classes = np.argsort(pixels, kind="stable")
    classes = classes[pixels[classes] > 0]
    if not len(classes):
        raise UserError("rare-class sampling of source labels without a labelled pixel", "labels of known classes")
    exponents = -pixels[classes] / pixels.sum() / temperature
    weights = np.exp(exponents - exponents.max())
    return ClassDistribution(classes, weights / weights.sum())


class RareClassSampler:
    """Draws a class, then an image that shows it.

    Args:
        pixels_per_image: int [images,C].
        temperature: as in ``class_distribution``.
        min_pixels: an image must hold more than this of the class (published: 3000, of the native image). Where no
            image does, the images that hold most of it stand in (upstream fails).
    """

    def __init__(self, pixels_per_image: np.ndarray, temperature: float = 0.01, min_pixels: int = 3000) -> None:
        self.distribution = class_distribution(pixels_per_image, temperature)
        self.images = {}
        for c in self.distribution.classes.tolist():
            pixels = pixels_per_image[:, c]
            self.images[c] = np.flatnonzero((pixels > min_pixels) | (pixels == pixels.max()))

    def draw(self, generator: np.random.Generator) -> tuple[int, int]:
        """(class, position of the image)."""
        drawn = int(generator.choice(self.distribution.classes, p=self.distribution.probabilities))
        return drawn, int(generator.choice(self.images[drawn]))


def shows_class(label: np.ndarray, drawn: int, min_pixels: int = 1500) -> bool:
    """Whether a crop holds more than ``min_pixels`` of the drawn class; if not, redraw it (at most 10 times)."""
    return int(np.count_nonzero(label == drawn)) > min_pixels
