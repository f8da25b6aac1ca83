"""From surface ids to an image: colour, pattern, light, haze, and the camera, each one vectorised pass.

Arrays are float32 in 0-1 [2H, 2W]; a colour image is a list of three planes, R, G, B."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from udamlf.common.seeding import rng
from udamlf.miniature.canvas import COLUMNS, FRAME_HW, GROUND, SIDE, SKY, Canvas, Dice
from udamlf.miniature.street import Street

_TILE = 512
_STAIN_PER_M, _BLOB_PER_M = 26.0, 9.0  # tile pixels per metre
Planes = list[np.ndarray]


@lru_cache(maxsize=1)
def _smooth_tile() -> np.ndarray:
    """Periodic smooth noise, zero mean and unit variance, flat [_TILE * _TILE]."""
    generator = rng(0, "miniature", "tile")
    total = np.zeros((_TILE, _TILE))
    for sigma, weight in ((5, 0.35), (12, 0.7), (28, 1.0)):
        white = np.tile(generator.standard_normal((_TILE, _TILE)), (3, 3))
        noise = cv2.GaussianBlur(white, (0, 0), sigma)[_TILE : 2 * _TILE, _TILE : 2 * _TILE]
        total += weight * (noise - noise.mean()) / noise.std()
    return ((total - total.mean()) / total.std()).astype(np.float32).ravel()


@lru_cache(maxsize=1)
def _white_tile() -> np.ndarray:
    """White noise [1024, 1024], unit variance."""
    return rng(0, "miniature", "white").standard_normal((1024, 1024)).astype(np.float32)


def _white(dice: Dice, shape: tuple[int, int]) -> np.ndarray:
    tile = _white_tile()
    y, x = (int(dice.unit() * (tile.shape[i] - shape[i])) for i in (0, 1))
    return tile[y : y + shape[0], x : x + shape[1]]


def _smooth(u: np.ndarray, v: np.ndarray, per_m: float, offset_u: np.ndarray | float, offset_v: float) -> np.ndarray:
    """Smooth noise at world position (u, v) metres; offsets in tiles."""
    column = (u * per_m + offset_u).astype(np.int32) & (_TILE - 1)
    row = (v * per_m + offset_v).astype(np.int32) & (_TILE - 1)
    return np.take(_smooth_tile(), row * _TILE + column)


def _wave(position: np.ndarray) -> np.ndarray:
    """Square-ish wave of period 1, range -1 to 1."""
    phase = position - np.floor(position)
    return np.clip((np.abs(phase - 0.5) - 0.25) * 9.0, -1.0, 1.0)


@dataclass(frozen=True)
class _Surfaces:
    """Columns of the canvas's surface table (see ``Canvas.surface``) and their lookup per pixel."""

    ids: np.ndarray
    columns: np.ndarray  # [19, surfaces] float32

    def __getitem__(self, name: str) -> np.ndarray:
        """Per-pixel values of a column, float32 [2H, 2W]."""
        return self.look(self.column(name))

    def column(self, name: str) -> np.ndarray:
        """Per-surface values."""
        return self.columns[COLUMNS.index(name)]

    def look(self, values: np.ndarray) -> np.ndarray:
        """Per-pixel values of any per-surface array."""
        return np.take(values, self.ids, mode="clip")


def render(c: Canvas, street: Street) -> np.ndarray:
    """The finished frame, uint8 RGB [H, W, 3]."""
    style, dice = c.style, c.dice
    surfaces = _Surfaces(c.ids, np.array(c.rows, np.float32).T.copy())
    height, width = c.ids.shape
    xs = ((np.arange(width, dtype=np.float32) - c.camera.centre) / c.camera.focal)[None, :]
    ys = ((np.arange(height, dtype=np.float32) - c.camera.horizon) / c.camera.focal)[:, None]
    depth = 1.0 / np.maximum(surfaces["plane_x"] * xs + surfaces["plane_y"] * ys + surfaces["plane_1"], 1e-3)
    kind = surfaces["kind"]
    u = np.where(kind == SIDE, depth, depth * xs)
    v = np.where(kind == GROUND, depth, c.camera.height - depth * ys)

    stain = _smooth(u, v, _STAIN_PER_M, surfaces["phase_u"] * _TILE, 0.0)
    novelty = surfaces["novelty"]
    novelty += surfaces["field"] * stain
    np.clip(novelty, 0.0, 1.3, out=novelty)
    pattern = _pattern(surfaces, [u, v, depth], stain, novelty, c.camera.focal)
    texture = dice.uniform(*style.texture)
    pattern += surfaces["grain"] * np.float32(0.25 + texture) * _white(dice, c.ids.shape)
    pattern += 1.0
    image = []
    for channel in "rgb":
        game, new = surfaces.column(f"game_{channel}"), surfaces.column(f"new_{channel}")
        plane = surfaces.look(new - game)
        plane *= novelty
        plane += surfaces.look(game)
        plane *= pattern
        image.append(plane)
    _light(image, c, xs, [u, v, depth], kind == SKY)
    _haze(image, depth, dice.uniform(*style.haze), c)
    if dice.chance(style.wet):
        _mirror(image, c, street, depth * xs, dice.uniform(0.15, 0.4))
    return _expose(image, dice, dice.uniform(*style.camera), texture)


def _pattern(surfaces: _Surfaces, world: Planes, stain: np.ndarray, novelty: np.ndarray, focal: float) -> np.ndarray:
    """Two square-ish waves in world coordinates, bent where the material says so; mean zero."""
    u, v, depth = world
    cycles = surfaces["cycle_u"], surfaces["cycle_v"]
    amplitude = surfaces["weak"] + np.minimum(novelty, 1.0) * surfaces.look(
        surfaces.column("strong") - surfaces.column("weak")
    )
    # Fades out where one cycle covers fewer than about 4 pixels: no aliasing far away.
    amplitude *= np.clip(1.5 - 6.0 * depth * np.maximum(*cycles) / focal, 0.0, 1.0)
    bend = surfaces["bend"] * stain
    waves = _wave((v + bend) * cycles[1] + surfaces["phase_v"])
    waves += _wave((u + bend) * cycles[0] + surfaces["phase_u"])
    waves *= amplitude
    return waves


def _light(image: Planes, c: Canvas, xs: np.ndarray, world: Planes, is_sky: np.ndarray) -> None:
    """Cast shadows in world coordinates (bluish) and a low sun from one side (warm, stronger nearby)."""
    dice, strength = c.dice, c.dice.uniform(*c.style.light)
    if strength == 0:
        return
    u, v, depth = world
    blobs = _smooth(u, v, _BLOB_PER_M, dice.unit() * _TILE, dice.unit() * _TILE)
    deepest = strength * dice.uniform(0.25, 0.52)
    shade = np.clip((blobs - dice.uniform(0.1, 0.8)) * 3.0, 0.0, 1.0)
    shade *= deepest
    sun = strength * dice.uniform(-0.42, 0.42) * (1.2 * xs) * np.exp(depth * (-1 / 25.0))
    shade[is_sky] = 0.0
    sun[is_sky] = 0.0
    for plane, share, warm in zip(image, (1.0, 0.96, 0.82), (1.15, 1.0, 0.75), strict=True):
        plane *= 1.0 - share * shade
        plane *= 1.0 + warm * sun


def _haze(image: Planes, depth: np.ndarray, density: float, c: Canvas) -> None:
    clear = np.exp(np.minimum(depth, 150.0) * -density)
    first = dict(zip(COLUMNS, c.rows[0], strict=True))  # the sky
    sky = np.array([first[f"game_{i}"] + first["novelty"] * (first[f"new_{i}"] - first[f"game_{i}"]) for i in "rgb"])
    for plane, colour in zip(image, 0.5 * sky + 0.4, strict=True):
        plane -= np.float32(colour)
        plane *= clear
        plane += np.float32(colour)


def _mirror(image: Planes, c: Canvas, street: Street, across: np.ndarray, share: float) -> None:
    """A wet road mirrors what stands above the horizon."""
    height = c.ids.shape[0]
    horizon = int(c.camera.horizon)
    kind = COLUMNS.index("kind")
    is_ground = np.array([row[kind] == GROUND for row in c.rows])
    rows = np.arange(horizon + 1, height)
    wet = is_ground[c.ids[rows]] & (across[rows] > street.kerb[0]) & (across[rows] < street.kerb[1])
    weight = np.float32(share) * wet
    for plane in image:
        above = plane[np.maximum(2 * horizon - rows, 0)]
        plane[rows] += weight * (above - plane[rows])


def _expose(image: Planes, dice: Dice, strength: float, texture: float) -> np.ndarray:
    """The camera: area downsampling, blur, colour matrix, gain, vignette, gamma, contrast, sensor noise."""
    height, width = FRAME_HW
    small = np.stack([cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in image])
    if strength > 0:
        sigma = 1.6 * strength * dice.unit()
        if sigma > 0.15:
            small = np.stack([cv2.GaussianBlur(p, (0, 0), sigma) for p in small])
        matrix = np.eye(3) + 0.13 * strength * np.array([dice.normal() for _ in range(9)]).reshape(3, 3)
        matrix *= np.exp(0.28 * strength * dice.normal())
        small = np.tensordot(matrix.astype(np.float32), small, 1)
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]  # type: ignore[misc]
        small *= (1.0 - 0.5 * strength * dice.unit() * (x * x + y * y) / 2).astype(np.float32)
        small = np.clip(small, 0.0, 1.5) ** np.float32(np.exp(0.28 * strength * dice.normal()))
        small = (small - 0.5) * np.float32(1.0 - 0.4 * strength * dice.unit()) + np.float32(0.5)
    noise = 0.008 + 0.015 * strength + 0.003 * texture
    small = small + np.float32(noise) * np.stack([_white(dice, (height, width)) for _ in range(3)])
    return np.clip(small.transpose(1, 2, 0) * 255.0 + 0.5, 0, 255).astype(np.uint8)
