"""Things on the street: vehicles, people, two-wheelers, poles with what they carry, trees.

Each function paints one object at (x, z) metres. Shape follows the object's novelty t where that is cheap."""

import math

import numpy as np

from udamlf.miniature.canvas import FRONT, GROUND, SIDE, Canvas, Thing
from udamlf.miniature.palette import MATERIALS


def _newness(c: Canvas, thing: Thing, material: str) -> float:
    """t as a share of the largest t that this material can have: 0 game-like, 1 as new as it gets."""
    largest = c.style.novelty * MATERIALS[material].scale
    return thing.t / largest if largest else 0.0


def _bar(c: Canvas, surface: int, p: tuple[float, float], q: tuple[float, float], z: float, width: float) -> None:
    (x0, y0), (x1, y1) = p, q
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    a, b = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
    c.paint(surface, [(x0 + a, y0 + b, z), (x1 + a, y1 + b, z), (x1 - a, y1 - b, z), (x0 - a, y0 - b, z)])


def _shadow(c: Canvas, x0: float, x1: float, z0: float, z1: float) -> None:
    c.ground(c.surface("road", "road", Thing(), GROUND, shade=0.42), x0, x1, z0, z1)


def _visible_side(x0: float, x1: float) -> float | None:
    """X of the side wall that the camera sees, None when it looks straight at the front."""
    return x0 if x0 > 0.1 else x1 if x1 < -0.1 else None


# --- vehicles -----------------------------------------------------------------------------------------------------


def car(c: Canvas, x: float, z: float, towards: bool) -> None:
    """A car, seen end-on; with t it turns into a tall estate with a long cabin and high lamps."""
    dice, thing = c.dice, c.thing("car", lively=True)
    new = _newness(c, thing, "car")
    half, length, belt = dice.uniform(0.85, 0.98), dice.uniform(3.8, 4.6), dice.uniform(0.86, 0.98) + 0.08 * new
    roof, cabin = dice.uniform(1.38, 1.52) + 0.28 * new, 0.5 - 0.35 * new
    x0, x1, z1 = x - half, x + half, z + length
    _shadow(c, x0 - 0.1, x1 + 0.1, z - 0.2, z1)
    body = c.surface("car", "car", thing, FRONT, z)
    side = _visible_side(x0, x1)
    if side is not None:
        flank = c.surface("car", "car", thing, SIDE, side, shade=0.82)
        glass = c.surface("car", "glass", thing, SIDE, side)
        tyre = c.surface("car", "tyre", thing, SIDE, side)
        for centre in (z + 0.75, z1 - 0.75):
            c.side(tyre, side, 0.0, 0.5, centre - 0.32, centre + 0.32)
        c.side(flank, side, 0.28, belt, z, z1)
        inner = side + (0.12 if side > 0 else -0.12)
        c.paint(glass, [(side, belt, z + cabin), (side, belt, z1 - 1.0 + 0.7 * new), (inner, roof, z1 - 1.4 + new),
                        (inner, roof, z + cabin + 0.35)])  # fmt: skip
    tyre = c.surface("car", "tyre", thing, FRONT, z)
    c.rectangle(tyre, x0 + 0.05, x0 + 0.3, 0.0, 0.4, z)
    c.rectangle(tyre, x1 - 0.3, x1 - 0.05, 0.0, 0.4, z)
    c.paint(body, [(x0, belt, z), (x1, belt, z), (x1 - 0.2 + 0.1 * new, roof, z), (x0 + 0.2 - 0.1 * new, roof, z)])
    glass = c.surface("car", "glass", thing, FRONT, z)
    c.paint(glass, [(x0 + 0.12, belt + 0.03, z), (x1 - 0.12, belt + 0.03, z), (x1 - 0.27, roof - 0.09, z),
                    (x0 + 0.27, roof - 0.09, z)])  # fmt: skip
    c.rectangle(body, x0, x1, 0.27, belt, z)
    lamp = c.surface("car", "headlight" if towards else "tail", thing, FRONT, z)
    low = 0.58 + 0.22 * new
    c.rectangle(lamp, x0 + 0.06, x0 + 0.34, low, low + 0.17, z)
    c.rectangle(lamp, x1 - 0.34, x1 - 0.06, low, low + 0.17, z)
    plate = c.surface("car", "symbol" if dice.chance(0.6) else "tyre", thing, FRONT, z)
    c.rectangle(plate, x - 0.26, x + 0.26, 0.4, 0.53, z)


def _box(c: Canvas, label: str, x: float, z: float, size: tuple[float, float, float], thing: Thing) -> None:
    """Body of a large vehicle (width, height, length in metres): side wall and front face."""
    half, height, length = size[0] / 2, size[1], size[2]
    _shadow(c, x - half - 0.1, x + half + 0.1, z - 0.2, z + length)
    side = _visible_side(x - half, x + half)
    if side is not None:
        wall = c.surface(label, label, thing, SIDE, side, shade=0.82)
        tyre = c.surface(label, "tyre", thing, SIDE, side)
        c.side(tyre, side, 0.0, 0.6, z + 0.8, z + length - 0.6)
        c.side(wall, side, 0.42, height, z, z + length)
    front = c.surface(label, label, thing, FRONT, z)
    tyre = c.surface(label, "tyre", thing, FRONT, z)
    c.rectangle(tyre, x - half + 0.08, x - half + 0.5, 0.0, 0.6, z)
    c.rectangle(tyre, x + half - 0.5, x + half - 0.08, 0.0, 0.6, z)
    c.rectangle(front, x - half, x + half, 0.42, height, z)


def _lamps(c: Canvas, label: str, x: float, z: float, half: float, thing: Thing, towards: bool) -> None:
    lamp = c.surface(label, "headlight" if towards else "tail", thing, FRONT, z)
    c.rectangle(lamp, x - half + 0.12, x - half + 0.42, 0.62, 0.86, z)
    c.rectangle(lamp, x + half - 0.42, x + half - 0.12, 0.62, 0.86, z)


def truck(c: Canvas, x: float, z: float, towards: bool) -> None:
    """A box truck: a windowless box, from the front with a lower cab before it."""
    dice, thing = c.dice, c.thing("truck")
    height, length = dice.uniform(2.9, 3.7), dice.uniform(6.0, 9.5)
    start = z + 1.5 if towards else z
    _box(c, "truck", x, start, (2.45, height, length), thing)
    if towards:
        _box(c, "truck", x, z, (2.3, 2.35, 1.5), Thing(0.8 * thing.t, thing.field))
        c.rectangle(c.surface("truck", "glass", thing, FRONT, z), x - 1.0, x + 1.0, 1.35, 2.1, z)
    else:
        seam = c.surface("truck", "tyre", thing, FRONT, z)
        c.rectangle(seam, x - 0.04, x + 0.04, 0.5, height - 0.15, z)
        c.rectangle(seam, x - 1.2, x + 1.2, 0.42, 0.58, z)
    _lamps(c, "truck", x, z, 1.2, thing, towards)


def _windowed(c: Canvas, label: str, x: float, z: float, size: tuple[float, float, float], thing: Thing,
              sill: float, lintel: float, pitch: float) -> None:  # fmt: skip
    """A box with a row of side windows and a windscreen: bus and train."""
    _box(c, label, x, z, size, thing)
    half = size[0] / 2
    side = _visible_side(x - half, x + half)
    if side is not None:
        starts = np.arange(z + 0.4, z + size[2] - pitch, pitch)
        quads = np.empty((len(starts), 4, 3))
        quads[..., 0] = side
        quads[:, :, 1] = (sill, sill, lintel, lintel)
        quads[:, (0, 3), 2] = starts[:, None]
        quads[:, (1, 2), 2] = starts[:, None] + 0.82 * pitch
        quads[..., 2] = np.maximum(quads[..., 2], 1.2)
        c.paint_quads(c.surface(label, "glass", thing, SIDE, side), quads)
    screen = c.surface(label, "glass", thing, FRONT, z)
    c.rectangle(screen, x - half + 0.15, x + half - 0.15, sill - 0.15, lintel + 0.1, z)


def bus(c: Canvas, x: float, z: float, towards: bool) -> None:
    """A city bus: tall, many windows, a bright destination sign."""
    thing = c.thing("bus")
    height = c.dice.uniform(2.9, 3.3) + (1.2 if c.dice.chance(0.15) else 0.0)
    _windowed(c, "bus", x, z, (2.5, height, c.dice.uniform(9.0, 12.0)), thing, 1.25, 2.35, 1.5)
    c.rectangle(c.surface("bus", "headlight", thing, FRONT, z), x - 0.8, x + 0.8, height - 0.42, height - 0.12, z)
    _lamps(c, "bus", x, z, 1.25, thing, towards)


def train(c: Canvas, x: float, z: float) -> None:
    """A tram: long and narrow, a stripe along it, rails before it, a pantograph line above."""
    thing = c.thing("train")
    height = c.dice.uniform(3.3, 3.7)
    rail = c.surface("road", "pole", Thing(), GROUND)
    for offset in (-0.75, 0.75):
        c.ground(rail, x + offset - 0.06, x + offset + 0.06, 1.5, z)
    _windowed(c, "train", x, z, (2.4, height, c.dice.uniform(22.0, 32.0)), thing, 1.35, 2.6, 2.2)
    half = 1.2
    stripe = c.surface("train", "train", thing, FRONT, z)
    c.rectangle(stripe, x - half, x + half, 0.8, 1.05, z)
    c.rectangle(c.surface("train", "headlight", thing, FRONT, z), x - 0.16, x + 0.16, 0.85, 1.1, z)
    c.rectangle(c.surface("train", "tyre", thing, FRONT, z), x - half, x + half, 0.12, 0.45, z)
    side = _visible_side(x - half, x + half)
    if side is not None:
        c.side(c.surface("train", "symbol", thing, SIDE, side), side, 0.85, 1.1, z, z + 32.0)


# --- people and two-wheelers --------------------------------------------------------------------------------------


def person(c: Canvas, x: float, z: float) -> None:
    """A pedestrian; with t the coat grows long and a hat and a bag appear."""
    dice, thing = c.dice, c.thing("coat", lively=True)
    new, height = _newness(c, thing, "coat"), dice.uniform(1.58, 1.9) * (0.7 if dice.chance(0.08) else 1.0)
    hip, shoulder, stride = 0.50 * height, 0.83 * height, dice.uniform(0.06, 0.2)
    legs = c.surface("person", "trousers", thing, FRONT, z)
    _bar(c, legs, (x - stride, 0.0), (x - 0.09, hip), z, 0.17)
    _bar(c, legs, (x + stride, 0.0), (x + 0.09, hip), z, 0.17)
    coat = c.surface("person", "coat", thing, FRONT, z)
    hem = hip - 0.05 - 0.42 * height * 0.6 * new
    c.paint(coat, [(x - 0.19 - 0.06 * new, hem, z), (x + 0.19 + 0.06 * new, hem, z), (x + 0.25, shoulder, z),
                   (x - 0.25, shoulder, z)])  # fmt: skip
    _bar(c, coat, (x - 0.25, shoulder - 0.05), (x - 0.3 - stride / 2, hip), z, 0.12)
    _bar(c, coat, (x + 0.25, shoulder - 0.05), (x + 0.3 + stride / 2, hip), z, 0.12)
    head = height - 0.13
    c.ellipse(c.surface("person", "skin", thing, FRONT, z), x, head, z, 0.12, 0.15)
    hair = c.surface("person", "hair", thing, FRONT, z)
    c.rectangle(hair, x - 0.13 - 0.06 * new, x + 0.13 + 0.06 * new, height - 0.1, height + 0.02 + 0.08 * new, z)
    if new > 0.5:
        bag = c.surface("person", "helmet", thing, FRONT, z)
        c.rectangle(bag, x + 0.24, x + 0.5, hip - 0.35, hip + 0.02, z)


def _rider(c: Canvas, x: float, z: float, seat: tuple[float, float], bar: tuple[float, float], pedal: float) -> None:
    thing = c.thing("jersey", lively=True)
    new = _newness(c, thing, "jersey")
    shoulder = (seat[0] + 0.45 * (bar[0] - seat[0]), seat[1] + 0.56)
    legs = c.surface("rider", "trousers", thing, FRONT, z)
    knee = (seat[0] + 0.6 * (bar[0] - seat[0]), seat[1] - 0.22)
    _bar(c, legs, seat, knee, z, 0.2)
    _bar(c, legs, knee, (x, pedal), z, 0.16)
    jersey = c.surface("rider", "jersey", thing, FRONT, z)
    _bar(c, jersey, (seat[0], seat[1] - 0.05), shoulder, z, 0.42 + 0.1 * new)
    _bar(c, jersey, shoulder, bar, z, 0.13)
    head = (shoulder[0] + 0.25 * (bar[0] - seat[0]) * 0.5, shoulder[1] + 0.2)
    c.ellipse(c.surface("rider", "skin", thing, FRONT, z), *head, z, 0.13, 0.16)
    c.ellipse(c.surface("rider", "helmet", thing, FRONT, z), head[0], head[1] + 0.07, z, 0.15 + 0.03 * new, 0.11)


def bicycle(c: Canvas, x: float, z: float, ridden: bool) -> None:
    """A bicycle with filled wheels (as Cityscapes labels them), seen at an angle."""
    dice, thing = c.dice, c.thing("bicycle", lively=True)
    wide, way = dice.uniform(0.55, 1.0), 1.0 if dice.chance(0.5) else -1.0
    back, front, radius = x - way * 0.52 * wide, x + way * 0.52 * wide, 0.37
    tyre, spokes = (c.surface("bicycle", m, thing, FRONT, z) for m in ("tyre", "spokes"))
    for centre in (back, front):
        c.ellipse(tyre, centre, radius, z, radius * wide + 0.03, radius)
        c.ellipse(spokes, centre, radius, z, 0.78 * radius * wide, 0.78 * radius)
    frame = c.surface("bicycle", "bicycle", thing, FRONT, z)
    seat, bar, pedal = (x - way * 0.22 * wide, 0.92), (x + way * 0.4 * wide, 1.0), (x - way * 0.05 * wide, 0.32)
    for p, q in (((back, radius), pedal), (pedal, seat), (pedal, bar), (seat, bar), ((back, radius), seat),
                 (bar, (front, radius))):  # fmt: skip
        _bar(c, frame, p, q, z, 0.1)
    _bar(c, tyre, (seat[0] - 0.12, seat[1] + 0.04), (seat[0] + 0.12, seat[1] + 0.04), z, 0.09)
    _bar(c, tyre, (bar[0] - 0.12, bar[1] + 0.04), (bar[0] + 0.12, bar[1] + 0.04), z, 0.08)
    if ridden:
        _rider(c, x, z, (seat[0], seat[1] + 0.05), (bar[0], bar[1] + 0.05), 0.28)


def motorcycle(c: Canvas, x: float, z: float, ridden: bool) -> None:
    """A motorcycle: small thick wheels and a heavy body."""
    dice, thing = c.dice, c.thing("motorcycle", lively=True)
    wide, way = dice.uniform(0.55, 1.0), 1.0 if dice.chance(0.5) else -1.0
    back, front, radius = x - way * 0.62 * wide, x + way * 0.62 * wide, 0.34
    tyre = c.surface("motorcycle", "tyre", thing, FRONT, z)
    for centre in (back, front):
        c.ellipse(tyre, centre, radius, z, radius * wide + 0.06, radius)
    metal = c.surface("motorcycle", "pole", thing, FRONT, z)
    c.ellipse(metal, x, 0.45, z, 0.34 * wide, 0.24)
    body = c.surface("motorcycle", "motorcycle", thing, FRONT, z)
    _bar(c, body, (back - way * 0.1, 0.78), (x + way * 0.1, 0.72), z, 0.28)
    c.ellipse(body, x + way * 0.18 * wide, 0.86, z, 0.34 * wide, 0.2)
    _bar(c, metal, (front, radius), (x + way * 0.38 * wide, 1.05), z, 0.12)
    c.ellipse(c.surface("motorcycle", "headlight", thing, FRONT, z), x + way * 0.5 * wide, 0.92, z, 0.1, 0.1)
    _bar(c, tyre, (back - way * 0.1, 0.93), (x - way * 0.02, 0.9), z, 0.12)
    if ridden:
        _rider(c, x, z, (x - way * 0.22 * wide, 1.0), (x + way * 0.36 * wide, 1.1), 0.35)


# --- poles and trees ----------------------------------------------------------------------------------------------


def pole(c: Canvas, x: float, z: float, height: float, width: float = 0.17) -> Thing:
    """A bare pole; returns its thing."""
    thing = c.thing("pole")
    c.rectangle(c.surface("pole", "pole", thing, FRONT, z), x - width / 2, x + width / 2, 0.0, height, z)
    return thing


def street_lamp(c: Canvas, x: float, z: float, way: float) -> None:
    """A tall pole with an arm over the road."""
    height = c.dice.uniform(5.5, 8.0)
    thing = pole(c, x, z, height, 0.2)
    arm = c.surface("pole", "pole", thing, FRONT, z)
    _bar(c, arm, (x, height - 0.05), (x + way * 1.4, height + 0.15), z, 0.14)
    _bar(c, arm, (x + way * 1.2, height + 0.12), (x + way * 1.8, height + 0.12), z, 0.2)


def traffic_light(c: Canvas, x: float, z: float, way: float) -> None:
    """One or two lights on a pole, sometimes one above the road on an arm."""
    dice = c.dice
    height = dice.uniform(3.2, 4.2)
    mast = pole(c, x, z, height + (1.6 if dice.chance(0.35) else 0.0))
    places = [(x, height - 0.75)]
    if dice.chance(0.35):
        reach = dice.uniform(2.0, 3.5)
        _bar(c, c.surface("pole", "pole", mast, FRONT, z), (x, height + 1.4), (x + way * reach, height + 1.4), z, 0.15)
        places.append((x + way * reach, height + 0.7))
    lit = int(dice.unit() * 3)
    for px, py in places:
        thing = c.thing("box", lively=True)
        c.rectangle(c.surface("traffic_light", "box", thing, FRONT, z), px - 0.27, px + 0.27, py - 0.7, py + 0.7, z)
        dark = c.surface("traffic_light", "tyre", thing, FRONT, z)
        lamp = c.surface("traffic_light", "lamp", thing, FRONT, z)
        for i in range(3):
            c.ellipse(lamp if i == lit else dark, px, py + 0.43 * (1 - i), z, 0.18, 0.18)


def traffic_sign(c: Canvas, x: float, z: float) -> None:
    """A disc, a triangle or a board with a white symbol on a thin pole."""
    dice, height, size = c.dice, c.dice.uniform(2.2, 3.0), c.dice.uniform(0.38, 0.52)
    pole(c, x, z, height, 0.12)
    for i in range(2 if dice.chance(0.25) else 1):
        thing, y = c.thing("sign", lively=True), height - i * 2.2 * size
        plate = c.surface("traffic_sign", "sign", thing, FRONT, z)
        symbol = c.surface("traffic_sign", "symbol", thing, FRONT, z)
        shape = dice.unit()
        if shape < 0.4:
            c.ellipse(plate, x, y, z, size, size)
            c.ellipse(symbol, x, y, z, 0.55 * size, 0.3 * size)
        elif shape < 0.65:
            c.paint(plate, [(x - size, y - 0.8 * size, z), (x + size, y - 0.8 * size, z), (x, y + size, z)])
            c.paint(symbol, [(x - 0.45 * size, y - 0.5 * size, z), (x + 0.45 * size, y - 0.5 * size, z),
                             (x, y + 0.35 * size, z)])  # fmt: skip
        else:
            c.rectangle(plate, x - 1.1 * size, x + 1.1 * size, y - 0.8 * size, y + 0.8 * size, z)
            c.rectangle(symbol, x - 0.7 * size, x + 0.7 * size, y - 0.2 * size, y + 0.25 * size, z)


def tree(c: Canvas, x: float, z: float, scale: float = 1.0) -> None:
    """A broad-leaved tree, or a conifer in the camera world; the trunk counts as vegetation."""
    dice, thing = c.dice, c.thing("vegetation")
    conifer = dice.chance(c.style.layout.conifers)
    height = scale * dice.uniform(4.2, 7.0)
    trunk = c.surface("vegetation", "trunk", thing, FRONT, z)
    c.rectangle(trunk, x - 0.14, x + 0.14, 0.0, 0.6 * height, z)
    if conifer:
        leaves = c.surface("vegetation", "vegetation", thing, FRONT, z, dice.uniform(0.75, 1.0))
        for i in range(3):
            low, wide = height * (0.15 + 0.25 * i), height * (0.27 - 0.06 * i)
            c.paint(leaves, [(x - wide, low, z), (x + wide, low, z), (x, low + 0.48 * height, z)])
        return
    for _ in range(4):
        leaves = c.surface("vegetation", "vegetation", thing, FRONT, z, dice.uniform(0.78, 1.15))
        radius = height * dice.uniform(0.16, 0.27)
        c.ellipse(
            leaves, x + height * dice.uniform(-0.2, 0.2), height * dice.uniform(0.6, 0.95), z, radius * 1.1, radius
        )


def bush(c: Canvas, x: float, z: float, height: float) -> None:
    """A round bush or the edge of a wood."""
    thing = c.thing("vegetation")
    leaves = c.surface("vegetation", "vegetation", thing, FRONT, z, c.dice.uniform(0.78, 1.1))
    c.ellipse(leaves, x, 0.35 * height, z, height * c.dice.uniform(0.6, 1.0), 0.65 * height)
