"""A painter's canvas: polygons, far to near, into one map of surface ids at twice the frame's size.

World coordinates are metres: X right, Y up from the road, Z away from the camera. Every surface is a plane (ground,
side wall at one X, front at one Z), so depth and position of each of its pixels follow from its id."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from udamlf.config.labels import CITYSCAPES_CLASSES, IGNORE
from udamlf.miniature.palette import HSV, MATERIALS, RGB, to_rgb
from udamlf.miniature.style import Style

FRAME_HW = (128, 256)
SUPERSAMPLING = 2
GROUND, SIDE, FRONT, SKY = range(4)
NEAREST_M = 1.2
_SHIFT = 4  # fractional bits of polygon corners
COLUMNS = (
    "game_r", "game_g", "game_b", "new_r", "new_g", "new_b", "novelty", "field", "plane_x", "plane_y", "plane_1",
    "kind", "cycle_u", "cycle_v", "weak", "strong", "grain", "bend", "phase_u", "phase_v",
)  # fmt: skip
"""A row of the surface table. 1 / Z = plane_x * x + plane_y * y + plane_1 with x, y in focal lengths off the centre."""
_TRAIN_ID = {name: i for i, name in enumerate(CITYSCAPES_CLASSES)} | {"void": IGNORE}


class Dice:
    """Uniform numbers of one frame, drawn in one go: a scalar draw from NumPy costs more than a polygon."""

    def __init__(self, generator: np.random.Generator, count: int = 16384) -> None:
        self._generator = generator
        self._count = count
        self._numbers = iter(generator.random(count).tolist())

    def unit(self) -> float:
        """U(0, 1)."""
        number = next(self._numbers, None)
        if number is None:
            self._numbers = iter(self._generator.random(self._count).tolist())
            number = next(self._numbers)
        return number

    def uniform(self, low: float, high: float) -> float:
        """U(low, high)."""
        return low + (high - low) * self.unit()

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return self.unit() < probability

    def pick(self, options: tuple[HSV, ...]) -> HSV:
        """One of ``options``."""
        return options[int(self.unit() * len(options))]

    def normal(self) -> float:
        """N(0, 1)."""
        return math.sqrt(-2 * math.log(1 - self.unit())) * math.cos(2 * math.pi * self.unit())

    def count(self, mean: float) -> int:
        """Poisson(mean)."""
        limit, product, k = math.exp(-mean), self.unit(), 0
        while product > limit:
            product *= self.unit()
            k += 1
        return k


@dataclass(frozen=True)
class Thing:
    """What the parts of one object share: its novelty t, how much t varies within it, its gain per channel."""

    t: float = 0.0
    field: float = 0.0
    gain: RGB = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Pinhole:
    """Camera: focal length and principal point in pixels of the canvas, height in metres."""

    focal: float
    centre: float
    horizon: float
    height: float


class Canvas:
    """Collects surfaces; ``ids`` [2H, 2W] int32 says which one each pixel shows."""

    def __init__(self, style: Style, dice: Dice) -> None:
        height, width = (SUPERSAMPLING * n for n in FRAME_HW)
        layout = style.layout
        self.style, self.dice = style, dice
        self.camera = Pinhole(
            width * dice.uniform(*layout.focal),
            width * dice.uniform(0.44, 0.56),
            height * dice.uniform(*layout.horizon),
            dice.uniform(*layout.camera_height),
        )
        self.ids = np.zeros((height, width), np.int32)
        self.labels: list[int] = []
        self.rows: list[tuple[float, ...]] = []

    # --- looks ----------------------------------------------------------------------------------------------------

    def thing(self, material: str, lively: bool = False) -> Thing:
        """A new object: draws its t; ``lively`` also draws a gain (exp of N(0, .35), channels by N(0, .18))."""
        dice, style = self.dice, self.style
        scale = MATERIALS[material].scale
        t, field = dice.uniform(0.0, style.novelty) * scale, style.novelty_field * scale
        if not lively or style.novelty == 0:
            return Thing(t, field)
        common = 0.35 * dice.normal()
        red, green, blue = (math.exp(min(common + 0.18 * dice.normal(), 0.6)) for _ in range(3))
        return Thing(t, field, (red, green, blue))

    def _colour(self, options: tuple[HSV, ...], spread: float, hue_shift: float, value_scale: float) -> RGB:
        hue, saturation, value = self.dice.pick(options)
        a, b, c = (self.dice.uniform(-spread, spread) for _ in range(3))
        return to_rgb((hue + 100 * a + hue_shift, saturation + b, (value + c) * value_scale))

    def surface(self, label: str, material: str, thing: Thing, kind: int, at: float = 1.0, shade: float = 1.0) -> int:
        """A new surface id.

        Args:
            kind: GROUND, SIDE (the plane X = at), FRONT (Z = at) or SKY.
            shade: brightness factor of this face.
        """
        made, dice, style = MATERIALS[material], self.dice, self.style
        game = self._colour(made.game, made.spread, 0.0, 1.0)
        new = self._colour(made.new, made.spread, style.hue_shift, style.value_scale) if made.new else game
        if kind == GROUND:
            plane = (0.0, 1.0 / self.camera.height, 0.0)
        elif kind == SIDE:
            plane = (1.0 / at, 0.0, 0.0)
        else:
            plane = (0.0, 0.0, 1.0 / at)
        gains = thing.gain
        field = 0.0 if kind == SKY else thing.field
        self.rows.append((
            *(g * shade * k for g, k in zip(game, gains, strict=True)),
            *(g * shade * k for g, k in zip(new, gains, strict=True)),
            thing.t, field, *plane, kind, *made.cycles, *made.amplitude, made.grain, made.bend,
            dice.unit(), dice.unit(),
        ))  # fmt: skip
        self.labels.append(_TRAIN_ID[label])
        return len(self.rows) - 1

    # --- painting -------------------------------------------------------------------------------------------------

    def paint(self, surface: int, corners: list[tuple[float, float, float]]) -> None:
        """Fill the polygon with these world corners (Z at least NEAREST_M)."""
        camera, scale = self.camera, 1 << _SHIFT
        points = [
            (
                int((camera.centre + camera.focal * x / z) * scale),
                int((camera.horizon + camera.focal * (camera.height - y) / z) * scale),
            )
            for x, y, z in corners
        ]
        cv2.fillPoly(self.ids, [np.array(points, np.int32)], surface, shift=_SHIFT)

    def paint_quads(self, surface: int, quads: np.ndarray) -> None:
        """Fill many quadrilaterals, float [n, 4, 3] world corners, with one surface."""
        camera, z = self.camera, quads[..., 2]
        x = camera.centre + camera.focal * quads[..., 0] / z
        y = camera.horizon + camera.focal * (camera.height - quads[..., 1]) / z
        pixels = (np.stack([x, y], -1) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(self.ids, list(pixels), surface, shift=_SHIFT)

    def rectangle(self, surface: int, x0: float, x1: float, y0: float, y1: float, z: float) -> None:
        """Fill an upright rectangle that faces the camera."""
        self.paint(surface, [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)])

    def side(self, surface: int, x: float, y0: float, y1: float, z0: float, z1: float) -> None:
        """Fill a rectangle in the plane X = x."""
        z0, z1 = max(z0, NEAREST_M), max(z1, NEAREST_M)
        self.paint(surface, [(x, y0, z0), (x, y0, z1), (x, y1, z1), (x, y1, z0)])

    def ground(self, surface: int, x0: float, x1: float, z0: float, z1: float) -> None:
        """Fill a rectangle on the road's plane."""
        z0, z1 = max(z0, NEAREST_M), max(z1, NEAREST_M)
        self.paint(surface, [(x0, 0.0, z0), (x1, 0.0, z0), (x1, 0.0, z1), (x0, 0.0, z1)])

    def ellipse(self, surface: int, x: float, y: float, z: float, rx: float, ry: float, angle: float = 0.0) -> None:
        """Fill an ellipse that faces the camera; radii in metres."""
        camera, scale = self.camera, 1 << _SHIFT
        centre = (
            int((camera.centre + camera.focal * x / z) * scale),
            int((camera.horizon + camera.focal * (camera.height - y) / z) * scale),
        )
        axes = (max(int(camera.focal * rx / z * scale), 1), max(int(camera.focal * ry / z * scale), 1))
        cv2.ellipse(self.ids, centre, axes, angle, 0, 360, surface, -1, cv2.LINE_8, _SHIFT)
