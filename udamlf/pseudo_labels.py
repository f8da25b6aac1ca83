"""What a pseudo_label stage publishes and a self_train stage reads: an archive of label maps and a manifest.

A folder holds three files, whatever the number of images: ``labels.zip`` (8-bit PNGs of train ids, stored without
further compression, one per image), ``extras.npz`` (further arrays, e.g. prototypes) and ``manifest.json`` (names,
digests, thresholds and statistics), which is written last.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from udamlf.errors import UserError
from udamlf.files import atomic_file, digest_bytes, digest_file, write_json

VERSION = 1
MANIFEST, ARCHIVE, EXTRAS = "manifest.json", "labels.zip", "extras.npz"
HINT = "run the pseudo_label stage again (udamlf run starts it when its output is not whole)"


def publish(
    folder: Path,
    labels: Iterable[tuple[str, np.ndarray]],
    finish: Callable[[], tuple[Mapping[str, Any], Mapping[str, np.ndarray]]],
) -> dict[str, Any]:
    """Write label maps as they come, one at a time in memory; the manifest last.

    Args:
        labels: (image name, uint8 [H, W] train ids with IGNORE).
        finish: called once every label map is written; gives JSON-able facts for the manifest (label space, selector,
            thresholds) and further arrays.

    Returns:
        The manifest.
    """
    digests: dict[str, str] = {}
    with atomic_file(folder / ARCHIVE) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for name, label in labels:
            encoded = cv2.imencode(".png", label)[1].tobytes()
            # A fixed date: the same labels give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{name}.png", (1980, 1, 1, 0, 0, 0)), encoded)
            digests[name] = digest_bytes(encoded)
    description, extras = finish()
    with atomic_file(folder / EXTRAS) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **dict(extras))
    manifest = {
        "version": VERSION,
        **description,
        "images": digests,
        "archive": digest_file(folder / ARCHIVE),
        "extras": digest_file(folder / EXTRAS),
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


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
        if self.manifest.get("version") != VERSION:
            raise UserError(f"{path} has version {self.manifest.get('version')}", f"version {VERSION}", HINT)
        if label_space is not None and self.manifest.get("label_space") != label_space:
            found = self.manifest.get("label_space")
            raise UserError(f"pseudo-labels of label space {found}", label_space, HINT)
        for name, key in ((ARCHIVE, "archive"), (EXTRAS, "extras")):
            if not (folder / name).is_file() or digest_file(folder / name) != self.manifest[key]:
                raise UserError(f"{folder / name} is missing or damaged", "the file its manifest describes", HINT)
        self._archive = folder / ARCHIVE
        with np.load(folder / EXTRAS, allow_pickle=False) as extras:
            self.extras = {name: extras[name] for name in extras.files}

    @property
    def names(self) -> list[str]:
        """Names of the labelled images."""
        return list(self.manifest["images"])

    def read_all(self) -> dict[str, np.ndarray]:
        """Every label map, still encoded: name -> PNG bytes as uint8 [n]; ``decode`` turns one into a map."""
        with zipfile.ZipFile(self._archive) as archive:
            return {name: np.frombuffer(archive.read(f"{name}.png"), np.uint8) for name in self.names}

    @staticmethod
    def decode(encoded: np.ndarray) -> np.ndarray:
        """uint8 [H, W] train ids of one encoded map."""
        return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
