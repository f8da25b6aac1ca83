"""Files of data sets that are damaged, missing, or of another format: named, never a traceback."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.worlds import FORMATS, write_data_set
from udamlf.common.errors import UserError
from udamlf.config.labels import LabelSpace
from udamlf.data.dataset import DataSet, Frame
from udamlf.data.raster import read_ids, read_rgb

everywhere = pytest.mark.parametrize("name", sorted(FORMATS))


def files_of(data_set: DataSet, sample: Frame, space: LabelSpace) -> list[tuple[Path, Callable[[], np.ndarray]]]:
    """The sample's two files and what reads them."""
    assert sample.label is not None
    return [
        (sample.label, lambda: data_set.read_label(sample, space)),
        (sample.image, lambda: data_set.read_image(sample)),
    ]


def assert_read_or_named(read: Callable[[], np.ndarray], sample: Frame) -> None:
    """A damaged file is read as it is or refused by name."""
    try:
        assert read().dtype == np.uint8
    except UserError as error:
        assert sample.name in str(error)


@everywhere
@pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
def test_damaged_files_are_named(tmp_path: Path, name: str, damage: str) -> None:
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    for path, read in files_of(data_set, sample, space):
        whole = path.read_bytes()
        path.write_bytes(
            {"truncated": whole[: len(whole) * 2 // 3], "text": b"not an image" * 20, "empty": b""}[damage]
        )
        with pytest.raises(UserError, match=path.name):
            read()


@everywhere
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_damaged_header_is_never_a_traceback(tmp_path: Path, name: str) -> None:
    """Every byte of a file's head in turn, lengths, sizes and formats among them: read as it is or refused by name."""
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    for path, read in files_of(data_set, sample, space):
        whole = path.read_bytes()
        for place in range(min(60, len(whole))):
            for flip in (0x01, 0x10, 0x80, 0xFF):
                damaged = bytearray(whole)
                damaged[place] ^= flip
                path.write_bytes(damaged)
                assert_read_or_named(read, sample)
        path.write_bytes(whole)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA"])
def test_a_flipped_bit_of_a_png_never_changes_what_is_read(mode: str, tmp_path: Path) -> None:
    """Pillow looks at no checksum of the pixels: one in ten flipped bits of a small label was another id."""
    path, pixels = tmp_path / "a.png", np.random.default_rng(0).integers(0, 5, (16, 24, 4), np.uint8)
    Image.fromarray(pixels).convert("L" if mode == "P" else mode).convert(mode).save(path)
    whole, ids = path.read_bytes(), partial(read_ids, modes=("L", "P", "RGBA"), expected="ids")
    read = ids if mode in ("L", "P") else read_rgb
    expected, refused = read(path), 0
    for place in range(8 * 8, 8 * len(whole)):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            assert np.array_equal(read(path), expected), f"bit {place}"
        except UserError:
            refused += 1
    assert refused > 0.9 * (8 * len(whole) - 64)


@settings(max_examples=60)
@given(name=st.sampled_from([*FORMATS]), at=st.floats(0, 0.999), flip=st.integers(1, 255), cut=st.booleans())
def test_random_damage_is_never_a_traceback(tmp_path_factory: pytest.TempPathFactory, name: str, at: float, flip: int,
                                            cut: bool) -> None:  # fmt: skip
    """A file cut anywhere, or with any byte changed, is read as it is or refused by name."""
    root = tmp_path_factory.mktemp("damage")
    data_set, space, split = write_data_set(root, name)
    sample = data_set.samples(root, split)[0]
    for path, read in files_of(data_set, sample, space):
        whole = bytearray(path.read_bytes())
        place = int(at * len(whole))
        whole[place] ^= flip
        path.write_bytes(whole[:place] if cut else whole)
        assert_read_or_named(read, sample)
        if cut and at < 0.6 and path.suffix == ".png":
            with pytest.raises(UserError):
                read()


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    """After it was listed, as when a disk is taken away in the middle of a training."""
    data_set, space, split = write_data_set(tmp_path, "cityscapes")
    sample = data_set.samples(tmp_path, split)[0]
    for path, read in files_of(data_set, sample, space):
        path.unlink()
        with pytest.raises(UserError, match=f"{path.name} is missing"):
            read()


@pytest.mark.parametrize("name", ["../cityscapes/leftImg8bit/train/a/a_1", "a/../../b_1", "/etc/a_1"])
def test_a_list_does_not_lead_out_of_its_data_set(tmp_path: Path, name: str) -> None:
    """Neither to an image that is read nor to a mask that would be written under such a name."""
    data_set, _, _ = write_data_set(tmp_path, "cityscapes")
    data_set.write_list(tmp_path, "odd", [name])
    with pytest.raises(UserError, match=r"odd\.txt lists [\s\S]*names of frames"):
        data_set.samples(tmp_path, "odd")


@everywhere
def test_label_of_another_size(tmp_path: Path, name: str) -> None:
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    assert sample.label is not None
    data_set.labels.write(sample.label, np.zeros((12, 21), np.uint8))
    if name == "gta5":
        assert data_set.read_label(sample, space).shape == (12, 20)
        return
    with pytest.raises(UserError, match=f"{sample.label.name} is 21x12, its image 20x12"):
        data_set.read_label(sample, space)


def test_a_gta5_label_of_another_size_is_resized_by_the_nearest_pixel_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As the released code does; the files of the release that are so cost no frame."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    first, second, *_ = data_set.samples(tmp_path, split)
    whole = data_set.read_label(first, space)
    half = data_set.raw_ids(space)[whole[::2, ::2]]
    data_set.labels.write(first.label, half)  # type: ignore[arg-type]
    resized = [data_set.read_label(first, space) for _ in range(3)][-1]
    np.testing.assert_array_equal(resized, whole[::2, ::2].repeat(2, 0).repeat(2, 1))
    assert [record.getMessage().count(str(first.label)) for record in caplog.records] == [1]
    assert data_set.faults(first) == data_set.faults(second) == []


@everywhere
def test_label_id_outside_the_map(tmp_path: Path, name: str) -> None:
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    assert sample.label is not None
    data_set.labels.write(sample.label, np.full((12, 20), 77, np.uint8))
    with pytest.raises(UserError, match=r"holds the ids \[77\]"):
        data_set.read_label(sample, space)


def test_synthia_id_above_255(tmp_path: Path) -> None:
    """A 16-bit id is not cut to 8 bits."""
    data_set, space, split = write_data_set(tmp_path, "synthia")
    sample = data_set.samples(tmp_path, split)[0]
    cv2.imwrite(str(sample.label), np.full((12, 20, 3), 259, np.uint16))  # 259 = 256 + 3
    with pytest.raises(UserError, match="259"):
        data_set.read_label(sample, space)


@everywhere
def test_label_of_another_pixel_format(tmp_path: Path, name: str) -> None:
    """A colour picture of the labels (8-bit RGB), or 16-bit grey, is refused by every reader."""
    data_set, space, split = write_data_set(tmp_path, name)
    sample = data_set.samples(tmp_path, split)[0]
    for wrong in (np.zeros((12, 20, 3), np.uint8), np.zeros((12, 20), np.uint16)):
        cv2.imwrite(str(sample.label), wrong)
        with pytest.raises(UserError, match=sample.label.name):  # type: ignore[union-attr]
            data_set.read_label(sample, space)
