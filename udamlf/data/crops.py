"""From a whole frame to a training crop: draws a geometry and applies it to the image and all of its maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from udamlf.config import Augmentation
from udamlf.data.augment.geometry import (
    Geometry,
    apply_geometry,
    cbst_scale_crop,
    random_sized_crop,
    scale_crop,
    whole_image,
)
from udamlf.data.augment.photometric import random_brightness_contrast
from udamlf.data.augment.weak_view import WeakView, draw_weak_view, weak_image, weak_label
from udamlf.data.view import Cut, View


def draw_geometry(image_hw: tuple[int, int], augmentation: Augmentation, rng: np.random.Generator) -> Geometry:
    """Geometry of one crop of an image of ``image_hw`` (height, width)."""
    output_hw = augmentation.crop_hw or image_hw
    if augmentation.crop_height_range is not None:
        return random_sized_crop(rng, image_hw, augmentation.crop_height_range, output_hw, augmentation.flip)
    if augmentation.scale_range is not None and augmentation.cbst_length is not None:
        length, scale, side = augmentation.cbst_length, augmentation.scale_range, output_hw[0]
        return cbst_scale_crop(rng, image_hw, length, scale, side, augmentation.flip)
    if augmentation.scale_range is not None:
        return scale_crop(rng, image_hw, augmentation.scale_range, output_hw, augmentation.flip)
    flip = bool(rng.random() < augmentation.flip)
    if output_hw == image_hw:
        return whole_image(image_hw, output_hw, flip)
    return scale_crop(rng, image_hw, (1.0, 1.0), output_hw, augmentation.flip)


Place = Callable[[Geometry], Geometry]


def training_crop(
    frame: View, augmentation: Augmentation, rng: np.random.Generator, place: Place = lambda geometry: geometry
) -> View:
    """One augmented crop of ``frame``, whose box ``place`` may move (not ProDA's); the frame is not changed."""
    image_hw = (frame.image.shape[0], frame.image.shape[1])
    geometry: Geometry | WeakView
    if augmentation.nominal_width is not None:
        factor, crop_hw = augmentation.scale_range or (1.0, 1.0), augmentation.crop_hw or image_hw
        geometry = draw_weak_view(rng, image_hw, crop_hw, augmentation.nominal_width, factor)
        image, label, *maps = (
            weak_image(frame.image, geometry),
            *(weak_label(values, geometry) for values in (frame.label, *frame.maps.values())),
        )
    else:
        geometry = place(draw_geometry(image_hw, augmentation, rng))
        image, label, *maps = apply_geometry(geometry, frame.image, frame.label, *frame.maps.values())
    if augmentation.brightness_contrast > 0:
        image = random_brightness_contrast(image, rng, augmentation.brightness_contrast)
    named = dict(zip(frame.maps, maps, strict=True))
    return View(image, label, named, dict(frame.images), dict(frame.arrays), Cut(image_hw, geometry))
