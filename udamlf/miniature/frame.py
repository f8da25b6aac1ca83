"""One frame of the miniature: a pure function of (style, world seed, names)."""

import numpy as np

from udamlf.common.seeding import rng
from udamlf.miniature.appearance import render
from udamlf.miniature.canvas import SUPERSAMPLING, Canvas, Dice
from udamlf.miniature.street import paint_street
from udamlf.miniature.style import Style


def draw_frame(style: Style, seed: int, *names: int | str) -> tuple[np.ndarray, np.ndarray]:
    """Image, uint8 RGB [128, 256, 3], and its label, uint8 [128, 256] Cityscapes train ids with IGNORE.

    Image and label come from one map of surface ids, so they are aligned exactly."""
    canvas = Canvas(style, Dice(rng(seed, "miniature", *names)))
    street = paint_street(canvas)
    image = render(canvas, street)
    centre = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
    return image, np.array(canvas.labels, np.uint8)[canvas.ids[centre, centre]]
