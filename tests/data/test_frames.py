"""FrameStore: the cache changes nothing but the time; files are whole or absent; target labels stay closed."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.data.worlds import random_frame, write_data_set
from udamlf.common.errors import UserError
from udamlf.config.labels import CITYSCAPES_16, CITYSCAPES_19, LabelSpace
from udamlf.data import frames as frames_module
from udamlf.data.dataset import SHIPPED, Frame, listing_digest
from udamlf.data.frames import FrameStore
from udamlf.data.geometry import resize_image, resize_label


def frame_store(*listing: Any, with_labels: bool, rule: str = "area") -> FrameStore:
    """The frames of a listing, a data set, a label space and a size."""
    return FrameStore(*listing, with_labels, rule)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UDAMLF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "frames"


def _files(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.npy"))


@pytest.mark.parametrize("size", [None, (12, 20), (6, 10), (7, 9)])
@pytest.mark.parametrize("rule", ["area", "lanczos", "bilinear"])
def test_the_cache_holds_what_decoding_gives(tmp_path: Path, size: tuple[int, int] | None, rule: str) -> None:
    """Built, reopened and live, image and label are read + resize."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    for _ in range(2):
        store = frame_store(samples, data_set, space, size, with_labels=True, rule=rule)
        assert store.names == [s.name for s in samples]
        for i, sample in enumerate(samples):
            image, label = data_set.read_image(sample), data_set.read_label(sample, space)
            np.testing.assert_array_equal(store.image(i), resize_image(image, size or (12, 20), rule))
            np.testing.assert_array_equal(store.label(i), resize_label(label, size or (12, 20)))
    assert len(store) == 2


def test_second_opening_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    first = frame_store(samples, data_set, space, (6, 10), with_labels=True)
    monkeypatch.setattr(type(data_set), "read_image", None)
    monkeypatch.setattr(type(data_set), "read_label", None)
    again = frame_store(samples, data_set, space, (6, 10), with_labels=True)
    np.testing.assert_array_equal(again.image(1), first.image(1))
    np.testing.assert_array_equal(again.label(1), first.label(1))


@pytest.mark.parametrize("size", [0, 60, -1])
def test_a_file_that_is_cut_off_is_made_again(tmp_path: Path, cache: Path, size: int) -> None:
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    first = frame_store(samples, data_set, space, (6, 10), with_labels=False).image(1).copy()
    (file,) = cache.glob("*.npy")
    file.write_bytes(file.read_bytes()[:size])
    again = frame_store(samples, data_set, space, (6, 10), with_labels=False)
    np.testing.assert_array_equal(again.image(1), first)


def test_every_ingredient_has_its_own_file(tmp_path: Path, cache: Path) -> None:
    """Size, rule, label space and data are part of the key; images are shared by stores with and without labels."""
    data_set, space, split = write_data_set(tmp_path, "cityscapes")
    samples = data_set.samples(tmp_path, split)

    def store(size: tuple[int, int], rule: str, labels: bool, where: LabelSpace = space) -> int:
        frame_store(samples, data_set, where, size, with_labels=labels, rule=rule)
        return len(_files(cache))

    assert store((6, 10), "area", False) == 1
    assert store((6, 10), "area", True) == 2
    assert store((6, 10), "area", True, CITYSCAPES_16) == 3
    assert store((6, 10), "bilinear", False) == 4
    assert store((6, 12), "area", False) == 5
    data_set.write(tmp_path, split, samples[0].name, *random_frame(5, space, (12, 24)), space)
    data_set.write(tmp_path, split, samples[1].name, *random_frame(6, space, (12, 24)), space)
    assert store((6, 10), "area", False) == 6


def test_changing_a_frame_in_place_leaves_the_file_alone(tmp_path: Path) -> None:
    """Augmentation may write into what it is given."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    before = frame_store(samples, data_set, space, (6, 10), with_labels=False).image(0).copy()
    frame_store(samples, data_set, space, (6, 10), with_labels=False).image(0)[:] = 0
    after = frame_store(samples, data_set, space, (6, 10), with_labels=False).image(0)
    np.testing.assert_array_equal(after, before)


def test_labels_are_opened_only_when_asked_for(tmp_path: Path) -> None:
    """Without with_labels even a destroyed label file does no harm, and its content changes no key."""
    data_set, space, split = write_data_set(tmp_path, "cityscapes")
    samples = data_set.samples(tmp_path, split)
    for sample in samples:
        assert sample.label is not None
        sample.label.write_bytes(b"destroyed")
    store = frame_store(samples, data_set, space, (6, 10), with_labels=False)
    assert store.image(0).shape == (6, 10, 3)
    with pytest.raises(UserError, match="were not opened"):
        store.label(0)
    with pytest.raises(UserError, match=samples[0].label.name):  # type: ignore[union-attr]
        frame_store(samples, data_set, space, (6, 10), with_labels=True)


def test_a_failed_build_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    """One unreadable frame: an error that names it, no half-written file; mended, the same call works."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    whole = samples[1].image.read_bytes()
    samples[1].image.write_bytes(whole[:60] + bytes(len(whole) - 60))
    with pytest.raises(UserError, match=samples[1].image.name):
        frame_store(samples, data_set, space, (6, 10), with_labels=False)
    assert [p for p in cache.iterdir() if p.suffix != ".lock"] == []
    samples[1].image.write_bytes(whole)
    assert frame_store(samples, data_set, space, (6, 10), with_labels=False).image(1).any()


def test_left_overs_of_a_killed_process_are_removed(tmp_path: Path, cache: Path) -> None:
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    frame_store(samples, data_set, space, (6, 10), with_labels=False)
    (file,) = _files(cache)
    left_over = cache / f".{file.name}.killed"
    left_over.write_bytes(file.read_bytes()[:50])
    file.unlink()
    frame_store(samples, data_set, space, (6, 10), with_labels=False)
    assert not left_over.exists()
    assert _files(cache) == [file]


def test_native_frames_of_several_sizes_are_cached_too(tmp_path: Path, cache: Path) -> None:
    data_set = SHIPPED["gta5"]
    for i, size in enumerate([(10, 16), (11, 18)]):
        data_set.write(tmp_path, "train", f"0000{i}", *random_frame(i, CITYSCAPES_19, size), CITYSCAPES_19)
    samples = data_set.samples(tmp_path, "train")
    native = frame_store(samples, data_set, CITYSCAPES_19, None, with_labels=True)
    assert [native.image(i).shape for i in (0, 1)] == [(10, 16, 3), (11, 18, 3)]
    assert [native.label(i).shape for i in (0, 1)] == [(10, 16), (11, 18)]
    assert len(_files(cache)) == 2
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(native.image(i), data_set.read_image(sample))
        np.testing.assert_array_equal(native.label(i), data_set.read_label(sample, CITYSCAPES_19))
    assert frame_store(samples, data_set, CITYSCAPES_19, (5, 8), with_labels=True).label(1).shape == (5, 8)


def test_too_large_for_the_disk_is_decoded_live(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would fill the disk is not cached, and the frames are the same."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    cached = frame_store(samples, data_set, space, (6, 10), with_labels=True)
    image, label = cached.image(0).copy(), cached.label(0).copy()
    shutil.rmtree(cache)
    monkeypatch.setattr(frames_module, "_SHARE_OF_FREE_DISK", 0.0)
    live = frame_store(samples, data_set, space, (6, 10), with_labels=True)
    assert _files(cache) == []
    np.testing.assert_array_equal(live.image(0), image)
    np.testing.assert_array_equal(live.label(0), label)


def test_an_image_replaced_in_place_is_decoded_anew(tmp_path: Path, cache: Path) -> None:
    """Of equal size and time: what is in a file counts. A file that is only copied elsewhere has its arrays already."""
    data_set, space, split = write_data_set(tmp_path, "camvid")
    samples = data_set.samples(tmp_path, split)
    first, path = frame_store(samples, data_set, space, (6, 10), with_labels=False).image(0).copy(), samples[0].image
    before, facts, digest = path.read_bytes(), path.stat(), listing_digest(samples, False)
    cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    path.write_bytes(path.read_bytes().ljust(len(before), b" ")[: len(before)])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert listing_digest(samples, False) != digest
    path.write_bytes(before)
    assert listing_digest(samples, False) == digest and len(_files(cache)) == 1
    np.testing.assert_array_equal(frame_store(samples, data_set, space, (6, 10), with_labels=False).image(0), first)


def test_the_cache_keeps_to_its_size(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The array that was not used for longest goes; whoever has it open keeps it; one that is too large is not made."""
    data_set, space, split = write_data_set(tmp_path, "gta5")
    samples = data_set.samples(tmp_path, split)
    monkeypatch.setenv("UDAMLF_CACHE_GIB", str(2.5 * len(samples) * 6 * 10 * 3 / 2**30))
    stores = {}
    for size in ((6, 10), (5, 10), (6, 10), (4, 10)):
        stores[size] = frame_store(samples, data_set, space, size, with_labels=False)
        time.sleep(0.01)
    assert sorted(len(np.load(path)) for path in _files(cache)) == [len(samples) * h * 30 for h in (4, 6)]
    assert stores[5, 10].image(1).shape == (5, 10, 3)
    assert frame_store(samples, data_set, space, None, with_labels=False).image(0).shape == (12, 20, 3)
    assert len(_files(cache)) == 2


def _open(samples: list[Frame], sums: multiprocessing.Queue[int]) -> None:
    store = frame_store(samples, SHIPPED["gta5"], CITYSCAPES_19, (60, 100), with_labels=True)
    sums.put(sum(int(store.image(i).sum()) + int(store.label(i).sum()) for i in range(len(store))))


def test_two_processes_share_one_build(tmp_path: Path, cache: Path) -> None:
    """Started together, both see whole frames, and there is one file per array."""
    data_set = SHIPPED["gta5"]
    for i in range(12):
        data_set.write(tmp_path, "train", f"{i:05d}", *random_frame(i, CITYSCAPES_19, (120, 200)), CITYSCAPES_19)
    samples = data_set.samples(tmp_path, "train")
    context = multiprocessing.get_context("spawn")
    sums = context.Queue()
    processes = [context.Process(target=_open, args=(samples, sums)) for _ in range(2)]
    for process in processes:
        process.start()
    totals = {sums.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(totals) == 1
    assert len(_files(cache)) == 2
