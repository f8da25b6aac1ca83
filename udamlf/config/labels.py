"""Classes, ids, palettes and the ignore value: the only module that knows them. A label file holds *raw ids* of its
data set; ``lookup_table`` turns them into train ids (positions in a ``LabelSpace``)."""

import json
from collections import Counter
from collections.abc import Mapping
from colorsys import hsv_to_rgb
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from udamlf.common.errors import UserError, nearest
from udamlf.config.parts import Strict
from udamlf.config.reading import table

IGNORE = 255  # train id of a pixel that is left out of every loss and every score
Grey = Annotated[int, Field(ge=0, lt=256)]


def _three(colour: Any) -> Any:
    if not isinstance(colour, list | tuple) or len(colour) != 3:
        raise ValueError("a colour is [red, green, blue], 0-255 each; in YAML # begins a comment")
    return colour


Colour = Annotated[tuple[Grey, Grey, Grey], BeforeValidator(_three)]  # red, green, blue
Name = Annotated[str, Field(pattern=r"^[\w.-][\w .-]*$")]  # what MLflow takes as a part of a parameter's name


@dataclass(frozen=True)
class LabelSpace:
    """The classes of a scenario."""

    name: str
    classes: tuple[str, ...]  # the position is the train id and the output channel of a network
    palette: tuple[Colour, ...]  # one for each class
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # reported; the first is the headline
    # Of the target's data set: no output channel, ignored in the truth, shown as "not in source", never averaged.
    not_in_source: tuple[str, ...] = ()
    rare: tuple[str, ...] = ()  # by IntraDA's normalised ranking
    coarser: Mapping[str, str] = field(default_factory=dict)  # class of a data set -> the one that it is part of

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


class CustomSpace(Strict):
    """A label space as a file describes it; see ``LabelSpace``. Colours are made where there are none."""

    classes: tuple[Name, ...] = Field(min_length=2, max_length=IGNORE)
    colours: tuple[Colour, ...] = ()
    subsets: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field({})
    not_in_source: tuple[Name, ...] = ()
    rare: tuple[str, ...] = ()
    coarser: dict[Name, str] = Field({})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        twice = [name for name, count in Counter((*self.classes, *self.not_in_source)).items() if count > 1]
        if twice:
            raise ValueError(f"class {twice[0]!r} stands there twice")
        if self.colours and len(self.colours) != len(self.classes):
            raise ValueError(f"{len(self.colours)} colours for {len(self.classes)} classes")
        named = {*self.rare, *self.coarser.values(), *(name for names in self.subsets.values() for name in names)}
        if unknown := sorted(named - set(self.classes)):
            raise ValueError(f"{unknown[0]!r} is none of the classes; {nearest(unknown[0], self.classes)}")
        return self

    def space(self, name: str = "") -> LabelSpace:
        """The label space; without a name its classes are it: two scenarios with the same ones share their networks."""
        colours = self.colours or distinct_colours(len(self.classes))
        fields = {key: value for key, value in self if key != "colours"}
        return LabelSpace(name or ",".join(self.classes), palette=colours, **fields)


SpaceRef = Annotated[
    Annotated[str, Tag("Name")] | Annotated[CustomSpace, Tag("CustomSpace")],
    Discriminator(lambda space: "Name" if isinstance(space, str) else "CustomSpace"),
]
"""A label space's name, or its description."""


def find_space(space: str | CustomSpace) -> LabelSpace:
    """The label space of a scenario (its name, or its description), or of a run's tag. UserError: unknown name."""
    if isinstance(space, CustomSpace):
        return space.space()
    if space in LABEL_SPACES:
        return LABEL_SPACES[space]
    try:
        return CustomSpace(**json.loads(space)).space()
    except (ValueError, TypeError, ValidationError) as error:
        raise UserError(f"unknown label space {space!r}", "", nearest(space, list(LABEL_SPACES))) from error


def space_tag(space: str | CustomSpace) -> str:
    """A scenario's label space as the text of a tag, from which ``find_space`` finds it."""
    return space if isinstance(space, str) else space.model_dump_json()


def distinct_colours(count: int) -> tuple[Colour, ...]:
    """``count`` RGB colours, none of them black: hues a golden section of the circle apart, in three brightnesses."""
    colours = (hsv_to_rgb(number * 0.618034 % 1.0, 0.75, (1.0, 0.75, 0.5)[number % 3]) for number in range(count))
    return tuple((round(255 * red), round(255 * green), round(255 * blue)) for red, green, blue in colours)


def lookup_table(raw_classes: Mapping[int, str], space: LabelSpace) -> np.ndarray:
    """Train id of each raw id 0-255, uint8 [256]; ``IGNORE`` for one without a name, or of a class not in ``space``."""
    table = np.full(256, IGNORE, np.uint8)
    for raw, name in raw_classes.items():
        name = space.coarser.get(name, name)
        if name in space.classes:
            table[raw] = space.classes.index(name)
    return table


LABEL_SPACES = {name: CustomSpace(**fields).space(name) for name, fields in table("label_spaces").items()}
# For code and tests to import; the file may hold more.
CITYSCAPES_19, CITYSCAPES_16, CITYSCAPES_13 = (LABEL_SPACES[f"cityscapes{number}"] for number in (19, 16, 13))
SYNTHIA_19, ROBOTCAR_9, CAMVID_11 = (LABEL_SPACES[name] for name in ("synthia19", "robotcar9", "camvid11"))
CITYSCAPES_CLASSES = CITYSCAPES_19.classes
