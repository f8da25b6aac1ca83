"""The contract of a data set: one file per layout in this folder, found by its name.

A data set lists its frames and reads and writes its official raw format; train ids are positions in a LabelSpace.
Any data set may carry ``lists/<split>.txt`` (one frame name per line) that defines a split; without one its official
rule holds.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from udamlf.data.labels import IGNORE, LabelSpace, lookup_table
from udamlf.data.raster import image_size_hw, read_rgb, write_rgb
from udamlf.errors import UserError, nearest
from udamlf.files import digest_json, write_text


@dataclass(frozen=True)
class Sample:
    """One frame: its name within the data set, its image file, its label file where there is one."""

    name: str
    image: Path
    label: Path | None


class DataSet(ABC):
    """Reads and writes one official layout.

    Attributes:
        name: module name of the data set.
        folder: sub-folder of the data root.
        home: where the data set is to be had.
        raw_classes: raw id in a label file -> class name.
        known_ids: every legal raw id; any other one is an error.
        void_id: raw id written for an ignored pixel.
    """

    name: ClassVar[str]
    folder: ClassVar[str]
    home: ClassVar[str]
    raw_classes: ClassVar[Mapping[int, str]]
    known_ids: ClassVar[frozenset[int]]
    void_id: ClassVar[int] = 0

    # --- what a layout defines -----------------------------------------------------------------------------------

    @abstractmethod
    def official_names(self, root: Path, split: str) -> list[str] | None:
        """Frame names of an official split of the data set at ``root``; None: there is no official rule for it."""

    @abstractmethod
    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """Image and label path of a frame, existing or not; ``split`` places a frame that is about to be written."""

    @abstractmethod
    def read_raw(self, path: Path) -> np.ndarray:
        """Raw ids of a label file, uint8 or uint16 [H, W]. UserError when the file is not in the official format."""

    @abstractmethod
    def write_raw(self, path: Path, raw: np.ndarray) -> None:
        """Write raw ids (uint8 [H, W]) in the official format."""

    def prediction_name(self, sample: Sample) -> str:
        """File name of a mask in a submission: the label's official name."""
        return self.locate(Path(), sample.name, "test")[1].name

    # --- listing --------------------------------------------------------------------------------------------------

    def samples(self, data_root: Path, split: str, require_labels: bool = False) -> list[Sample]:
        """Frames of ``split``, sorted by name.

        Raises:
            UserError: the folder is missing or empty, the split is unknown, a listed image is missing, or, with
                ``require_labels``, an image has no label.
        """
        root = self._checked_root(Path(data_root))
        names = self._names(root, split)
        samples = [self._sample(root, name, split) for name in sorted(names)]
        missing = [s for s in samples if s.label is None] if require_labels else []
        if missing:
            expected = self.locate(root, missing[0].name, split)[1]
            raise UserError(
                f"image without label: {missing[0].image} ({len(missing)} of {len(samples)} in split {split!r})",
                f"a label file {expected}",
                f"download the labels of {self.name} from {self.home}",
            )
        return samples

    def _checked_root(self, data_root: Path) -> Path:
        root = data_root / self.folder
        if not root.is_dir():
            there = sorted(p.name for p in data_root.iterdir()) if data_root.is_dir() else None
            found = "nothing, it does not exist" if there is None else ", ".join(there[:8]) or "nothing, it is empty"
            raise UserError(
                f"no data set {self.name}: looked for the folder {root}; {data_root} holds {found}",
                f"{self.name} in its official layout",
                f"get it from {self.home} and place or link it at {root}",
            )
        return root

    def _names(self, root: Path, split: str) -> list[str]:
        path = root / "lists" / f"{split}.txt"
        if path.is_file():
            names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise UserError(f"{path} lists {twice!r} twice", "one frame name per line, each once")
            where = str(path)
        else:
            official = self.official_names(root, split)
            if official is None:
                raise UserError(
                    f"{self.name} has no split {split!r}: there is no {path}",
                    "an official split, or a list of frame names (one per line) that defines it",
                    f"create {path}",
                )
            names, where = official, f"{root}, split {split!r}"
        if not names:
            raise UserError(
                f"no frames in {where}",
                f"{self.name} in its official layout, e.g. {self.locate(root, '<name>', split)[0]}",
                f"get it from {self.home}",
            )
        return names

    def _sample(self, root: Path, name: str, split: str) -> Sample:
        image, label = self.locate(root, name, split)
        if not image.is_file():
            raise UserError(f"split {split!r} of {self.name} lists {name!r}, but there is no {image}", "an image file")
        return Sample(name, image, label if label.is_file() else None)

    # --- reading --------------------------------------------------------------------------------------------------

    def read_image(self, sample: Sample) -> np.ndarray:
        """uint8 RGB [H, W, 3]. UserError when the file is truncated or no image."""
        return read_rgb(sample.image)

    def read_label(self, sample: Sample, space: LabelSpace) -> np.ndarray:
        """uint8 [H, W] train ids of ``space``, IGNORE where the class is not in it.

        Raises:
            UserError: no label, not the official format, another size than the image, or an id outside the map.
        """
        if sample.label is None:
            raise UserError(f"image without label: {sample.image}", "a label file", f"get it from {self.home}")
        raw = self.read_raw(sample.label)
        size = image_size_hw(sample.image)
        if raw.shape != size:
            raise UserError(
                f"label {sample.label} is {raw.shape[1]}x{raw.shape[0]}, its image {size[1]}x{size[0]}",
                "a label of its image's size",
                "download the file again, or leave the frame out with a list in lists/<split>.txt",
            )
        if int(raw.max()) > 255 or set(np.flatnonzero(np.bincount(raw.ravel()))) - self.known_ids:
            odd = sorted({int(i) for i in np.unique(raw)} - self.known_ids)
            raise UserError(
                f"label {sample.label} holds the ids {odd[:8]}",
                f"ids of {self.name}, {min(self.known_ids)}-{max(self.known_ids)}: the raw label files, not train ids",
            )
        return self.train_ids(space)[raw]

    def train_ids(self, space: LabelSpace) -> np.ndarray:
        """Train id of each raw id, uint8 [256]."""
        return lookup_table(self.raw_classes, space)

    def raw_ids(self, space: LabelSpace) -> np.ndarray:
        """Raw id of each train id, uint8 [256]: the first one that maps to it, ``void_id`` for every other value."""
        table = np.full(256, self.void_id, np.uint8)
        for raw, train in reversed(list(enumerate(self.train_ids(space)))):
            if train != IGNORE:
                table[train] = raw
        return table

    # --- writing --------------------------------------------------------------------------------------------------

    def write(
        self, data_root: Path, split: str, name: str, image: np.ndarray, train_ids: np.ndarray | None, space: LabelSpace
    ) -> None:
        """Write one frame (uint8 RGB [H, W, 3]) and, unless None, its label in the official layout and raw format."""
        image_path, label_path = self.locate(Path(data_root) / self.folder, name, split)
        write_rgb(image_path, image)
        if train_ids is not None:
            label_path.parent.mkdir(parents=True, exist_ok=True)
            self.write_raw(label_path, self.raw_ids(space)[train_ids])

    def write_list(self, data_root: Path, split: str, names: Sequence[str]) -> None:
        """Define ``split`` by ``lists/<split>.txt``."""
        write_text(Path(data_root) / self.folder / "lists" / f"{split}.txt", "".join(f"{name}\n" for name in names))

    def write_prediction(self, folder: Path, sample: Sample, train_ids: np.ndarray, space: LabelSpace) -> Path:
        """Write a predicted mask (uint8 [H, W]) in the official submission format; returns its path."""
        path = Path(folder) / self.prediction_name(sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.write_raw(path, self.raw_ids(space)[train_ids])
        return path


def by_stem(folder: Path, suffix: str) -> list[str]:
    """Names of the files of ``folder`` that end in ``suffix``, without it; [] when there is no such folder."""
    return sorted(p.name.removesuffix(suffix) for p in folder.glob(f"*{suffix}"))


def listing_digest(samples: Sequence[Sample]) -> str:
    """Digest of the names and file sizes of a listing: cheap, no file is opened."""
    return digest_json(
        [[s.name, s.image.stat().st_size, s.label.stat().st_size if s.label is not None else -1] for s in samples]
    )


def available() -> list[str]:
    """Names of the data sets: the modules of this folder that define ``DATASET``, found without importing them."""
    return sorted(p.stem for p in Path(__file__).parent.glob("*.py") if "\nDATASET = " in p.read_text("utf-8"))


def open_dataset(name: str) -> DataSet:
    """The data set of module ``udamlf.data.<name>``. UserError with the nearest valid name when there is none."""
    names = available()
    if name not in names:
        raise UserError(f"unknown data set {name!r}", f"a module udamlf/data/{name}.py", nearest(name, names))
    data_set: DataSet = importlib.import_module(f"udamlf.data.{name}").DATASET
    return data_set
