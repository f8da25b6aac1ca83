"""What a pseudo_label stage publishes and a self_train stage reads: ``labels.zip`` (8-bit PNGs of train ids, by image),
``extras.npz`` (further arrays, e.g. prototypes), ``soft_labels.npz`` where the selector keeps them (an array an image),
and ``manifest.json``, written last, which describes them."""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, digest_bytes, digest_file, write_json
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.data.raster import read_ids

VERSION = 1
MANIFEST, ARCHIVE, EXTRAS, SOFT = "manifest.json", "labels.zip", "extras.npz", "soft_labels.npz"
_DIGESTS = {"archive": ARCHIVE, "extras": EXTRAS, "soft": SOFT}  # key of the manifest -> file; "soft" may be missing
_REQUIRED = {"version", "label_space", "images", "archive", "extras"}
MOST_EXTRAS = 1 << 29  # bytes; class pixels of 10^6 images of 19 classes are 152 MB
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date: the same labels give the same bytes
HINT = "run the pseudo_label stage again (udamlf run starts it when its output is not whole)"
_STORED = np.dtype([("probability", "<f2"), ("label", "u1")])


def encoded(label: np.ndarray) -> bytes:
    """A label map uint8 [H, W] as PNG. Unfiltered: a quarter smaller than with OpenCV's filter, and a third faster."""
    return cv2.imencode(".png", label, (cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE))[1].tobytes()


def publish(
    folder: Path, labels: Iterable[tuple[str, np.ndarray]],
    finish: Callable[[], tuple[Mapping[str, Any], Mapping[str, np.ndarray]]],
    soft: Callable[[str], np.ndarray] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Write label maps (image name, uint8 [H, W] train ids with IGNORE) as they come, one at a time in memory, and the
    stored soft label of each after it; then what ``finish`` gives: JSON-able facts for the manifest (label space,
    selector, thresholds), which is returned, and further arrays."""
    images: dict[str, str] = {}
    soft_file = _new_archive(folder / SOFT) if soft else nullcontext()
    with _new_archive(folder / ARCHIVE) as archive, soft_file as soft_archive:
        for name, content in ahead(lambda item: (item[0], encoded(item[1])), labels, 1):
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _EPOCH), content)
            images[name] = digest_bytes(content)
            if soft is not None and soft_archive is not None:
                with soft_archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w") as handle:
                    np.lib.format.write_array(handle, np.ascontiguousarray(soft(name)), allow_pickle=False)
    facts, extras = finish()
    write_arrays(folder / EXTRAS, extras)
    digests = {key: digest_file(folder / name) for key, name in _DIGESTS.items() if soft or key != "soft"}
    manifest = {"version": VERSION, **facts, "images": images, **digests}
    write_json(folder / MANIFEST, manifest)
    return manifest


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a compressed ``.npz``, whole or not at all."""
    with atomic_file(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **arrays)


@contextmanager
def _new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive without compression, whole or absent."""
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield archive


def encode_soft_label(probabilities: Tensor, top: int = 4) -> np.ndarray:
    """What is stored of probabilities float [C,h,w]: each pixel's ``top`` classes, structured [top,h,w], most probable
    first; 0.4 MB a Cityscapes frame (float16: 2.5) for 99.1 % of the rectified labels (benchmarks/soft_labels.py)."""
    values, labels = probabilities.float().topk(min(top, len(probabilities)), dim=0)
    stored = np.empty(values.shape, _STORED)
    stored["probability"], stored["label"] = values.cpu().numpy(), labels.cpu().numpy()
    return stored


def decode_soft_label(stored: np.ndarray, num_classes: int) -> Tensor:
    """Probabilities float32 [C,h,w] of a stored soft label, summing to 1 over C. The other classes share equally what
    the stored ones leave of 1, none with more than the last of these: prototypes can still lift a class not stored."""
    values = torch.from_numpy(stored["probability"].astype(np.float32))
    labels = torch.from_numpy(stored["label"].astype(np.int64))
    rest = (1 - values.sum(0, keepdim=True)).clamp(min=0) / max(num_classes - len(values), 1)
    probabilities = torch.minimum(rest, values[-1:]).expand(num_classes, -1, -1).scatter(0, labels, values)
    return probabilities / probabilities.sum(0, keepdim=True)


class PseudoLabels:
    """Published pseudo-labels, checked against their manifest when opened. UserError: a file is missing, damaged or of
    another version or label space."""

    def __init__(self, folder: Path, space: LabelSpace | None = None) -> None:
        self.manifest, self.space = _read_manifest(folder, space.name if space else None), space
        for key, name in _DIGESTS.items():
            path = folder / name
            if key in self.manifest and not (path.is_file() and digest_file(path) == self.manifest[key]):
                raise UserError(f"{path} is missing or damaged", "the file its manifest describes", HINT)
        self.names, self.has_soft = list(self.manifest["images"]), "soft" in self.manifest
        _check_members(folder / ARCHIVE, {f"{name}.png" for name in self.names})
        self._archive, self._soft = zipfile.ZipFile(folder / ARCHIVE), None
        if self.has_soft:
            _check_members(folder / SOFT, {f"{name}.npy" for name in self.names})
            with _whole(SOFT):
                self._soft = np.load(folder / SOFT, allow_pickle=False)
        _check_members(folder / EXTRAS)
        with _whole(EXTRAS), np.load(folder / EXTRAS, allow_pickle=False) as extras:
            self.extras = dict(extras)

    def __contains__(self, name: str) -> bool:
        return name in self.manifest["images"]

    def label(self, name: str) -> np.ndarray:
        """uint8 [H, W] train ids of a labelled image, read now: memory does not grow with the split. UserError: it is
        no label map, or holds an id outside of the label space."""
        with _whole(ARCHIVE):
            content = BytesIO(self._archive.read(f"{name}.png"))
        label = read_ids(content, ("L",), f"an 8-bit label map of {name}")
        if self.space is not None:
            largest = int(cv2.LUT(label, np.append(np.arange(IGNORE), 0).astype(np.uint8)).max())
            if largest >= self.space.num_classes:
                message = f"the pseudo-label of {name} holds the train id {largest}"
                raise UserError(message, f"0..{self.space.num_classes - 1} or {IGNORE}", HINT)
        return label

    def soft(self, name: str) -> np.ndarray:
        """Stored soft label of an image, read now; the selector ``soft`` knows its code."""
        if self._soft is None or name not in self._soft:
            raise UserError(f"no soft label of {name}", "a round labelled by the selector `soft`", HINT)
        with _whole(SOFT):
            return np.asarray(self._soft[name])


@contextmanager
def _whole(name: str) -> Iterator[None]:
    """A UserError for whatever zipfile, zlib and NumPy raise for content that they have not written."""
    try:
        yield
    except Exception as error:
        message = f"{name} of the pseudo-labels is damaged: {type(error).__name__}: {error}"
        raise UserError(message, "the file its manifest describes", HINT) from error


def _check_members(path: Path, names: set[str] | None = None) -> None:
    """UserError, before anything is decoded: an archive that does not hold ``names``, each as many bytes as it takes on
    the disk; without them, arrays that together exceed ``MOST_EXTRAS``."""
    with _whole(path.name), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    if names is not None and {member.filename for member in members} != names:
        odd = sorted(names ^ {member.filename for member in members})
        raise UserError(f"{path} and its manifest differ in {len(odd)} images, e.g. {odd[0]}", "the same images", HINT)
    size = sum(member.file_size for member in members)
    if size > (MOST_EXTRAS if names is None else path.stat().st_size):
        raise UserError(f"{path} would take {size} bytes", "an archive that was not made to burst", HINT)


def _read_manifest(folder: Path, label_space: str | None) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        missing = _REQUIRED - set(manifest)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"no pseudo-labels in {folder}: {error}", f"a whole {MANIFEST}", HINT) from error
    if missing:
        raise UserError(f"{path} has no {', '.join(sorted(missing))}", f"a whole {MANIFEST}", HINT)
    if manifest["version"] != VERSION:
        raise UserError(f"{path} has version {manifest['version']}", f"version {VERSION}", HINT)
    if label_space not in (None, manifest["label_space"]):
        raise UserError(f"pseudo-labels of label space {manifest['label_space']}", str(label_space), HINT)
    return manifest
