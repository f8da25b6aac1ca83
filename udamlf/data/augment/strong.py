"""HIAST's strong view: three of eight colour operations, each applied with probability 0.5 (hiast.md 4).

Every operation takes and returns a uint8 RGB image [H,W,3] and keeps the geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from udamlf.data.augment.photometric import brightness_contrast

_LEVELS = np.arange(256)


def brightness(image: np.ndarray, b: float) -> np.ndarray:
    """clip(x + 255 b)."""
    return brightness_contrast(image, 1.0, b)


def contrast(image: np.ndarray, a: float) -> np.ndarray:
    """clip(a x): around black, not around the mean."""
    return brightness_contrast(image, a, 0.0)


def posterise(image: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` (0..8) highest bits of each value."""
    return image & np.uint8(0xFF << (8 - bits) & 0xFF)


def solarise(image: np.ndarray, threshold: int) -> np.ndarray:
    """255 - x where x >= ``threshold``."""
    return cv2.LUT(image, np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS).astype(np.uint8))


def equalise(image: np.ndarray) -> np.ndarray:
    """Histogram equalisation of each channel."""
    return cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)])


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luminance in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blur(image: np.ndarray, kernel: int) -> np.ndarray:
    """Gaussian blur with an odd ``kernel`` in pixels, the border mirrored without its edge.

    sigma = 0.3 ((k-1)/2 - 1) + 0.8, which is OpenCV's automatic one, with its fixed kernels for k = 3, 5, 7.
    """
    return cv2.GaussianBlur(image, (kernel, kernel), 0)


def scale_brightness(image: np.ndarray, factor: float) -> np.ndarray:
    """clip(factor x)."""
    return brightness_contrast(image, factor, 0.0)


def scale_contrast(image: np.ndarray, factor: float) -> np.ndarray:
    """Away from (factor > 1) or towards the image's mean luminance."""
    mean = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0]
    return brightness_contrast(image, factor, (1 - factor) * mean / 255)


def scale_saturation(image: np.ndarray, factor: float) -> np.ndarray:
    """Away from (factor > 1) or towards the pixel's luminance."""
    return cv2.addWeighted(image, factor, to_grey(image), 1 - factor, 0)


def shift_hue(image: np.ndarray, turns: float) -> np.ndarray:
    """Rotate the hue of HSV by a fraction of the circle, in OpenCV's steps of 2 degrees."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hues = np.mod(_LEVELS + 180 * turns, 180).astype(np.uint8)
    hsv[..., 0] = cv2.LUT(hsv[..., 0], hues)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


class Operation(NamedTuple):
    """A colour operation and its drawn argument (None where it takes none)."""

    apply: Callable[..., np.ndarray]
    argument: float | int | None = None

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return self.apply(image) if self.argument is None else self.apply(image, self.argument)


def _draw_jitter(rng: np.random.Generator) -> list[Operation]:
    parts = [
        Operation(scale_brightness, rng.uniform(0.8, 1.2)),
        Operation(scale_contrast, rng.uniform(0.8, 1.2)),
        Operation(scale_saturation, rng.uniform(0.8, 1.2)),
        Operation(shift_hue, rng.uniform(-0.2, 0.2)),
    ]
    return [parts[i] for i in rng.permutation(len(parts))]


# Kernels: an even draw becomes the next odd one, so 3 has weight 1/39 and every other odd size 2/39.
DRAWS: dict[str, Callable[[np.random.Generator], list[Operation]]] = {
    "jitter": _draw_jitter,
    "blur": lambda rng: [Operation(blur, int(rng.integers(3, 41, endpoint=True)) | 1)],
    "contrast": lambda rng: [Operation(contrast, 1 + rng.uniform(0, 3))],
    "brightness": lambda rng: [Operation(brightness, rng.uniform(-0.5, 0.5))],
    "posterise": lambda rng: [Operation(posterise, 4)],
    "equalise": lambda rng: [Operation(equalise)],
    "solarise": lambda rng: [Operation(solarise, 128)],
    "to_grey": lambda rng: [Operation(to_grey)],
}


def draw_strong(rng: np.random.Generator, choose: int = 3, probability: float = 0.5) -> list[Operation]:
    """``choose`` of the eight, uniformly and without replacement, each kept with ``probability``, in drawn order."""
    names = list(DRAWS)
    chosen = [names[i] for i in rng.choice(len(names), choose, replace=False)]
    return [operation for name in chosen if rng.random() < probability for operation in DRAWS[name](rng)]


def strong_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The strong view of a finished crop (the weak view): same geometry, same label, a new array."""
    view = image.copy()
    for operation in draw_strong(rng):
        view = operation(view)
    return view
