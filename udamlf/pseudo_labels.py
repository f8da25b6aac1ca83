"""What a pseudo_label stage publishes and a self_train stage reads: an archive of label maps and a manifest.

A folder holds three or four files, whatever the number of images: ``labels.zip`` (8-bit PNGs of train ids, stored
without further compression, one per image), ``extras.npz`` (further arrays, e.g. prototypes), ``soft_labels.npz`` where
the selector keeps soft labels (one array per image, read when asked for) and ``manifest.json`` (names, digests,
thresholds and statistics), which is written last.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from udamlf.errors import UserError
from udamlf.files import atomic_file, digest_bytes, digest_file, write_json

VERSION = 1
MANIFEST, ARCHIVE, EXTRAS, SOFT = "manifest.json", "labels.zip", "extras.npz", "soft_labels.npz"
_REQUIRED = {"version", "label_space", "images", "archive", "extras"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date: the same labels give the same bytes
HINT = "run the pseudo_label stage again (udamlf run starts it when its output is not whole)"


def publish(
    folder: Path,
    labels: Iterable[tuple[str, np.ndarray]],
    finish: Callable[[], tuple[Mapping[str, Any], Mapping[str, np.ndarray]]],
    soft: Callable[[str], np.ndarray] | None = None,
) -> dict[str, Any]:
    """Write label maps as they come, one at a time in memory; the manifest last.

    Args:
        labels: (image name, uint8 [H, W] train ids with IGNORE).
        finish: called once every label map is written; gives JSON-able facts for the manifest (label space, selector,
            thresholds) and further arrays.
        soft: stored soft label of the image whose label map was just written; None = the method has none.

    Returns:
        The manifest.
    """
    digests: dict[str, str] = {}
    with ExitStack() as stack:
        archive = stack.enter_context(_new_archive(folder / ARCHIVE))
        soft_archive = stack.enter_context(_new_archive(folder / SOFT)) if soft else None
        for name, label in labels:
            encoded = cv2.imencode(".png", label)[1].tobytes()
            archive.writestr(zipfile.ZipInfo(f"{name}.png", _EPOCH), encoded)
            digests[name] = digest_bytes(encoded)
            if soft is not None and soft_archive is not None:
                with soft_archive.open(zipfile.ZipInfo(f"{name}.npy", _EPOCH), "w") as handle:
                    np.lib.format.write_array(handle, np.ascontiguousarray(soft(name)), allow_pickle=False)
    description, extras = finish()
    with atomic_file(folder / EXTRAS) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **dict(extras))
    manifest = {
        "version": VERSION,
        **description,
        "images": digests,
        "archive": digest_file(folder / ARCHIVE),
        "extras": digest_file(folder / EXTRAS),
        **({"soft": digest_file(folder / SOFT)} if soft else {}),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


@contextmanager
def _new_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip archive without compression, whole or absent."""
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield archive


class PseudoLabels:
    """Published pseudo-labels, checked against their manifest when opened.

    Raises:
        UserError: a file is missing, damaged or of another version or label space.
    """

    def __init__(self, folder: Path, label_space: str | None = None) -> None:
        path = folder / MANIFEST
        if not path.is_file():
            raise UserError(f"no pseudo-labels in {folder}", MANIFEST, HINT)
        try:
            self.manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UserError(f"{path} is not JSON: {error}", "a manifest written by udamlf", HINT) from error
        missing = _REQUIRED - set(self.manifest if isinstance(self.manifest, dict) else ())
        if missing:
            raise UserError(f"{path} has no {', '.join(sorted(missing))}", "a manifest written by udamlf", HINT)
        if self.manifest["version"] != VERSION:
            raise UserError(f"{path} has version {self.manifest['version']}", f"version {VERSION}", HINT)
        if label_space is not None and self.manifest["label_space"] != label_space:
            raise UserError(f"pseudo-labels of label space {self.manifest['label_space']}", label_space, HINT)
        for name, key in ((ARCHIVE, "archive"), (EXTRAS, "extras"), (SOFT, "soft")):
            if key == "soft" and key not in self.manifest:
                continue
            if not (folder / name).is_file() or digest_file(folder / name) != self.manifest[key]:
                raise UserError(f"{folder / name} is missing or damaged", "the file its manifest describes", HINT)
        self._archive = zipfile.ZipFile(folder / ARCHIVE)
        self._soft = np.load(folder / SOFT, allow_pickle=False) if "soft" in self.manifest else None
        with np.load(folder / EXTRAS, allow_pickle=False) as extras:
            self.extras = {name: extras[name] for name in extras.files}

    @property
    def names(self) -> list[str]:
        """Names of the labelled images."""
        return list(self.manifest["images"])

    def __contains__(self, name: str) -> bool:
        """Whether there is a label map of that image."""
        return name in self.manifest["images"]

    def label(self, name: str) -> np.ndarray:
        """uint8 [H, W] train ids of a labelled image, read from the archive now: memory does not grow with the list."""
        label = cv2.imdecode(np.frombuffer(self._archive.read(f"{name}.png"), np.uint8), cv2.IMREAD_UNCHANGED)
        if label is None:
            raise UserError(f"the pseudo-label of {name} is no PNG", "an archive written by udamlf", HINT)
        return label

    @property
    def has_soft(self) -> bool:
        """Whether soft labels are stored."""
        return self._soft is not None

    def soft(self, name: str) -> np.ndarray:
        """Stored soft label of an image, read from the archive now; for ``selection.soft_labels.decode_soft_label``."""
        if self._soft is None or name not in self._soft:
            raise UserError(f"no soft label of {name}", "a round labelled by the selector `soft`", HINT)
        stored: np.ndarray = self._soft[name]
        return stored
