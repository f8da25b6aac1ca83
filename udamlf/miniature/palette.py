"""Materials: the colours of the game world, the new looks of the camera world, and their surface patterns.

Colours are (hue in degrees, saturation, value). On the ground, where position does not tell classes apart, a new look
is never another class's colour in the game world: where colour cues swap between classes self-training has nothing
right to start from (the prototype's gaps D to F)."""

import colorsys
from dataclasses import dataclass

HSV = tuple[float, float, float]
RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Material:
    """What a surface is made of.

    Attributes:
        game: colours in the game world, one is drawn.
        new: new looks, one is drawn; empty: the same as ``game``.
        scale: of the novelty t of an object that is mainly made of this.
        spread: of hue / 100 degrees, saturation and value around the drawn colour.
        cycles: of the pattern per metre, along and up (or away).
        amplitude: of the pattern in the game world and at t = 1.
        grain: amplitude of fine texture at strength 1.
        bend: metres by which smooth noise bends the pattern: foliage and grass are no grids.
    """

    game: tuple[HSV, ...]
    new: tuple[HSV, ...] = ()
    scale: float = 1.0
    spread: float = 0.06
    cycles: tuple[float, float] = (0.0, 0.0)
    amplitude: tuple[float, float] = (0.0, 0.0)
    grain: float = 0.04
    bend: float = 0.0


_PAINT: tuple[HSV, ...] = (
    (0, 0.0, 0.86),
    (220, 0.1, 0.2),
    (210, 0.04, 0.62),
    (2, 0.75, 0.62),
    (215, 0.7, 0.5),
    (28, 0.3, 0.5),
)

MATERIALS = {
    "sky": Material(((208, 0.45, 0.95), (205, 0.30, 0.97)), ((215, 0.05, 0.80), (24, 0.28, 0.93), (228, 0.25, 0.62))),
    "cloud": Material(((210, 0.04, 0.98),), ((220, 0.04, 0.66), (30, 0.16, 0.97)), grain=0.02),
    "road": Material(((225, 0.06, 0.37),), ((25, 0.22, 0.27), (232, 0.28, 0.25), (345, 0.12, 0.46)),
                     cycles=(0.5, 0.35), amplitude=(0.02, 0.13), grain=0.06),
    "lane": Material(((0, 0.0, 0.88), (48, 0.5, 0.85)), ((0, 0.0, 0.62), (40, 0.35, 0.7)), grain=0.03),
    "sidewalk": Material(((35, 0.10, 0.64),), ((8, 0.38, 0.46), (205, 0.24, 0.50), (50, 0.38, 0.68)),
                         cycles=(1.2, 0.9), amplitude=(0.08, 0.22), grain=0.05),
    "kerb": Material(((40, 0.04, 0.78),), ((20, 0.15, 0.38), (210, 0.1, 0.6))),
    "terrain": Material(((82, 0.48, 0.56),), ((46, 0.52, 0.60), (142, 0.34, 0.33), (20, 0.52, 0.33)),
                        cycles=(0.7, 0.7), amplitude=(0.05, 0.20), grain=0.10, bend=0.6),
    "building": Material(((36, 0.28, 0.76), (12, 0.48, 0.58), (218, 0.14, 0.58), (50, 0.16, 0.86), (28, 0.35, 0.48)),
                         ((160, 0.24, 0.44), (302, 0.18, 0.55), (43, 0.62, 0.62), (240, 0.22, 0.36)),
                         cycles=(0.8, 1.2), amplitude=(0.07, 0.24)),
    "window": Material(((212, 0.45, 0.34), (200, 0.3, 0.72)), ((40, 0.35, 0.36), (265, 0.22, 0.45), (180, 0.1, 0.82)),
                       grain=0.02),
    "roof": Material(((15, 0.5, 0.38), (220, 0.1, 0.3)), ((200, 0.3, 0.36), (95, 0.16, 0.36))),
    "door": Material(((20, 0.6, 0.30),), ((190, 0.5, 0.38), (330, 0.45, 0.36))),
    "wall": Material(((30, 0.20, 0.46),), ((350, 0.28, 0.40), (182, 0.18, 0.50), (62, 0.28, 0.58)),
                     cycles=(0.9, 2.0), amplitude=(0.10, 0.26), grain=0.07),
    "fence": Material(((105, 0.26, 0.30), (24, 0.48, 0.42)), ((202, 0.34, 0.54), (352, 0.5, 0.38), (52, 0.12, 0.76)),
                      cycles=(2.4, 0.6), amplitude=(0.10, 0.30)),
    "pole": Material(((0, 0.0, 0.42),), ((200, 0.36, 0.28), (30, 0.4, 0.34), (122, 0.22, 0.58)), scale=0.7),
    "box": Material(((55, 0.25, 0.13),), ((100, 0.3, 0.26), (45, 0.6, 0.45)), scale=0.5),
    "lamp": Material(((355, 0.85, 0.98), (140, 0.8, 0.92), (40, 0.85, 1.0)), ((355, 0.6, 0.9), (160, 0.6, 0.85)),
                     grain=0.0),
    "sign": Material(((214, 0.85, 0.80), (0, 0.82, 0.82), (50, 0.85, 0.95)), ((185, 0.5, 0.55), (18, 0.5, 0.6),
                     (300, 0.3, 0.6)), scale=0.5, grain=0.02),
    "symbol": Material(((0, 0.0, 0.96),), ((50, 0.15, 0.85),), grain=0.0),
    "vegetation": Material(((112, 0.56, 0.40), (98, 0.5, 0.44)), ((30, 0.66, 0.44), (70, 0.55, 0.25),
                           (162, 0.40, 0.35)), scale=0.75, cycles=(1.6, 1.6), amplitude=(0.10, 0.28), grain=0.14,
                           bend=0.3),
    "trunk": Material(((25, 0.45, 0.28),), ((210, 0.12, 0.34), (35, 0.2, 0.5)), grain=0.06),
    "skin": Material(((22, 0.42, 0.85), (22, 0.5, 0.5)), grain=0.01),
    "hair": Material(((25, 0.6, 0.2), (40, 0.4, 0.5)), ((0, 0.0, 0.6), (350, 0.5, 0.4)), grain=0.02),
    "coat": Material(((0, 0.7, 0.7), (220, 0.6, 0.6), (0, 0.0, 0.88), (280, 0.4, 0.5), (130, 0.45, 0.5)),
                     ((142, 0.28, 0.28), (272, 0.32, 0.42), (36, 0.24, 0.80), (20, 0.6, 0.4)), scale=0.6, spread=0.14,
                     cycles=(2.0, 2.4), amplitude=(0.0, 0.12)),
    "trousers": Material(((225, 0.5, 0.35), (30, 0.2, 0.3), (0, 0.0, 0.2)), ((35, 0.3, 0.55), (100, 0.2, 0.3))),
    "jersey": Material(((45, 0.85, 0.95), (330, 0.7, 0.85), (175, 0.7, 0.75), (80, 0.8, 0.9)),
                       ((220, 0.35, 0.5), (15, 0.5, 0.5), (95, 0.35, 0.42)), scale=0.6, spread=0.12,
                       amplitude=(0.0, 0.12)),
    "helmet": Material(((0, 0.75, 0.85), (0, 0.0, 0.92), (215, 0.6, 0.7)), ((45, 0.5, 0.6), (160, 0.4, 0.5))),
    "bicycle": Material(((185, 0.6, 0.5), (345, 0.6, 0.5), (60, 0.1, 0.3)), ((30, 0.5, 0.45), (250, 0.35, 0.5)),
                        scale=0.6),
    "spokes": Material(((210, 0.12, 0.56),), ((35, 0.2, 0.45), (150, 0.15, 0.6)), cycles=(5.0, 5.0),
                       amplitude=(0.08, 0.15)),
    "motorcycle": Material(((355, 0.8, 0.5), (225, 0.75, 0.42), (35, 0.9, 0.65)), ((155, 0.5, 0.36), (300, 0.35, 0.4)),
                           scale=0.6),
    "tyre": Material(((0, 0.0, 0.10),), ((25, 0.15, 0.18),), grain=0.02),
    "car": Material(_PAINT, ((162, 0.45, 0.40), (44, 0.5, 0.58), (292, 0.32, 0.40)), scale=0.45, grain=0.015),
    "glass": Material(((205, 0.4, 0.24),), ((35, 0.2, 0.34), (205, 0.2, 0.62)), grain=0.01),
    "tail": Material(((358, 0.9, 0.8),), ((340, 0.7, 0.55),), grain=0.0),
    "headlight": Material(((50, 0.12, 0.98),), ((50, 0.3, 0.8),), grain=0.0),
    "truck": Material(((28, 0.75, 0.82), (0, 0.0, 0.80), (120, 0.45, 0.45)), ((78, 0.5, 0.55), (332, 0.36, 0.58)),
                      scale=0.55, cycles=(0.8, 0.5), amplitude=(0.04, 0.14), grain=0.02),
    "bus": Material(((2, 0.8, 0.68), (48, 0.85, 0.88)), ((186, 0.55, 0.55), (275, 0.4, 0.5)), scale=0.55,
                    cycles=(0.35, 0.5), amplitude=(0.02, 0.12), grain=0.02),
    "train": Material(((150, 0.6, 0.42), (150, 0.15, 0.75)), ((15, 0.62, 0.62), (232, 0.5, 0.55)), scale=0.6,
                      cycles=(0.4, 0.6), amplitude=(0.04, 0.16), grain=0.02),
    "bonnet": Material(((215, 0.15, 0.22), (0, 0.0, 0.5), (205, 0.4, 0.35)), grain=0.01),
}  # fmt: skip


def to_rgb(colour: HSV) -> RGB:
    """RGB in 0-1; saturation and value are clipped."""
    hue, saturation, value = colour
    return colorsys.hsv_to_rgb((hue % 360) / 360, min(max(saturation, 0.0), 1.0), min(max(value, 0.02), 1.0))
