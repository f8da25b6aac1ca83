"""Colour changes that keep the labels, uint8 RGB [H,W,3] -> uint8 [H,W,3]: IAST's, the profiles', HIAST's, ProDA's."""

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_GREY = np.array([0.299, 0.587, 0.114])
_ABOUT_GREY = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
_LEVELS = np.arange(256, dtype=np.float64)


def _lookup(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Map every grey level: ``values`` float [256], clipped to 0..255 and truncated to an integer."""
    return cv2.LUT(image, np.clip(values, 0, 255).astype(np.uint8))


def brightness_contrast(image: np.ndarray, contrast: float = 1.0, brightness: float = 0.0) -> np.ndarray:
    """clip(contrast * x + 255 * brightness, 0, 255), truncated to an integer (adversarial-warmup.md 3.4)."""
    return _lookup(image, contrast * _LEVELS + 255.0 * brightness)


def random_brightness_contrast(rng: np.random.Generator, probability: float) -> Callable[[np.ndarray], np.ndarray]:
    """IAST's colour step: contrast U(0.8, 1.2) and brightness U(-0.2, 0.2) with ``probability``, else nothing."""
    contrast, brightness, drawn = rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2), rng.random() < probability
    return lambda image: brightness_contrast(image, contrast, brightness) if drawn else image


def jitter(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Random brightness, contrast, gamma, saturation and hue, folded into a colour matrix and a table of grey levels
    (0.1 ms at 128x256). Strength 0 leaves the image as it is; 1 is strong: gain, contrast and gamma within a factor of
    exp(0.5) either way, saturation within 0.3..1.7, hue within a tenth of the circle. At most 1.2 has been tried."""
    gain, contrast, gamma = np.exp(rng.uniform(-0.5, 0.5, 3) * strength)
    saturation = max(0.0, 1.0 + 0.7 * strength * rng.uniform(-1, 1))
    angle = 2 * np.pi * (0.1 * strength * rng.uniform(-1, 1))
    if strength == 0:
        return image
    # The hue is turned by a rotation of RGB space about the grey axis: grey stays grey.
    rotation = np.cos(angle) * np.eye(3) + np.sin(angle) * _ABOUT_GREY + (1 - np.cos(angle)) / 3
    matrix = rotation @ (saturation * np.eye(3) + (1 - saturation) * _GREY)
    image = cv2.transform(image, matrix)
    mean = float(_GREY @ cv2.mean(image)[:3]) * gain / 255
    levels = np.clip((_LEVELS / 255 * gain - mean) * contrast + mean, 0, 1) ** gamma
    return _lookup(image, np.rint(levels * 255))


def colours_of(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``image`` with the mean and the spread that ``other``, of any size, has in each channel of CIELAB (Reinhard et
    al., 2001; of the target's images by He et al., CVPR 2021); the spreads' ratio is kept within 1/4..4."""
    lab, like = (cv2.cvtColor(each, cv2.COLOR_RGB2LAB) for each in (image, other))
    (mean, spread), (to_mean, to_spread) = cv2.meanStdDev(lab), cv2.meanStdDev(like)
    ratio = np.clip(to_spread / np.maximum(spread, 1e-3), 0.25, 4)
    table = np.clip(np.rint((_LEVELS - mean) * ratio + to_mean), 0, 255).astype(np.uint8)  # [3, 256]
    return cv2.cvtColor(cv2.LUT(lab, np.ascontiguousarray(table.T[None])), cv2.COLOR_LAB2RGB)


def posterise(image: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` (0..8) highest bits of each value."""
    return image & np.uint8(0xFF << (8 - bits) & 0xFF)


def solarise(image: np.ndarray, threshold: int) -> np.ndarray:
    """255 - x where x >= ``threshold``."""
    return _lookup(image, np.where(threshold <= _LEVELS, 255 - _LEVELS, _LEVELS))


def equalise(image: np.ndarray) -> np.ndarray:
    return cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)])


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luminance in all three channels."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def blur(image: np.ndarray, kernel: int) -> np.ndarray:
    """Gaussian blur, odd ``kernel``; sigma 0.3 ((k-1)/2 - 1) + 0.8, but OpenCV's fixed kernels for k = 3, 5, 7."""
    return cv2.GaussianBlur(image, (kernel, kernel), 0)


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
    hsv[..., 0] = cv2.LUT(hsv[..., 0], np.mod(_LEVELS + 180 * turns, 180).astype(np.uint8))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _four_jitters(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    operations = (brightness_contrast, scale_contrast, scale_saturation, shift_hue)
    values = [*(rng.uniform(0.8, 1.2) for _ in range(3)), rng.uniform(-0.2, 0.2)]
    for i in rng.permutation(len(operations)):
        image = operations[i](image, values[i])
    return image


# Kernels: an even draw becomes the next odd one, so 3 has weight 1/39 and every other odd size 2/39.
STRONG: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "jitter": _four_jitters,
    "blur": lambda image, rng: blur(image, int(rng.integers(3, 41, endpoint=True)) | 1),
    "contrast": lambda image, rng: brightness_contrast(image, contrast=1 + rng.uniform(0, 3)),  # around black
    "brightness": lambda image, rng: brightness_contrast(image, brightness=rng.uniform(-0.5, 0.5)),
    "posterise": lambda image, rng: posterise(image, 4),
    "equalise": lambda image, rng: equalise(image),
    "solarise": lambda image, rng: solarise(image, 128),
    "to_grey": lambda image, rng: to_grey(image),
}


def strong_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """HIAST's strong view of a crop, a new array: three operations, drawn without replacement, each applied at 0.5."""
    names, view = list(STRONG), image.copy()
    for i in rng.choice(len(names), 3, replace=False):
        if rng.random() < 0.5:
            view = STRONG[names[i]](view, rng)
    return view


# ProDA's operations by their published names.
PILLOW: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Brightness": lambda image, factor: ImageEnhance.Brightness(image).enhance(factor),
    "Color": lambda image, factor: ImageEnhance.Color(image).enhance(factor),
    "Contrast": lambda image, factor: ImageEnhance.Contrast(image).enhance(factor),
    "Equalize": lambda image, _: ImageOps.equalize(image),
    "Identity": lambda image, _: image,
    "Posterize": lambda image, bits: ImageOps.posterize(image, int(bits)),
    "Sharpness": lambda image, factor: ImageEnhance.Sharpness(image).enhance(factor),
    "Solarize": lambda image, threshold: ImageOps.solarize(image, int(threshold)),
}
