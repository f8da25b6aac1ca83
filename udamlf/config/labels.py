"""Classes, ids, palettes and the ignore value: the only module that knows them.

A ``LabelSpace`` is the set of classes a scenario trains and reports. A label file holds *raw ids* of its data set;
``lookup_table`` turns the data set's ``{raw id: class name}`` into train ids (positions in the LabelSpace)."""

from collections.abc import Mapping
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field

import numpy as np

IGNORE = 255
"""Train id of a pixel that is left out of every loss and every score."""


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a scenario.

    Attributes:
        classes: class names; the position is the train id and the output channel of a network.
        palette: one RGB colour (0-255) per class.
        subsets: reported subsets, name -> class names; the first is the headline. By default all classes.
        not_in_source: classes of the target data set that the source lacks: no output channel, ignored in the
            ground truth, shown as "not in source" and never averaged.
        rare: classes that IntraDA's normalised ranking counts as rare.
        coarser: class of a data set -> the class of this space that it is part of.
    """

    name: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    not_in_source: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()
    coarser: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "subsets", self.subsets or {str(self.num_classes): self.classes})

    @property
    def num_classes(self) -> int:
        """Number of output channels."""
        return len(self.classes)

    @property
    def headline(self) -> str:
        """Name of the subset a single number refers to."""
        return next(iter(self.subsets))

    def indices(self, subset: str) -> list[int]:
        """Train ids of the classes of ``subset``."""
        return [self.classes.index(name) for name in self.subsets[subset]]


CITYSCAPES_CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic_light", "traffic_sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
_CITYSCAPES_COLOURS = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30),
    (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142),
    (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
_NOT_IN_SYNTHIA = ("terrain", "truck", "train")
_SIXTEEN = tuple(c for c in CITYSCAPES_CLASSES if c not in _NOT_IN_SYNTHIA)
_THIRTEEN = tuple(c for c in _SIXTEEN if c not in ("wall", "fence", "pole"))
# IntraDA's list holds every rare class but the bicycle; for 16 classes the same names that exist (intrada.md, 3).
_RARE = ("wall", "fence", "pole", "traffic_light", "traffic_sign", "terrain", "rider", "truck", "bus", "train",
         "motorcycle")  # fmt: skip

CITYSCAPES_19 = LabelSpace(
    "cityscapes19", CITYSCAPES_CLASSES, _CITYSCAPES_COLOURS,
    {"19": CITYSCAPES_CLASSES, "16": _SIXTEEN, "13": _THIRTEEN}, rare=_RARE,
)  # fmt: skip


def _of_cityscapes(name: str, classes: tuple[str, ...], subsets: Mapping[str, tuple[str, ...]]) -> LabelSpace:
    """Some of Cityscapes' classes, for SYNTHIA as the source."""
    colours = tuple(c for n, c in zip(CITYSCAPES_CLASSES, _CITYSCAPES_COLOURS, strict=True) if n in classes)
    missing = tuple(name for name in _NOT_IN_SYNTHIA if name not in classes)
    return LabelSpace(name, classes, colours, subsets, missing, tuple(c for c in _RARE if c in classes))


CITYSCAPES_16 = _of_cityscapes("cityscapes16", _SIXTEEN, {"16": _SIXTEEN, "13": _THIRTEEN})
CITYSCAPES_13 = _of_cityscapes("cityscapes13", _THIRTEEN, {"13": _THIRTEEN})
# IAST and HIAST train 19 outputs on SYNTHIA too, where three classes practically never occur (iast.md 2.3).
SYNTHIA_19 = _of_cityscapes("synthia19", CITYSCAPES_CLASSES, {"16": _SIXTEEN, "13": _THIRTEEN})
ROBOTCAR_9 = LabelSpace(
    "robotcar9",
    ("sky", "person", "two_wheeler", "automobile", "traffic_sign", "traffic_light", "building", "sidewalk", "road"),
    ((70, 130, 180), (220, 20, 60), (119, 11, 32), (0, 0, 142), (220, 220, 0), (250, 170, 30), (70, 70, 70),
     (244, 35, 232), (128, 64, 128)),
    rare=("person", "two_wheeler", "traffic_sign", "traffic_light"),
    coarser={"rider": "person", "motorcycle": "two_wheeler", "bicycle": "two_wheeler", "car": "automobile",
             "truck": "automobile", "bus": "automobile"},
)  # fmt: skip
_CAMVID = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign_symbol", "fence", "car", "pedestrian", "bicyclist",
)  # fmt: skip
# Also without the two that are too rare in small sets (KITTI's dev: 0.2 % of the pixels) for an IoU to mean much.
CAMVID_11 = LabelSpace(
    "camvid11", _CAMVID,
    ((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128),
     (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    {"11": _CAMVID, "9": tuple(c for c in _CAMVID if c not in ("pedestrian", "bicyclist"))},
    rare=("pole", "sign_symbol", "fence", "pedestrian", "bicyclist"),
    coarser={"sidewalk": "pavement", "parking": "pavement", "wall": "building", "bridge": "building",
             "tunnel": "building", "polegroup": "pole", "vegetation": "tree", "terrain": "tree",
             "traffic_light": "sign_symbol", "traffic_sign": "sign_symbol", "guard_rail": "fence", "truck": "car",
             "bus": "car", "caravan": "car", "trailer": "car", "train": "car", "person": "pedestrian",
             "rider": "bicyclist", "motorcycle": "bicyclist", "bicycle": "bicyclist"},
)  # fmt: skip
_SPACES = (CITYSCAPES_19, CITYSCAPES_16, CITYSCAPES_13, SYNTHIA_19, ROBOTCAR_9, CAMVID_11)
LABEL_SPACES = {space.name: space for space in _SPACES}


def distinct_colours(count: int) -> tuple[tuple[int, int, int], ...]:
    """``count`` different RGB colours, none of them black, which stands for an ignored pixel: hues a golden section of
    the circle apart, in three brightnesses."""
    hues = [(number * 0.618034) % 1.0 for number in range(count)]
    return tuple(
        tuple(round(255 * part) for part in hsv_to_rgb(hue, 0.75, (1.0, 0.75, 0.5)[number % 3]))  # type: ignore[misc]
        for number, hue in enumerate(hues)
    )


def lookup_table(raw_classes: Mapping[int, str], space: LabelSpace) -> np.ndarray:
    """Train id of each raw id 0-255, uint8 [256]; ``IGNORE`` for an id that the data set does not name, or whose class
    is not in ``space``, not even as a part of a coarser one."""
    table = np.full(256, IGNORE, np.uint8)
    for raw, name in raw_classes.items():
        name = space.coarser.get(name, name)
        if name in space.classes:
            table[raw] = space.classes.index(name)
    return table
