"""Data sets that a scenario file describes itself, with no Python: folders of images."""

import re
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from udamlf.config.labels import IGNORE, Colour, Grey, Name
from udamlf.config.parts import Strict

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
