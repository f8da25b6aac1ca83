"""Published pseudo-labels come back exactly, as the same bytes each time, and nothing damaged is read."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as hnp

from udamlf.common.errors import UserError
from udamlf.common.files import digest_file, write_json
from udamlf.common.seeding import rng
from udamlf.config.labels import CITYSCAPES_19, IGNORE, LabelSpace
from udamlf.data.pseudo_labels import ARCHIVE, EXTRAS, MANIFEST, MOST_EXTRAS, SOFT, PseudoLabels, publish

LABELS = {f"city_{n:06d}": rng(n, "labels").choice([0, 1, 2, IGNORE], (12, 20)).astype(np.uint8) for n in range(5)}
TOY = LabelSpace("toy", ("a", "b", "c"), ((0, 0, 0),) * 3, {"all": ("a", "b", "c")})
THRESHOLDS = np.array([0.5, np.nan, 0.9])


def finish() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    return {"label_space": "toy", "quality": {"pl/coverage": 61.5}}, {"thresholds": THRESHOLDS}


def soft(name: str) -> np.ndarray:
    return rng(7, name).integers(0, 200, (2, 3, 5)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    publish(tmp_path / "published", LABELS.items(), finish, soft)
    return tmp_path / "published"


def test_labels_extras_and_manifest_come_back(folder: Path) -> None:
    """Every map, in the order it was written, the arrays with their nan, the soft labels and the facts."""
    labels = PseudoLabels(folder, TOY)
    assert labels.names == sorted(LABELS)
    assert all(np.array_equal(labels.label(name), label) for name, label in LABELS.items())
    assert all(name in labels for name in LABELS) and "another" not in labels
    assert np.array_equal(labels.extras["thresholds"], THRESHOLDS, equal_nan=True)
    assert labels.manifest["quality"] == {"pl/coverage": 61.5}
    assert labels.has_soft and all(np.array_equal(labels.soft(name), soft(name)) for name in LABELS)


def test_a_handful_of_files_whatever_the_number_of_images(folder: Path, tmp_path: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted([MANIFEST, ARCHIVE, EXTRAS, SOFT])
    publish(tmp_path / "hard", LABELS.items(), finish)
    assert sorted(p.name for p in (tmp_path / "hard").iterdir()) == sorted([MANIFEST, ARCHIVE, EXTRAS])
    assert not PseudoLabels(tmp_path / "hard").has_soft
    with pytest.raises(UserError, match="no soft label"):
        PseudoLabels(tmp_path / "hard").soft("city_000001")


def test_the_same_labels_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """No clock in any file: digests of equal labels are equal, so the chain reuses what follows."""
    publish(tmp_path / "again", LABELS.items(), finish, soft)
    assert all((tmp_path / "again" / p.name).read_bytes() == p.read_bytes() for p in folder.iterdir())


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(max_examples=30)
def test_any_map_survives(tmp_path_factory: pytest.TempPathFactory, label: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("any")
    publish(folder, [("a", label)], finish)
    assert np.array_equal(PseudoLabels(folder).label("a"), label)


@pytest.mark.parametrize("name", [ARCHIVE, EXTRAS, SOFT])
def test_a_damaged_or_missing_file_is_refused(name: str, folder: Path) -> None:
    """One flipped bit, a lost end, no file at all."""
    path = folder / name
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (bytes(flipped), whole[:-1], b""):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=rf"{name} is missing or damaged[\s\S]*pseudo_label stage"):
            PseudoLabels(folder)
    path.unlink()
    with pytest.raises(UserError, match="missing or damaged"):
        PseudoLabels(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"version": 1}', "\x00"])
def test_a_damaged_manifest_is_refused(text: str, folder: Path) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=MANIFEST):
        PseudoLabels(folder)


def test_another_version_or_label_space_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="label space toy"):
        PseudoLabels(folder, CITYSCAPES_19)
    manifest = json.loads((folder / MANIFEST).read_text())
    write_json(folder / MANIFEST, {**manifest, "version": 99})
    with pytest.raises(UserError, match="version 99"):
        PseudoLabels(folder)


def republished(folder: Path, name: str, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    """Exchange an archive, and its digest in the manifest: what a hostile author would do."""
    with zipfile.ZipFile(folder / name, "w", compression) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    manifest = json.loads((folder / MANIFEST).read_text())
    key = {ARCHIVE: "archive", EXTRAS: "extras", SOFT: "soft"}[name]
    write_json(folder / MANIFEST, {**manifest, key: digest_file(folder / name)})


def test_hostile_archives_are_refused_before_they_are_decoded(folder: Path) -> None:
    """One that lacks an image, one that bursts, a picture of 40,000 x 40,000 pixels, an id that no class has."""
    with zipfile.ZipFile(folder / ARCHIVE) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    first, name = next(iter(members)), next(iter(LABELS))
    republished(folder, ARCHIVE, {each: content for each, content in members.items() if each != first})
    with pytest.raises(UserError, match=f"differ in 1 images, e.g. {first}"):
        PseudoLabels(folder)
    republished(folder, ARCHIVE, {**members, first: bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="would take"):
        PseudoLabels(folder)
    head = b"IHDR" + (40_000).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    vast = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + head + zlib.crc32(head).to_bytes(4)
    odd = cv2.imencode(".png", np.full((12, 20), 3, np.uint8))[1].tobytes()
    for content, message in ((vast, "cannot decode the image"), (odd, f"{name} holds the train id 3")):
        republished(folder, ARCHIVE, {**members, first: content})
        with pytest.raises(UserError, match=message):
            PseudoLabels(folder, TOY).label(name)
    republished(folder, ARCHIVE, members)
    republished(folder, EXTRAS, {"bomb.npy": bytes(MOST_EXTRAS + 1)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UserError, match="would take"):
        PseudoLabels(folder)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pseudo-labels"):
        PseudoLabels(tmp_path)


def test_a_labelling_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """An error after three of five maps, or in what is published beside them: no archive, no manifest, no rest."""

    def failing() -> Iterator[tuple[str, np.ndarray]]:
        yield from list(LABELS.items())[:3]
        raise UserError("an image is damaged")

    with pytest.raises(UserError, match="damaged"):
        publish(tmp_path / "out", failing(), finish, soft)
    assert list((tmp_path / "out").iterdir()) == []

    def no_manifest() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        raise UserError("no thresholds")

    with pytest.raises(UserError, match="no thresholds"):
        publish(tmp_path / "late", LABELS.items(), no_manifest)
    assert not (tmp_path / "late" / MANIFEST).exists()
