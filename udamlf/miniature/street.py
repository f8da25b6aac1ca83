"""A street, painted far to near: sky, skyline, ground, what lines the road, and the things on it."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from udamlf.miniature import things
from udamlf.miniature.canvas import FRONT, GROUND, NEAREST_M, SIDE, SKY, Canvas

FARTHEST_LOT_M = 85.0
_HORIZON_M = 110.0


@dataclass(frozen=True)
class Street:
    """Cross-section in metres: kerbs and the line where the lots begin, left and right of the camera."""

    kerb: tuple[float, float]
    frontage: tuple[float, float]

    @property
    def lanes(self) -> tuple[float, float]:
        """X of the oncoming and of the camera's own lane."""
        left, right = self.kerb
        return left + 0.27 * (right - left), left + 0.73 * (right - left)


def paint_street(c: Canvas) -> Street:
    """Paint a whole scene; returns the street's cross-section."""
    layout, dice = c.style.layout, c.dice
    half = dice.uniform(*layout.road_half_width)
    centre = -half * dice.uniform(0.25, 0.55)
    kerb = (centre - half, centre + half)
    verges = [dice.uniform(0.8, 3.5) if dice.chance(0.4) else 0.0 for _ in range(2)]
    walks = [dice.uniform(*layout.sidewalk) for _ in range(2)]
    street = Street(kerb, (kerb[0] - walks[0] - verges[0], kerb[1] + walks[1] + verges[1]))
    _sky(c)
    _skyline(c)
    _ground(c, street, walks)
    for side in (-1, 1):
        _lots(c, street, side)
    objects = _objects(c, street)
    for _, paint in sorted(objects, key=lambda item: -item[0]):
        paint()
    if dice.chance(layout.bonnet):
        _bonnet(c)
    return street


# --- backdrop -----------------------------------------------------------------------------------------------------


def _sky(c: Canvas) -> None:
    thing = c.thing("sky")
    c.ids[:] = c.surface("sky", "sky", thing, SKY, 1000.0)
    for _ in range(c.dice.count(2.5)):
        cloud = c.surface("sky", "cloud", thing, SKY, 900.0)
        x, y, wide = c.dice.uniform(-550, 550), c.dice.uniform(60, 450), c.dice.uniform(40, 170)
        for _ in range(3):
            c.ellipse(cloud, x + c.dice.uniform(-wide, wide), y + c.dice.uniform(-15, 15), 900.0, wide, 0.22 * wide)


def _skyline(c: Canvas) -> None:
    x = -90.0
    while x < 90.0:
        width = c.dice.uniform(6, 18)
        if c.dice.chance(0.55):
            z = _HORIZON_M + c.dice.uniform(0, 30)
            front = c.surface("building", "building", c.thing("building"), FRONT, z, c.dice.uniform(0.8, 1.0))
            c.rectangle(front, x, x + width, 0.0, c.dice.uniform(6, 26), z)
        else:
            things.bush(c, x + width / 2, _HORIZON_M - c.dice.uniform(0, 15), c.dice.uniform(6, 12))
        x += 0.8 * width


def _ground(c: Canvas, street: Street, walks: list[float]) -> None:
    dice, (left, right) = c.dice, street.kerb
    c.ground(c.surface(c.style.terrain_label, "terrain", c.thing("terrain"), GROUND), -300, 300, NEAREST_M, 400)
    walk = c.surface("sidewalk", "sidewalk", c.thing("sidewalk"), GROUND)
    c.ground(walk, left - walks[0], right + walks[1], NEAREST_M, 400)
    road = c.thing("road")
    c.ground(c.surface("road", "road", road, GROUND), left, right, NEAREST_M, 400)
    kerb = c.surface("sidewalk", "kerb", road, GROUND)
    c.ground(kerb, left - 0.2, left, NEAREST_M, 120)
    c.ground(kerb, right, right + 0.2, NEAREST_M, 120)
    lane = c.surface("road", "lane", road, GROUND)
    middle, z = (left + right) / 2, dice.uniform(1.5, 5.0)
    while z < 60:
        c.ground(lane, middle - 0.08, middle + 0.08, z, z + 2.5)
        z += 6.0
    if dice.chance(0.5):
        c.ground(lane, left + 0.35, left + 0.47, NEAREST_M, 80)
        c.ground(lane, right - 0.47, right - 0.35, NEAREST_M, 80)
    if dice.chance(0.25):
        z = dice.uniform(6, 18)
        for x in np.arange(left + 0.4, right - 0.5, 1.0):
            c.ground(lane, float(x), float(x) + 0.5, z, z + 2.8)


# --- what lines the road ------------------------------------------------------------------------------------------


def _lots(c: Canvas, street: Street, side: int) -> None:
    """Lots of one side, far to near; ``side`` is -1 (left) or 1 (right)."""
    kinds, weights = zip(*c.style.layout.frontage.items(), strict=True)
    line = street.frontage[0 if side < 0 else 1]
    bounds, z = [], c.dice.uniform(1.3, 5.0)
    while z < FARTHEST_LOT_M:
        length = c.dice.uniform(7, 18)
        bounds.append((z, z + length))
        z += length
    steps = np.cumsum(weights) / sum(weights)
    for z0, z1 in reversed(bounds):
        kind = kinds[int(np.searchsorted(steps, c.dice.unit()))]
        x = line + side * c.dice.uniform(0.0, 0.8)
        _LOTS[kind](c, x, side, z0, z1)


def _building(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    dice, thing = c.dice, c.thing("building")
    height = dice.uniform(4.5, 15.0)
    sunny, shady = dice.uniform(0.88, 1.05), dice.uniform(0.68, 0.85)
    end = c.surface("building", "building", thing, FRONT, z0, shady)
    c.rectangle(end, x, x + side * 14.0, 0.0, height, max(z0, NEAREST_M))
    wall = c.surface("building", "building", thing, SIDE, x, sunny)
    c.side(wall, x, 0.0, height, z0, z1)
    c.side(c.surface("building", "roof", thing, SIDE, x), x, height - 0.5, height, z0, z1)
    if z0 < 60:
        c.paint_quads(c.surface("building", "window", thing, SIDE, x), _windows(c, x, z0, z1, height))
        door = dice.uniform(z0 + 0.5, z1 - 1.5)
        c.side(c.surface("building", "door", thing, SIDE, x), x, 0.0, 2.2, door, door + 1.1)


def _windows(c: Canvas, x: float, z0: float, z1: float, height: float) -> np.ndarray:
    """Corners [n, 4, 3] of the windows of a facade: a grid, ribbons along each floor, or tall bays."""
    dice = c.dice
    floors = np.arange(0.9, max(height - 1.8, 1.0), 3.0)
    starts = np.arange(z0 + 0.6, z1 - 1.4, dice.uniform(2.2, 3.4))
    wide, tall = dice.uniform(0.9, 1.4), dice.uniform(1.2, 1.7)
    if dice.chance(c.style.layout.ribbon_windows):
        if dice.chance(0.5):
            starts, wide = np.array([z0 + 0.4]), z1 - z0 - 0.8
        else:
            floors, tall, wide = floors[:1], height - 2.0, 1.6
    y, z = (grid.ravel() for grid in np.meshgrid(floors, starts))
    quads = np.empty((y.size, 4, 3))
    quads[..., 0] = x
    quads[..., 1] = y[:, None] + np.array([0, 0, tall, tall])
    quads[..., 2] = np.maximum(z[:, None] + np.array([0, wide, wide, 0]), NEAREST_M)
    return quads


def _wall(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    _behind(c, x + side * c.dice.uniform(4, 8), side, z0, z1)
    thing, height = c.thing("wall"), c.dice.uniform(1.5, 2.8)
    end = c.surface("wall", "wall", thing, FRONT, z0, 0.8)
    c.rectangle(end, x, x + side * 0.5, 0.0, height, max(z0, NEAREST_M))
    c.side(c.surface("wall", "wall", thing, SIDE, x), x, 0.0, height, z0, z1)
    c.side(c.surface("wall", "kerb", thing, SIDE, x), x, height - 0.18, height, z0, z1)


def _fence(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    _behind(c, x + side * c.dice.uniform(4, 8), side, z0, z1)
    thing, height = c.thing("fence"), c.dice.uniform(1.1, 1.8)
    c.side(c.surface("fence", "fence", thing, SIDE, x), x, 0.0, height, z0, z1)
    posts = np.arange(z0, z1, 1.8)
    quads = np.empty((len(posts), 4, 3))
    quads[..., 0] = x
    quads[..., 1] = (0.0, 0.0, height + 0.15, height + 0.15)
    quads[..., 2] = np.maximum(posts[:, None] + np.array([0, 0.16, 0.16, 0]), NEAREST_M)
    c.paint_quads(c.surface("fence", "fence", thing, SIDE, x, 0.75), quads)


def _trees(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    z = z1
    while z > max(z0, 3.0):
        at = x + side * c.dice.uniform(0.8, 4.0)
        (things.tree if c.dice.chance(0.6) else _low_bush)(c, at, z)
        z -= c.dice.uniform(1.5, 3.5)


def _low_bush(c: Canvas, x: float, z: float) -> None:
    things.bush(c, x, z, c.dice.uniform(1.0, 2.6))


def _open(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    if c.dice.chance(0.6):
        things.tree(c, x + side * c.dice.uniform(3, 8), max(z1, 6.0))


def _behind(c: Canvas, x: float, side: int, z0: float, z1: float) -> None:
    """Something to see above a wall or a fence."""
    (_building if c.dice.chance(0.45) else _trees)(c, x, side, z0, z1)


_LOTS = {"building": _building, "wall": _wall, "fence": _fence, "trees": _trees, "open": _open}


# --- things on the street -----------------------------------------------------------------------------------------

Paint = tuple[float, Callable[[], None]]


def _objects(c: Canvas, street: Street) -> list[Paint]:
    """(depth, painter) of every thing; randomness is drawn when it is painted."""
    layout, dice = c.style.layout, c.dice
    (left, right), (oncoming, own) = street.kerb, street.lanes
    objects: list[Paint] = []

    def add(paint: Callable[..., object], x: float, z: float, *rest: object) -> None:
        objects.append((z, lambda: (paint(c, x, z, *rest), None)[1]))

    taken: dict[float, list[tuple[float, float]]] = {oncoming: [], own: []}

    def free(lane: float, length: float, nearest: float, farthest: float) -> float | None:
        """A free stretch of a lane, tried three times."""
        for _ in range(3):
            z = dice.uniform(nearest, farthest)
            if all(z + length + 1 < a or z > b + 1 for a, b in taken[lane]):
                taken[lane].append((z, z + length))
                return z
        return None

    def traffic(paint: Callable[..., object], count: int, length: float, nearest: float, farthest: float) -> None:
        for _ in range(count):
            lane = oncoming if dice.chance(0.55) else own
            z = free(lane, length, nearest, farthest)
            if z is not None:
                add(paint, lane + dice.uniform(-0.4, 0.4), z, lane == oncoming)

    if dice.chance(layout.trains):
        z = dice.uniform(7, 18)
        taken[oncoming].append((z, z + 32))
        add(things.train, oncoming, z)
    traffic(things.truck, dice.count(layout.trucks), 11, 6, 24)
    traffic(things.bus, dice.count(layout.buses), 12, 6, 24)
    traffic(things.car, dice.count(layout.cars), 5, 5, 40)
    for kerb, way in ((left, -1.0), (right, 1.0)):
        z = dice.uniform(4, 8)
        while z < 50:
            if dice.chance(layout.parked):
                add(things.car, kerb - way * 1.05, z, dice.chance(0.5))
            if dice.chance(layout.trees):
                add(things.tree, kerb + way * dice.uniform(0.7, 1.4), z + 3)
            z += 6.0
        for z in np.arange(dice.uniform(6, 16), 60, dice.uniform(16, 26)):
            add(things.street_lamp, kerb + way * 0.5, float(z), -way)

    def kerbside(z: float, reach: float = 0.5) -> tuple[float, float]:
        """X just off a kerb and towards the road (-1 or 1), kept inside the view at depth z."""
        way = -1.0 if dice.chance(0.4) else 1.0
        kerb = left if way < 0 else right
        x = kerb + way * dice.uniform(0.3, 1.2)
        return min(max(x, -reach * z), reach * z), -way

    for _ in range(dice.count(layout.lights)):
        z = dice.uniform(9, 26)
        x, way = kerbside(z)
        add(things.traffic_light, x, z, way)
    for _ in range(dice.count(layout.signs)):
        z = dice.uniform(8, 24)
        add(things.traffic_sign, kerbside(z)[0], z)
    for _ in range(dice.count(layout.people)):
        z = dice.uniform(5, 20)
        x = kerbside(z)[0] if dice.chance(0.75) else dice.uniform(max(left, -0.45 * z), min(right, 0.45 * z))
        for i in range(1 + int(dice.unit() * 2)):
            add(things.person, x + 0.75 * i, z + 0.3 * i)
    for paint, count in ((things.motorcycle, layout.motorcycles), (things.bicycle, layout.bicycles)):
        for _ in range(dice.count(count)):
            z, ridden = dice.uniform(4.5, 13.0), dice.chance(0.6)
            limit = 0.42 * z
            x = dice.uniform(max(left, -limit), min(right, limit)) if ridden else kerbside(z, 0.42)[0]
            for i in range(1 if ridden else 1 + int(dice.unit() * 2.5)):
                add(paint, x + 0.6 * i, z + 0.5 * i, ridden)
    return objects


def _bonnet(c: Canvas) -> None:
    height, width = c.ids.shape
    bonnet = c.surface("void", "bonnet", c.thing("car"), FRONT, 1.5)
    axes = (int(width * c.dice.uniform(0.36, 0.5)), int(height * c.dice.uniform(0.06, 0.13)))
    cv2.ellipse(c.ids, (width // 2, height), axes, 0, 0, 360, bonnet, -1)
