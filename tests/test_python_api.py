"""``import udamlf``: what a script plainly means is taken, the rest refused in a sentence; images in and masks out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import PIL.Image
import pytest

import udamlf
from udamlf.common.errors import UserError
from udamlf.config.labels import CITYSCAPES_19
from udamlf.runs import checkpoints, repeat
from udamlf.runs.results import _request
from udamlf.runs.serving import Prediction, Segmenter, read_image
from udamlf.runs.tracker import Tracker

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def segmenter(*_: Any) -> Segmenter:
    """One that labels every pixel with class 1."""

    def network(image: Any) -> Prediction:
        labels = np.ones(read_image(image).shape[:2], np.uint8)
        return Prediction(labels, labels.astype(np.float32), np.dstack([labels] * 3), CITYSCAPES_19.classes)

    network.space = CITYSCAPES_19  # type: ignore[attr-defined]
    return cast(Segmenter, network)


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ({"rounds": "2", "seed": "1"}, {"rounds": 2, "seed": 1}),
        ({"data_root": Path("world"), "profile": None}, {"data_root": "world", "profile": ""}),
        ({"overrides": None}, {"overrides": ()}),
        (
            {"overrides": {"profile.model.weights": Path("/x/mit.pth"), "profile.warmup.steps": np.int64(3)}},
            {"overrides": ("profile.model.weights=/x/mit.pth", "profile.warmup.steps=3")},
        ),
        ({"overrides": "profile.warmup.steps=4"}, {"overrides": ("profile.warmup.steps=4",)}),
        (
            {"overrides": {"profile.frames_hw": (64, 128), "profile.precision": "float16", "profile.audit": False}},
            {"overrides": ("profile.frames_hw=[64, 128]", "profile.precision=float16", "profile.audit=false")},
        ),
    ],
)
def test_a_request_takes_what_is_plainly_meant(given: dict[str, Any], understood: dict[str, Any]) -> None:
    request = _request(scenario="gta2city", method="st", **given)
    assert {name: getattr(request, name) for name in understood} == understood


WRONG: list[dict[str, Any]] = [{"rounds": "x"}, {"rounds": 1.5}, {"recipe": "x"}, {"overrides": [4]}, {"overrides": 4}]


@pytest.mark.parametrize("given", WRONG)
def test_a_request_of_other_values_is_refused(given: dict[str, Any]) -> None:
    """A recipe that does not exist once ran as the published one."""
    with pytest.raises(UserError, match=rf"^udamlf\.run: {next(iter(given))}"):
        udamlf.run("gta2city", "st", **given)


def test_a_comparison_of_nothing_is_refused(tracker: Tracker) -> None:
    with pytest.raises(UserError, match="no finished chain of any scenario"):
        udamlf.compare()


def test_predict_takes_one_image_or_several(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkpoints, "segmenter", segmenter)
    image, file = PIL.Image.fromarray(PIXELS), tmp_path / "street.png"
    image.save(file)
    for single in (PIXELS, image, image.convert("L"), str(file), file, file.read_bytes()):
        assert [each.class_map.shape for each in checkpoints.predict(single)] == [(4, 6)]
    for several in (np.stack([PIXELS] * 3), [PIXELS, image, file], iter([file] * 3)):
        assert len(checkpoints.predict(several)) == 3
    for wrong in (PIXELS / 255, PIXELS[..., 0], PIXELS.transpose(2, 0, 1), PIXELS.tolist(), None, image.convert("F")):
        with pytest.raises(UserError, match=r"an array|an image of type"):
            checkpoints.predict(wrong)


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        (["a", "c.png"], ["1", "c"]),
        (["a", "b"], ["a/1", "b/1"]),
        (["a/1.png", "../work/b/1.png"], ["a/1", "b/1"]),
        (["a", "b/1.png", "c.png"], ["a/1", "b/1", "c"]),
    ],
)
def test_images_of_one_name_keep_their_folders(
    inputs: list[str], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only two files of one folder, as 1.png and 1.jpg, cannot both be written; both are named."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for file in ("a/1.png", "b/1.png", "c.png"):
        Path(file).parent.mkdir(exist_ok=True)
        PIL.Image.fromarray(PIXELS).save(file)
    assert checkpoints.predict_files(segmenter(), inputs, Path("out")) == (len(names), [])
    written = sorted(str(path.relative_to("out/labels").with_suffix("")) for path in Path("out/labels").rglob("*.png"))
    assert written == names
    with pytest.raises(UserError, match=r"a/1\.png and a/1\.jpg would both become 1\.png"):
        checkpoints.predict_files(segmenter(), ["a/1.png", "a/1.jpg"], Path("other"))
    assert not Path("other").exists()


def test_bad_files_are_told_once_and_by_us(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """FFmpeg has lines of its own on a damaged video, with the address of a decoder."""
    frames = np.random.default_rng(0).integers(0, 256, (9, 64, 96, 3), np.uint8)
    whole = tmp_path / "whole.avi"
    video = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 5, (96, 64))
    for frame in frames:
        video.write(frame)
    video.release()
    files = {"cut.avi": whole.read_bytes()[: whole.stat().st_size // 2], "junk.mp4": b"junk" * 99, "bad.png": b"junk"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    inputs = [str(tmp_path / name) for name in ("whole.avi", *files, "absent.mp4")]
    done, bad = checkpoints.predict_files(segmenter(), inputs, tmp_path / "out")
    assert [line.partition(": ")[2] for line in bad if line.endswith("no video")] == ["it is missing, or no video"] * 2
    assert done >= 9 and len(bad) == 4 and "of 9 frames" in bad[0] and "bad.png" in bad[2]
    assert capfd.readouterr() == ("", "")


def test_a_difference_is_one_of_values_and_not_of_where_they_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "one": {"profile.a": "(1, 2) (profile tiny)", "profile.b": "3 (profile tiny)", "seed": "0"},
        "two": {"profile.a": "(1, 2) (--set)", "profile.b": "4 (--set)", "seed": "1"},
    }
    monkeypatch.setattr(repeat, "Tracker", SimpleNamespace(existing=lambda: None))
    monkeypatch.setattr(repeat, "_facts", lambda _, run: {"configuration": facts[run]})
    said = repeat.differences("one", "two")
    assert said == "configuration\n  profile.b: 3 (profile tiny) -> 4 (--set)\n  seed: 0 -> 1"
