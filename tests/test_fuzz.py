"""Whatever a file or a text holds that others may have written: it is read, or refused by a message, at once. What once
was neither lies in ``tests/corpus`` and is tried by every run."""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from tests.data.test_pseudo_labels import LABELS, TOY, finish, soft
from tests.released_files import params
from tests.released_files import state as released_state
from tests.soak import FUZZ_S
from tests.training.test_state import made
from udamlf.cli.entry import _named_runs, _words
from udamlf.common.errors import UserError
from udamlf.common.files import digest_bytes, digest_file
from udamlf.config.compose import mapping, resolve
from udamlf.config.labels import CITYSCAPES_19
from udamlf.config.parts import CONFIGS
from udamlf.data import pseudo_labels
from udamlf.data.dataset import SHIPPED
from udamlf.data.raster import check_header, read_ids, read_rgb
from udamlf.models import checkpoint, released
from udamlf.models.weight_files import read_weights
from udamlf.runs import reuse
from udamlf.runs.checkpoints import recorded_config
from udamlf.runs.log import Journal
from udamlf.runs.runner import DONE, publish
from udamlf.runs.tags import damage, step_runs
from udamlf.runs.tracker import _check_manifest

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES, HANG_S, MOST_BYTES = 12, 20, 1 << 31
Reader = Callable[[Path], Any]
"""Reads a file that may hold anything."""
TOKENS = [b"\x00", b"\xff" * 8, b"../", b"/etc/passwd", b"&a [*a]", b"[" * 99, b": ", b"\n", b"null", b"-1", b"1e999",
          b"9" * 40, b"NaN", b"'", b'"', b"{}", b"!!python/object:os.system", "\u00e9\u00b2".encode()]  # fmt: skip


def encoded(suffix: str, image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(suffix, image)[1].tobytes())


def written(write: Callable[[Path], Any], folder: Path) -> bytes:
    write(folder / "whole")
    return (folder / "whole").read_bytes()


# --- what is read, and how --------------------------------------------------------------------------------------------


def method_file(path: Path) -> None:
    resolve("gta2city", str(path.rename(path.with_suffix(".yaml"))))


def scenario_file(path: Path) -> None:
    resolve(str(path.rename(path.with_suffix(".yaml"))), "st")


def override(path: Path) -> None:
    resolve("gta2city", "st", overrides=[path.read_text(errors="replace")])


def parameter(path: Path) -> None:
    text = path.read_text(errors="replace")
    _named_runs(text)
    resolve("gta2city", "st", overrides=_words(text))


def split_list(path: Path) -> None:
    """Names of it never lead out of the data set's folder."""
    root, data_set = path.parent / "root", SHIPPED["cityscapes"]
    place = root / "cityscapes" / "lists" / "x.txt"
    place.parent.mkdir(parents=True)
    path.rename(place)
    for frame in data_set.samples(root, "x"):
        assert frame.image.resolve().is_relative_to(root)


def label(path: Path) -> None:
    for read in (
        partial(read_ids, modes=("L", "P"), expected="ids"),
        partial(read_ids, modes=("RGB", "RGBA"), expected="ids", bits=16),
    ):
        with suppress(UserError):
            read(path)


def image(path: Path) -> None:
    with suppress(UserError):
        check_header(path)
    assert read_rgb(path).dtype == np.uint8


def archive(name: str, path: Path) -> None:
    """One file of the pseudo-labels, under a digest that fits."""
    folder = path.parent / "published"
    folder.mkdir()
    pseudo_labels.publish(folder, LABELS.items(), finish, soft)
    path.replace(folder / name)
    if name != pseudo_labels.MANIFEST:
        manifest = json.loads((folder / pseudo_labels.MANIFEST).read_text())
        key = next(key for key, file in pseudo_labels._DIGESTS.items() if file == name)
        manifest[key] = digest_file(folder / name)
        (folder / pseudo_labels.MANIFEST).write_text(json.dumps(manifest))
    labels = pseudo_labels.PseudoLabels(folder, TOY)
    for image_name in labels.names:
        labels.label(image_name)
        with suppress(UserError):
            labels.soft(image_name)


def published(suffix: str, path: Path) -> None:
    released.read(path.rename(path.with_suffix(suffix)))


def weights(suffix: str, path: Path) -> None:
    read_weights(path.rename(path.with_suffix(suffix)))


def own_meta(path: Path) -> None:
    checkpoint.read_state(path.rename(path.with_name("meta.json")).parent, CITYSCAPES_19)


def own_weights(path: Path) -> None:
    meta = {**json.loads(META), "files": {"last": digest_file(path)}}
    (path.parent / "meta.json").write_text(json.dumps(meta))
    path.rename(path.with_name("model.safetensors"))
    checkpoint.read_state(path.parent, CITYSCAPES_19)


def journal(path: Path) -> None:
    path.rename(path.with_name("journal.jsonl"))
    (path.parent / "journal.sent").write_bytes(b"1")
    Journal(path.parent).waiting()


def result_of_work(path: Path) -> None:
    """It says where a finished stage's output is to go; whatever it says, the store is not reached without a run."""
    path.rename(path.with_name(DONE))
    (path.parent / "record").mkdir()
    store = SimpleNamespace(log_artifacts=lambda *_: None)

    def get(run_id: str) -> Any:
        raise UserError(f"no run {run_id!r}")

    publish(SimpleNamespace(client=store, get=get), path.parent)  # type: ignore[arg-type]


def store_manifest(path: Path) -> None:
    """A manifest that the run's tag fits, whoever wrote both."""
    path.rename(path.with_name("manifest.json"))
    _check_manifest(path.parent, digest_file(path.with_name("manifest.json")), "r")


def training_state(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(bytes.fromhex(digest_bytes(content)) + content)
    made().load(path)


def store_config(path: Path) -> None:
    text = path.read_text(errors="replace")
    recorded_config(SimpleNamespace(text=lambda *_: text), "r")  # type: ignore[arg-type]


def store_key(path: Path) -> None:
    """What differs from a new key of the same step."""
    here = {"config": {"a": 2}, "code": {"udamlf.losses": "1"}, "inputs": {}}
    reuse.differences(mapping(path.read_bytes(), "key.json"), here)


def store_tags(path: Path) -> None:
    pairs = [line.partition("=")[::2] for line in path.read_text(errors="replace").split("\n")]
    tags = dict(pairs)
    if not damage(SimpleNamespace(data=SimpleNamespace(tags=tags, params={}))):
        step_runs(tags)


META = json.dumps({"backbone": {"name": "compact"}, "label_space": CITYSCAPES_19.name,
                   "classes": CITYSCAPES_19.classes, "files": {"last": "0"}}).encode()  # fmt: skip
PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
OWN = b"""name: x\ntitle: y\ndatasets:\n  f: {images: 'i/**/*.png', labels: 'm/**/*.png', ids: [a, b]}
label_space: {classes: [a, b]}\nsplits:\n  source_train: {dataset: f, split: d/*}
  target_train: {dataset: f, split: n/*}\n  target_test: {dataset: f, split: t}\nreport: target_test\n"""
JOURNAL = b"".join(json.dumps({"metrics": {"a": 1.0}, "step": n, "time_ms": n, "run": "r"}).encode() + b"\n"
                   for n in range(3))  # fmt: skip


def saved(zipped: bool, folder: Path) -> bytes:
    tensors = dict(list(released_state("advent").items())[:8])
    return written(lambda path: torch.save(tensors, path, _use_new_zipfile_serialization=zipped), folder)


def archived(name: str, folder: Path) -> bytes:
    pseudo_labels.publish(folder, LABELS.items(), finish, soft)
    return (folder / name).read_bytes()


def arrays(folder: Path) -> bytes:
    np.savez(folder / "a.npz", a=np.ones(3))
    return (folder / "a.npz").read_bytes()


def shipped(kind: str, name: str, folder: Path) -> bytes:
    return (CONFIGS / kind / f"{name}.yaml").read_bytes()


def recorded(folder: Path) -> bytes:
    return yaml.safe_dump(resolve("gta2city", "st").model_dump(mode="json")).encode()


Whole = bytes | Callable[[Path], bytes]
_PUBLISHED = (pseudo_labels.MANIFEST, pseudo_labels.ARCHIVE, pseudo_labels.EXTRAS, pseudo_labels.SOFT)
READERS: dict[str, tuple[Reader, list[Whole]]] = {
    "a method's YAML": (method_file, [partial(shipped, "methods", name) for name in ("st", "proda")]),
    "a scenario's YAML": (scenario_file, [OWN, partial(shipped, "scenarios", "gta2city")]),
    "--set": (override, [b"profile.warmup.steps=3", b"method.round.selector={name: threshold, portion: 0.5}"]),
    "an entry point's parameter": (parameter, [b"labels=0 start='1'", b"profile.warmup.steps=3 'a=b'"]),
    "a split's list": (split_list, [b"a_1\nb_2\n"]),
    "an image": (image, [encoded(suffix, PIXELS) for suffix in (".png", ".jpg")]),
    "a label": (label, [encoded(".png", PIXELS[..., 0]), encoded(".png", PIXELS.astype(np.uint16))]),
    **{f"{name} of pseudo-labels": (partial(archive, name), [partial(archived, name)]) for name in _PUBLISHED},
    "a released .pth": (partial(published, ".pth"), [partial(saved, True), partial(saved, False)]),
    "MXNet's .params": (partial(weights, ".params"), [params({"arg:a": np.ones(3, np.float32)})]),
    "weights in .npz": (partial(weights, ".npz"), [arrays]),
    "a checkpoint's meta.json": (own_meta, [META]),
    "a checkpoint's weights": (own_weights, [save({"a": torch.zeros(2)})]),
    "a journal": (journal, [JOURNAL]),
    "done.json of a work folder": (result_of_work, [b'{"run_id": "a", "round": 1, "others": ["/x"]}']),
    "manifest.json of a store": (store_manifest, [b'{"files": {"file": "ab", "a/b.png": "0"}}']),
    "a training state": (training_state, [lambda folder: written(lambda path: made().save(path), folder)[32:]]),
    "config.yaml of a store": (store_config, [b"scenario: {lists: {}}", recorded]),
    "key.json of a store": (store_key, [b'{"config": {"a": 1}, "code": {"udamlf.losses": "0"}, "inputs": {}}']),
    "tags of a store": (store_tags, [b"seed=1\nround=0\nudamlf.run.a.1=x\noverrides=a 'b'"]),
}
"""What is read: how, and whole contents (or what makes one in a folder) to begin from."""


# --- the test ---------------------------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn, wholes: list[bytes]) -> bytes:
    """A whole content in which up to four places are exchanged, put in, doubled or left out, perhaps cut off; or any
    bytes at all."""
    content = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, len(content)))
        last = min(len(content), first + draw(st.integers(0, 12)))
        piece = draw(st.binary(max_size=8) | st.sampled_from(TOKENS) | st.just(bytes(content[first:last]) * 2))
        content[first:last] = piece
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content) if draw(st.integers(0, 9)) else draw(st.binary(max_size=60))


def tried(content: bytes, read: Reader, folder: Path) -> None:
    """Read it from a file in an otherwise empty folder; a ``UserError`` is an answer."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "file").write_bytes(content)
    with suppress(UserError):
        read(folder / "file")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_anything_is_read_or_refused(name: str, tmp_path: Path) -> None:
    """No other exception, none that takes longer than ``HANG_S`` seconds, and no memory that the file does not have."""
    read, origins = READERS[name]
    wholes = [whole if isinstance(whole, bytes) else whole(tmp_path) for whole in origins]
    kept = CORPUS / "".join(letter if letter.isalnum() else "_" for letter in name)
    for file in sorted(kept.glob("*")):
        tried(file.read_bytes(), read, tmp_path / "one")
    last = b""

    @settings(max_examples=EXAMPLES, deadline=1000 * HANG_S, suppress_health_check=[*HealthCheck], database=None)
    @given(damaged(wholes))
    def attack(content: bytes) -> None:
        nonlocal last
        last = content
        tried(content, read, tmp_path / "one")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = time.monotonic() + FUZZ_S / len(READERS)
    try:
        attack()
        while time.monotonic() < end:
            attack()
    except BaseException:
        if FUZZ_S:  # the smallest one that hypothesis has found, for good
            kept.mkdir(parents=True, exist_ok=True)
            (kept / digest_bytes(last)[:12]).write_bytes(last)
        raise
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_BYTES
