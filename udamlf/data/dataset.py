"""The contract of a data set: one file per layout in ``datasets``, found by its name. ``lists/<split>.txt`` in its
folder (one frame name per line) defines a split; without one its official rule holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from udamlf.common.errors import UserError
from udamlf.common.files import digest_json, write_text
from udamlf.config.labels import IGNORE, LabelSpace, lookup_table
from udamlf.config.parts import Parts
from udamlf.data.raster import LabelFormat, image_size_hw, read_rgb, write_pixels

DATASETS = Parts("udamlf.data.datasets", "DATASET", "data set")


@dataclass(frozen=True)
class Frame:
    """One frame: its name within the data set, its image file, its label file where there is one."""

    name: str
    image: Path
    label: Path | None


@dataclass(frozen=True)
class DataSet:
    """Lists, reads and writes one official layout. A path has places for {name}, {city} (the name up to its first "_")
    and {split}, an official one; the frames of any other split are looked for in all of them."""

    name: str  # of its module, and of its folder under the data root
    home: str  # where the data set is to be had
    raw_classes: Mapping[int, str]  # raw id in a label file -> class name
    known_ids: Collection[int]  # every legal raw id; any other one is an error
    image: str  # path of an image in the data set's folder
    label: str  # path of its label
    labels: LabelFormat
    splits: tuple[str, ...] = ()  # official ones, made of every image that is there
    void_id: int = 0  # raw id written for an ignored pixel
    prediction: str = ""  # file name of a mask in a submission, with {name}; by default that of the label
    release: str = ""  # folder in the data set's folder that may hold everything but the lists

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

    def samples(self, data_root: Path, split: str, require_labels: bool = False) -> list[Frame]:
        """Frames of ``split``, sorted by name. UserError: the folder is missing or empty, the split is unknown, an
        image is missing, or, with ``require_labels``, a label."""
        root = data_root / self.name
        if not root.is_dir():
            there = ", ".join(sorted(path.name for path in data_root.glob("*"))[:8])
            message = f"no data set {self.name}: {data_root} holds {there or 'nothing, or does not exist'}"
            hint = f"get it from {self.home} and place or link it at {root}"
            raise UserError(message, f"{self.name} in its official layout", hint)
        frames = []
        for name in sorted(self._names(root, split)):
            image, label = self.locate(root, name, split)
            if not image.is_file():
                message = f"split {split!r} of {self.name} lists {name!r}, but there is no {image}"
                raise UserError(message, "an image file")
            frames.append(Frame(name, image, label if label.is_file() else None))
        bare = [frame for frame in frames if frame.label is None] if require_labels else []
        if bare:
            message = f"image without label: {bare[0].image} ({len(bare)} of {len(frames)} in split {split!r})"
            expected = f"a label file {self.locate(root, bare[0].name, split)[1]}"
            raise UserError(message, expected, f"download the labels of {self.name} from {self.home}")
        return frames

    def has_split(self, data_root: Path, split: str) -> bool:
        """Whether there is a list of the split, or it is an official one of a data set that is there."""
        root = data_root / self.name
        return (root / "lists" / f"{split}.txt").is_file() or (split in self.splits and root.is_dir())

    def _names(self, root: Path, split: str) -> list[str]:
        path = root / "lists" / f"{split}.txt"
        if path.is_file():
            names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise UserError(f"{path} lists {twice!r} twice", "one frame name per line, each once")
        elif split in self.splits:
            pattern = self.image.format(split=split, city="*", name="*")
            suffix = pattern.rpartition("*")[2]
            names = [image.name.removesuffix(suffix) for image in self._base(root).glob(pattern)]
        else:
            expected = "an official split, or a list of frame names (one per line) that defines it"
            raise UserError(f"{self.name} has no split {split!r}: there is no {path}", expected, f"create {path}")
        if not names:
            message = f"no frames in {path if path.is_file() else f'{root}, split {split!r}'}"
            expected = f"{self.name} in its official layout, e.g. {self.locate(root, '<name>', split)[0]}"
            raise UserError(message, expected, f"get it from {self.home}")
        return names

    def read_image(self, frame: Frame) -> np.ndarray:
        """uint8 RGB [H, W, 3]. UserError when the file is truncated or no image."""
        return read_rgb(frame.image)

    def read_label(self, frame: Frame, space: LabelSpace) -> np.ndarray:
        """uint8 [H, W] train ids of ``space``, IGNORE where the class is not in it. UserError: no label, another format
        than the official one, another size than the image, or an id outside the map."""
        if frame.label is None:
            raise UserError(f"image without label: {frame.image}", "a label file", f"get it from {self.home}")
        raw, (height, width) = self.labels.read(frame.label), image_size_hw(frame.image)
        if raw.shape != (height, width):
            message = f"label {frame.label} is {raw.shape[1]}x{raw.shape[0]}, its image {width}x{height}"
            hint = "download the file again, or leave the frame out with a list in lists/<split>.txt"
            raise UserError(message, "a label of its image's size", hint)
        odd = set(np.flatnonzero(np.bincount(raw.ravel())).tolist()) - set(self.known_ids)
        if odd:
            expected = f"{self.name}'s ids {min(self.known_ids)}-{max(self.known_ids)}: raw label files, not train ids"
            raise UserError(f"label {frame.label} holds the ids {sorted(odd)[:8]}", expected)
        return self.train_ids(space)[raw]

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
        """Define ``split`` by ``lists/<split>.txt``."""
        write_text(data_root / self.name / "lists" / f"{split}.txt", "".join(f"{name}\n" for name in names))

    def write_prediction(self, folder: Path, frame: Frame, train_ids: np.ndarray, space: LabelSpace) -> Path:
        """Write a predicted mask (uint8 [H, W]) in the official submission format; returns its path."""
        path = folder / (self.prediction or self.label.rpartition("/")[2]).format(name=frame.name)
        self.labels.write(path, self.raw_ids(space)[train_ids])
        return path


def listing_digest(frames: Sequence[Frame], with_labels: bool) -> str:
    """Digest of a listing's names and file sizes (no file is opened), of labels only ``with_labels``."""
    labels = [f.label.stat().st_size if f.label is not None and with_labels else -1 for f in frames]
    return digest_json([[f.name, f.image.stat().st_size, size] for f, size in zip(frames, labels, strict=True)])
