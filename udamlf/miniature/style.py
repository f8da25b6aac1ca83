"""The knobs of a domain: how its streets are laid out, how far its surfaces look new, what light and camera do.

Gap W of the prototype: the gap between ``GAME`` and ``CAMERA`` is a continuum of appearance per object and within
objects, local light and layout; its global (photometric) part is mild, so that statistics of a whole image cannot
undo it and good pseudo-labels are worth something."""

from dataclasses import dataclass, field, replace

Range = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Geometry of the street and what stands on it. Metres; counts are means of a Poisson draw, others chances."""

    camera_height: Range = (1.7, 2.2)
    focal: Range = (0.80, 0.95)  # of the image width
    horizon: Range = (0.40, 0.47)  # of the image height
    road_half_width: Range = (5.2, 7.5)
    sidewalk: Range = (2.0, 3.6)
    frontage: dict[str, float] = field(
        default_factory=lambda: {"building": 0.52, "wall": 0.12, "fence": 0.17, "trees": 0.11, "open": 0.08}
    )
    cars: float = 2.6
    parked: float = 0.25  # chance per kerb slot
    trucks: float = 0.34
    buses: float = 0.32
    trains: float = 0.22
    motorcycles: float = 0.42
    bicycles: float = 0.40
    people: float = 2.6
    trees: float = 0.35  # chance per kerb slot
    lights: float = 1.1
    signs: float = 1.1
    bonnet: float = 0.0
    ribbon_windows: float = 0.0
    conifers: float = 0.0


@dataclass(frozen=True)
class Style:
    """A domain. ``novelty`` is the upper end of t ~ U(0, novelty) * scale of the material: 0 source, 1 new look."""

    name: str
    layout: Layout = Layout()
    novelty: float = 0.0
    novelty_field: float = 0.0  # amplitude of the change of t within an object
    hue_shift: float = 0.0  # degrees, on every new look
    value_scale: float = 1.0  # on every new look
    light: Range = (0.0, 0.0)  # strength of cast shadows and low sun
    wet: float = 0.0  # chance of a wet road
    camera: Range = (0.0, 0.0)
    texture: Range = (0.0, 0.0)
    haze: Range = (0.0005, 0.003)  # 1/m
    terrain_label: str = "terrain"


_TARGET_LAYOUT = Layout(
    camera_height=(1.2, 1.5),
    road_half_width=(3.6, 5.2),
    sidewalk=(1.8, 3.2),
    frontage={"building": 0.53, "wall": 0.12, "fence": 0.17, "trees": 0.10, "open": 0.08},
    cars=2.0,
    parked=0.38,
    trucks=0.26,
    buses=0.24,
    trains=0.20,
    motorcycles=0.52,
    bicycles=0.6,
    people=2.6,
    trees=0.35,
    lights=1.2,
    signs=1.7,
    bonnet=0.7,
    ribbon_windows=0.45,
    conifers=0.27,
)

GAME = Style("game")
GAME_SYNTHIA = Style(
    "game-synthia",
    layout=replace(
        Layout(), camera_height=(1.6, 3.0), horizon=(0.36, 0.48), trucks=0.0, trains=0.0, people=3.6, bicycles=0.5
    ),
    haze=(0.0005, 0.002),
    terrain_label="vegetation",
)
CAMERA = Style(
    "camera",
    layout=_TARGET_LAYOUT,
    novelty=0.85,
    novelty_field=0.4,
    light=(0.0, 1.0),
    wet=0.3,
    camera=(0.0, 0.30),
    texture=(0.0, 0.8),
    haze=(0.001, 0.006),
)
CAMERA_RAIN = replace(
    CAMERA,
    name="camera-rain",
    layout=replace(_TARGET_LAYOUT, camera_height=(1.4, 1.8), trains=0.0, bonnet=0.0, people=3.0),
    hue_shift=30.0,
    value_scale=0.9,
    light=(0.0, 0.6),
    wet=0.7,
    camera=(0.1, 0.4),
    haze=(0.003, 0.010),
)
