"""Colour changes that keep the labels: every function takes and returns a uint8 RGB image [H,W,3]."""

from __future__ import annotations

import cv2
import numpy as np

_GREY = np.array([0.299, 0.587, 0.114])
_LEVELS = np.arange(256, dtype=np.float64)


def _lookup(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Map every grey level: ``values`` float [256], clipped to 0..255 and truncated to an integer."""
    return cv2.LUT(image, np.clip(values, 0, 255).astype(np.uint8))


def brightness_contrast(image: np.ndarray, contrast: float, brightness: float) -> np.ndarray:
    """clip(contrast * x + 255 * brightness, 0, 255), truncated to an integer (adversarial-warmup.md 3.4)."""
    return _lookup(image, contrast * _LEVELS + 255.0 * brightness)


def random_brightness_contrast(image: np.ndarray, rng: np.random.Generator, probability: float = 0.3) -> np.ndarray:
    """IAST's colour step: contrast U(0.8, 1.2) and brightness U(-0.2, 0.2) with ``probability``."""
    contrast, brightness = rng.uniform(0.8, 1.2), rng.uniform(-0.2, 0.2)
    return brightness_contrast(image, contrast, brightness) if rng.random() < probability else image


def hue_rotation(turns: float) -> np.ndarray:
    """3x3 rotation of RGB space about the grey axis by a fraction of the full circle: grey stays grey."""
    angle = 2 * np.pi * turns
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3


def jitter(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Random brightness, contrast, gamma, saturation and hue.

    The five changes are folded into one 3x3 colour matrix and one table of grey levels, so the cost is two passes
    over the image (0.1 ms at 128x256).

    Args:
        strength: 0 leaves the image as it is, 1 is strong: gain and contrast within a factor of exp(0.5) either way,
            gamma within exp(0.5), saturation within 0.3..1.7, hue within a tenth of the circle either way. At most 1.2
            has been tried.
    """
    gain, contrast, gamma = np.exp(rng.uniform(-0.5, 0.5, 3) * strength)
    saturation = max(0.0, 1.0 + 0.7 * strength * rng.uniform(-1, 1))
    rotation = hue_rotation(0.1 * strength * rng.uniform(-1, 1))
    if strength == 0:
        return image
    matrix = rotation @ (saturation * np.eye(3) + (1 - saturation) * _GREY)
    image = cv2.transform(image, matrix)
    mean = float(_GREY @ cv2.mean(image)[:3]) * gain / 255
    levels = np.clip((_LEVELS / 255 * gain - mean) * contrast + mean, 0, 1) ** gamma
    return _lookup(image, np.rint(levels * 255))
