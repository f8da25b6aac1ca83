"""Data sets: a layout, one of ``configs/datasets.yaml`` or described by a scenario.
``lists/<split>.txt`` in its folder (one frame name per line) defines a split; without one its official rule holds, or
the split is a glob of frame names."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import filter as matching
from fnmatch import fnmatchcase
from functools import cache
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np

from udamlf.common.errors import UserError, nearest
from udamlf.common.files import digest_json, write_text
from udamlf.config.labels import IGNORE, LabelSpace, lookup_table
from udamlf.config.reading import table
from udamlf.config.schema import FolderData, Scenario, SplitRef, template
from udamlf.data.contents import content_digests
from udamlf.data.geometry import resize_label
from udamlf.data.raster import FORMATS, LabelFormat, check_header, colour_format, image_size_hw, read_rgb, write_pixels

logger = logging.getLogger("udamlf")
_warn_once = cache(logger.warning)


@dataclass(frozen=True)
class Frame:
    """One frame: its name within the data set, its image file, its label file where there is one."""

    name: str
    image: Path
    label: Path | None


@dataclass(frozen=True)
class DataSet:
    """Lists, reads and writes one layout. A path has places for {name}, {city} (the name up to its first "_") and
    {split}, an official one; the frames of any other split are looked for in all of them."""

    name: str  # and of its folder under the data root
    home: str  # where the data set is to be had
    raw_classes: Mapping[int, str]  # raw id in a label file -> class name
    known_ids: Collection[int]  # every legal raw id; any other one is an error
    image: str  # path of an image in the data set's folder
    label: str  # path of its label; "" where no frame has one
    labels: LabelFormat
    splits: tuple[str, ...] = ()  # official ones, made of every image that is there
    void_id: int = 0  # raw id written for an ignored pixel
    prediction: str = ""  # file name of a mask in a submission, with {name}; by default that of the label
    release: str = ""  # folder in the data set's folder that may hold everything but the lists
    names: str = "*"  # glob of {name}
    resizes_labels: bool = False  # a label of another size than its image is resized to it, not an error

    def _base(self, root: Path) -> Path:
        return root if (root / self.image.partition("/")[0]).is_dir() else root / self.release

    def locate(self, root: Path, name: str, split: str) -> tuple[Path, Path]:
        """Image and label path of a frame, existing or not; ``split`` places a frame that is about to be written."""
        city, base = name.split("_")[0], self._base(root)
        pairs = []
        for official in (split,) if split in self.splits or not self.splits else self.splits:
            image, label = (p.format(name=name, city=city, split=official) for p in (self.image, self.label))
            pairs.append((base / image, base / label))
        return next((pair for pair in pairs if pair[0].is_file()), pairs[0])

    def samples(self, data_root: Path, split: str) -> list[Frame]:
        """Frames of ``split``, by name. UserError: none, an unknown split, or an image is missing."""
        frames = self.listing(data_root, split)
        for frame in frames:
            if not frame.image.is_file():
                message = f"split {split!r} of {self.name} lists {frame.name!r}, but there is no {frame.image}"
                raise UserError(message, "an image file")
        return frames

    @property
    def remedy(self) -> str:
        """What helps where it is not as described."""
        return f"get it from {self.home}" if self.home else "correct `datasets` or `splits` in the scenario's file"

    def listing(self, data_root: Path, split: str) -> list[Frame]:
        """As ``samples``, but an image that a list names may be missing."""
        root = data_root / self.name
        if not root.is_dir():
            there = ", ".join(sorted(path.name for path in data_root.glob("*"))[:8])
            message = f"no data set {self.name}: {data_root} holds {there or 'nothing, or does not exist'}"
            above = data_root.parent if (data_root.parent / self.name).is_dir() else ""
            hint = f"--data-root {above}" if above else f"place or link it at {root}; {self.remedy}"
            raise UserError(message, f"the data set's folder {root}", hint)
        places = [(name, *self.locate(root, name, split)) for name in sorted(self._names(root, split))]
        return [Frame(name, image, label if label.is_file() else None) for name, image, label in places]

    def wanted_label(self, data_root: Path, name: str, split: str) -> str:
        """The label that a frame does not have."""
        path = self.locate(data_root / self.name, name, split)[1]
        return f"a label file {path}" if self.label else f"`labels` in `datasets.{self.name}` of the scenario's file"

    def known_splits(self, data_root: Path) -> list[str]:
        lists = (path.stem for path in (data_root / self.name / "lists").glob("*.txt"))
        return [*self.splits, *sorted(set(lists) - set(self.splits))]

    def has(self, data_root: Path, split: str) -> bool:
        """Whether a split has any frame: its list is there, or an image that its rule takes."""
        root = data_root / self.name
        return (root / "lists" / f"{split}.txt").is_file() or bool(self._by_rule(root, split))

    def _by_rule(self, root: Path, split: str) -> list[str]:
        """Names of the frames of an official split, or of those that a glob takes; none of any other split."""
        if split in self.splits or not set("*?[") & set(split):
            return self._present(root, split) if split in self.splits else []
        return matching((name for part in self.splits or ("",) for name in self._present(root, part)), split)

    def _present(self, root: Path, split: str) -> list[str]:
        """Names of the images that are there in an official split."""
        before, _, after = self.image.format(split=split, city="*", name="\n").partition("\n")
        labels = self.label.format(split=split, city="*", name="*")
        folder, _, start = before.rpartition("/")
        depth = folder.count("/") + 1 if folder else 0
        paths = glob(f"{before}{self.names}{after}", root_dir=self._base(root), recursive=True)
        names = ("/".join(path.split("/")[depth:]) for path in paths if not fnmatchcase(path, labels))
        return [name.removeprefix(start).removesuffix(after) for name in names]

    def _names(self, root: Path, split: str) -> list[str]:
        path = root / "lists" / f"{split}.txt"
        if path.is_file():
            try:
                names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
            except UnicodeDecodeError as error:
                raise UserError(f"{path} is no text", "a list of frame names, one per line") from error
            if twice := next((name for name, count in Counter(names).items() if count > 1), None):
                raise UserError(f"{path} lists {twice!r} twice", "one frame name per line, each once")
            if odd := [name for name in names if name.startswith("/") or ".." in name.split("/")]:
                raise UserError(f"{path} lists {odd[0]!r}", "names of frames in the data set's folder")
        else:
            names = self._by_rule(root, split)
        if not names:
            every = sorted(self._by_rule(root, "*"))
            there = f"its frames are {every[0]} to {every[-1]}" if every else "there is none at all"
            places = self._base(root) / self.image.format(name=self.names, city="*", split="*")
            rules = " | ".join((*self.splits, "a glob of frame names"))
            message = f"split {split!r} of {self.name} has no frame; {there}, in {places}"
            by_rule = set("*?[") & set(split) or split in self.splits or path.is_file()
            hint = self.remedy if by_rule else f"create {path}, one name a line"
            raise UserError(message, f"{rules} | a list of them in {path.parent}", hint)
        return names

    def read_image(self, frame: Frame) -> np.ndarray:
        """uint8 RGB [H, W, 3]. UserError when the file is truncated or no image."""
        return read_rgb(frame.image)

    def read_label(self, frame: Frame, space: LabelSpace) -> np.ndarray:
        """uint8 [H, W] train ids of ``space``, IGNORE where the class is not in it. UserError: no label, another format
        than the official one, another size than the image, or an id outside the map."""
        if frame.label is None:
            raise UserError(f"image without label: {frame.image}", "a label file", self.remedy)
        raw, size_hw = self.labels.read(frame.label), image_size_hw(frame.image)
        if self._misfit(frame, raw.shape, size_hw):
            _warn_once(f"{self.name}: label {frame.label} is resized to its image by the nearest pixel")
            raw = resize_label(raw, size_hw)
        odd = set(np.flatnonzero(np.bincount(raw.ravel())).tolist()) - set(self.known_ids)
        if odd:
            known = sorted(self.known_ids)
            whole = known == list(range(known[0], known[-1] + 1))
            ids = f"{known[0]}-{known[-1]}" if whole else ", ".join(map(str, known))
            expected = f"{self.name}'s ids {ids}: raw label files, not train ids; own data: all in `ids` or `void`"
            raise UserError(f"label {frame.label} holds the ids {sorted(odd)[:8]}", expected)
        return self.train_ids(space)[raw]

    def faults(self, frame: Frame) -> list[str]:
        """A line for what the headers of a frame's files show to be wrong: one that is missing, truncated, of another
        format or size. No pixel is decoded."""
        lines, sizes, labels = list[str](), list[tuple[int, int]](), self.labels
        with collected(lines):
            sizes.append(check_header(frame.image))
        with collected(lines):
            if frame.label is not None:
                sizes.append(check_header(frame.label, labels.modes, labels.expected, labels.bits))
        with collected(lines):
            if len(sizes) == 2:
                self._misfit(frame, sizes[1], sizes[0])
        return lines

    def _misfit(self, frame: Frame, label_hw: tuple[int, ...], size_hw: tuple[int, int]) -> bool:
        """Whether the label is not of its image's size. UserError where that is an error."""
        if label_hw != size_hw and not self.resizes_labels:
            message = f"label {frame.label} is {label_hw[1]}x{label_hw[0]}, its image {size_hw[1]}x{size_hw[0]}"
            hint = "download the file again, or leave the frame out with a list in lists/<split>.txt"
            raise UserError(message, "a label of its image's size", hint)
        return label_hw != size_hw

    def decoding(self, space: LabelSpace) -> list[Any]:
        """What decides the train ids of a label file, as plain values."""
        return [self.train_ids(space).tolist(), self.labels.colours]

    def train_ids(self, space: LabelSpace) -> np.ndarray:
        """Train id of each raw id, uint8 [256]."""
        return lookup_table(self.raw_classes, space)

    def raw_ids(self, space: LabelSpace) -> np.ndarray:
        """Raw id of each train id, uint8 [256]: the first one that maps to it, ``void_id`` for every other value."""
        train = self.train_ids(space).tolist()
        raw = [train.index(c) if c in train else self.void_id for c in range(IGNORE)]
        return np.array([*raw, self.void_id], np.uint8)

    def write(
        self, data_root: Path, split: str, name: str, image: np.ndarray, train_ids: np.ndarray | None, space: LabelSpace
    ) -> None:
        """Write one frame (uint8 RGB [H, W, 3]) and, unless None, its label in the official layout and raw format."""
        image_path, label_path = self.locate(data_root / self.name, name, split)
        write_pixels(image_path, image[:, :, ::-1])
        if train_ids is not None:
            self.labels.write(label_path, self.raw_ids(space)[train_ids])

    def write_list(self, data_root: Path, split: str, names: Sequence[str]) -> None:
        write_text(data_root / self.name / "lists" / f"{split}.txt", "".join(f"{name}\n" for name in names))

    def write_prediction(self, folder: Path, frame: Frame, train_ids: np.ndarray, space: LabelSpace) -> Path:
        """Write a predicted mask (uint8 [H, W]) in the official submission format; returns its path."""
        path = folder / (self.prediction or self.label.rpartition("/")[2]).format(name=frame.name)
        self.labels.write(path, self.raw_ids(space)[train_ids])
        return path


@contextmanager
def collected(lines: list[str]) -> Iterator[None]:
    """A UserError as a line: what was found, and what was expected."""
    try:
        yield
    except UserError as error:
        lines.append("; ".join(str(error).splitlines()[:2]))


def folder_data_set(name: str, folder: FolderData) -> DataSet:
    colours = list(folder.colours.values())
    raw_classes = folder.raw_classes
    return DataSet(
        name=name,
        home=folder.home,
        raw_classes=raw_classes,
        known_ids={*raw_classes, *(() if colours else folder.void)},
        image=template(folder.images),
        label=template(folder.labels or ""),
        labels=colour_format(colours) if colours else FORMATS["folder"],
        void_id=folder.void[0] if folder.void else IGNORE,
        prediction="{name}.png",
        names=folder.names,
    )


def _shipped(name: str, labels: str, known_ids: int, splits: Sequence[str] = (), **fields: Any) -> DataSet:
    return DataSet(name, labels=FORMATS[labels], known_ids=range(known_ids), splits=tuple(splits), **fields)


SHIPPED = {name: _shipped(name, **fields) for name, fields in table("datasets").items()}


def split_of(scenario: Scenario, split: str) -> tuple[DataSet, SplitRef]:
    """A scenario's split, and the data set that it is of. UserError: no such split, or an unknown data set."""
    if split not in scenario.splits:
        raise UserError(f"scenario {scenario.name} has no split {split!r}", "", nearest(split, list(scenario.splits)))
    ref = scenario.splits[split]
    if folder := scenario.datasets.get(ref.dataset):
        return folder_data_set(ref.dataset, folder), ref
    if ref.dataset not in SHIPPED:
        raise UserError(f"unknown data set {ref.dataset!r}", "", nearest(ref.dataset, [*scenario.datasets, *SHIPPED]))
    return SHIPPED[ref.dataset], ref


def listing_digest(frames: Sequence[Frame], with_labels: bool) -> str:
    """Digest of a listing's names and of what is in its files, labels only ``with_labels``."""
    labels = {f.name: f.label for f in frames if f.label is not None and with_labels}
    digests = content_digests([*(f.image for f in frames), *labels.values()])
    of_label = dict(zip(labels, digests[len(frames) :], strict=True))
    return digest_json([[f.name, image, of_label.get(f.name)] for f, image in zip(frames, digests, strict=False)])
