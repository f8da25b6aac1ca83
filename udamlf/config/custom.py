"""What a scenario file may describe itself, with no Python: data sets that are folders of images, and a label space."""

import json
import re
from collections import Counter
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from udamlf.common.errors import UserError, nearest
from udamlf.config.labels import IGNORE, LABEL_SPACES, LabelSpace, distinct_colours
from udamlf.config.parts import Strict

Grey = Annotated[int, Field(ge=0, lt=256)]
Colour = tuple[Grey, Grey, Grey]
"""Red, green, blue."""
Name = Annotated[str, Field(pattern=r"^[\w.-][\w .-]*$")]  # what MLflow takes as a part of a parameter's name
Paths = Annotated[str, Field(pattern=r"^[^/?{}\[\]][^?{}\[\]]*$")]
_WILDCARDS = re.compile(r"\*(.*\*)?")


class FolderData(Strict):
    """A data set: images and labels in the folder of its name under the data root.

    Attributes:
        images: glob of the image files (``images/*.jpg``, ``*/rgb/*.png``, ``images/**/*.png``). What stands from the
            first to the last wildcard is a frame's name.
        labels: the label files, with the same wildcards (``masks/*.png``); none = no frame has a label.
        ids: raw id in a label file -> class; a list counts from 0. A class that the label space does not have is
            ignored.
        void: further ids that occur, of no class.
        colours: class -> its colour, where labels are coloured pictures; then there are no ids.
        home: where the data set is to be had.
    """

    images: Paths
    labels: Paths | None = None
    ids: dict[Grey, Name] = Field({})
    void: tuple[Grey, ...] = (IGNORE,)
    colours: dict[Name, Colour] = Field({})
    home: str = "who made the scenario"

    @field_validator("ids", mode="before")
    @classmethod
    def _numbered(cls, ids: Any) -> Any:
        return dict(enumerate(ids)) if isinstance(ids, list) else ids

    @field_validator("void", mode="before")
    @classmethod
    def _several(cls, void: Any) -> Any:
        return [void] if isinstance(void, int) else void

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not _WILDCARDS.search(self.images):
            raise ValueError("`images` is a glob, e.g. images/*.jpg")
        if self.labels is not None and self._wildcards(self.labels) != self._wildcards(self.images):
            raise ValueError("`labels` has the wildcards of `images`, which stand for a frame's name")
        if self.labels is not None and bool(self.ids) == bool(self.colours):
            raise ValueError("labels need either `ids` or `colours` of their classes")
        if len(set(self.colours.values())) < len(self.colours):
            raise ValueError("`colours` are one for each class")
        return self

    @staticmethod
    def _wildcards(paths: str) -> str:
        match = _WILDCARDS.search(paths)
        return match.group() if match else ""

    @property
    def names(self) -> str:
        """Glob of the frames' names."""
        return self._wildcards(self.images)

    @property
    def raw_classes(self) -> dict[int, str]:
        """Raw id -> class; a colour's raw id is its position."""
        return self.ids or dict(enumerate(self.colours))


def template(paths: str) -> str:
    """A glob of files as a path with a place for {name}."""
    return _WILDCARDS.sub("{name}", paths, count=1)


class CustomSpace(Strict):
    """A label space; see ``LabelSpace``. Colours are made where there are none."""

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
        unknown = sorted(named - set(self.classes))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of the classes")
        return self

    def space(self) -> LabelSpace:
        """The label space, with its classes as its name: two scenarios with the same classes share their networks."""
        return LabelSpace(
            name=",".join(self.classes),
            classes=self.classes,
            palette=self.colours or distinct_colours(len(self.classes)),
            subsets=self.subsets,
            not_in_source=self.not_in_source,
            rare=self.rare,
            coarser=self.coarser,
        )


SpaceRef = Annotated[
    Annotated[str, Tag("Name")] | Annotated[CustomSpace, Tag("CustomSpace")],
    Discriminator(lambda described: "Name" if isinstance(described, str) else "CustomSpace"),
]
"""A label space's name, or its description."""


def find_space(described: str | CustomSpace) -> LabelSpace:
    """The label space of a scenario (its name, or its description), or of a run's tag. UserError: unknown name."""
    if isinstance(described, CustomSpace):
        return described.space()
    if described in LABEL_SPACES:
        return LABEL_SPACES[described]
    try:
        return CustomSpace(**json.loads(described)).space()
    except (ValueError, TypeError, ValidationError) as error:
        raise UserError(f"unknown label space {described!r}", "", nearest(described, list(LABEL_SPACES))) from error


def space_tag(described: str | CustomSpace) -> str:
    """A scenario's label space as the text of a tag, from which ``find_space`` finds it."""
    return described if isinstance(described, str) else described.model_dump_json()
