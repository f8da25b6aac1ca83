"""What is asked of the data, the selection and the scoring, beside a direct implementation of all steps of the released
procedures; outputs are compared. One table, a few minutes: ``make bench``, or ``python benchmarks/ratios.py [WORD]``
for the rows that hold a word.

Times are CPU seconds of this process on one thread, the least of a few repetitions, both sides in one run: a loaded
machine stretches both. A row without a direct side is a time alone.
"""

from __future__ import annotations

import io
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mlflow import MlflowClient
from PIL import Image
from real_sizes import run_stage
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation, EvalProtocol
from udamlf.config.labels import CITYSCAPES_19, IGNORE
from udamlf.config.parts import Part
from udamlf.data.batches import Draw, Stream
from udamlf.data.colour import jitter
from udamlf.data.dataset import SHIPPED
from udamlf.data.frames import FrameStore
from udamlf.data.geometry import cut_image, cut_label, draw_geometry, resize_label
from udamlf.data.pseudo_labels import encoded
from udamlf.data.raster import read_rgb
from udamlf.data.sample import Sample
from udamlf.evaluation.score import evaluate
from udamlf.miniature.frame import draw_frame
from udamlf.miniature.style import CAMERA
from udamlf.models.base import build as build_network
from udamlf.runs.tags import HOURS
from udamlf.selection.base import build, label_images

SPACE, CLASSES = CITYSCAPES_19, CITYSCAPES_19.num_classes
PAPER = Augmentation(crop_hw=(512, 1024), crop_height_range=(341, 1000))
CROPS, ROUND = 24, 8


class Row(NamedTuple):
    """Seconds of both sides, and what the comparison of their outputs said."""

    work: str
    direct: float | None
    ours: float
    outputs: str


def cpu(function: Callable[[], Any], repeat: int = 3) -> tuple[float, Any]:
    """Least CPU seconds, and the result of the last call."""
    spent, result = [], None
    for _ in range(repeat):
        start = time.process_time()
        result = function()
        spent.append(time.process_time() - start)
    return min(spent), result


def probabilities(height: int, width: int, index: int) -> torch.Tensor:
    """Float32 [C, H, W]: regions of some 64 pixels with finer noise, as a network's are."""
    generator = rng(index, "ratios")
    grids = ((64, 4.5), (8, 0.75))
    noise = [generator.normal(0, s, (CLASSES, height // g, width // g)).astype(np.float32) for g, s in grids]
    planes = [sum(cv2.resize(n[c], (width, height)) for n in noise) for c in range(CLASSES)]
    return torch.from_numpy(np.stack(planes)).softmax(0)


def png(label: np.ndarray) -> bytes:
    """As the releases write it."""
    buffer = io.BytesIO()
    Image.fromarray(label).save(buffer, "PNG")
    return buffer.getvalue()


def released_iast(scores: np.ndarray, statistics: bool) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """IAST's step of one image (iast.md 2, 7): maximum and class on the host, a Python list of half-precision scalars
    a class, ``numpy.quantile``, a threshold image row by row, the PNG; HIAST's counts and means too (hiast.md 2, 11).
    """
    confidence, label = scores.max(0), scores.argmax(0).astype(np.uint8)
    theta, means = np.full(CLASSES, 0.9), list[float]()
    for c in range(CLASSES):
        members: list[Any] = [theta[c]]
        members.extend(confidence[label == c].astype(np.float16))
        psi = np.float32(np.quantile(np.array(members, np.float64), 1 - 0.2 * theta[c] ** 8))
        moved = 0.9 * theta[c] + float(np.float32(1 - 0.9) * psi)
        theta[c] = 0.999 if moved >= 1 else moved
    required = np.array([list(map(lambda c: theta[c], row)) for row in label])
    label[confidence < required] = IGNORE
    png(label)
    if statistics:
        means = [float(sum(sum(label == c)) and confidence[label == c].mean()) for c in range(CLASSES)]
    return theta, label, means


def iast() -> Iterator[Row]:
    """One frame of 1536x768."""
    scores = probabilities(768, 1536, 0)
    for name, statistics in (("IAST", False), ("HIAST", True)):

        def ours(statistics: bool = statistics) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            selector = build(Part(name="instance_adaptive", statistics=statistics), SPACE, 1)
            (label,) = selector.assign([scores], [0])
            encoded(label)
            return selector.thresholds(), label, selector.publish().arrays.get("class_mean_confidence", np.zeros(0))

        fast, (theta, label, mean) = cpu(ours, 7)
        slow, (known, expected, means) = cpu(partial(released_iast, scores.numpy(), statistics), 1)
        assert np.array_equal(theta, known) and np.array_equal(label, expected)
        np.testing.assert_allclose(mean, means, rtol=1e-5)
        yield Row(f"{name} selection as a whole, 1536x768", slow, fast, "thresholds and labels equal")


def released_cbst(frames: list[torch.Tensor], portion: float, folder: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """CBST (cbst.md 4.2 to 4.5, 12): probability maps to the disk, every 4th confidence of a class in a growing array,
    ``sorted``, the maps read again, divided by the thresholds, argmax and maximum, the PNG."""
    seen = [np.zeros(1, np.float32) for _ in range(CLASSES)]
    for index, scores in enumerate(frames):
        np.save(folder / f"{index}.npy", scores.numpy())
        confidence, label = scores.numpy().max(0), scores.numpy().argmax(0)
        for c in range(CLASSES):
            seen[c] = np.append(seen[c], confidence[label == c][::4])
    thresholds = np.ones(CLASSES, np.float32)
    for c, values in enumerate(seen):
        k = int(np.floor(len(values) * portion))
        thresholds[c] = sorted(values, reverse=True)[k - 1] or 1.0 if k else 1.0
    labels = []
    for index in range(len(frames)):
        ratio = np.load(folder / f"{index}.npy") / thresholds[:, None, None]
        label = ratio.argmax(0).astype(np.uint8)
        label[ratio.max(0) < 1] = IGNORE
        png(label)
        labels.append(label)
    return thresholds, labels


def cbst() -> Iterator[Row]:
    """Frames of 2048x1024, from their probabilities on; two in turn: what a round costs once is shared by all."""
    frames = [probabilities(1024, 2048, index) for index in (1, 2)] * (ROUND // 2)
    with tempfile.TemporaryDirectory() as folder:
        slow, (known, expected) = cpu(lambda: released_cbst(frames, 0.2, Path(folder)), 1)

    def ours(**options: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        selector = build(Part(name="class_balanced", portion=0.2, **options), SPACE, 1)
        labels = [label for _, label in label_images(selector, ROUND, 0, frames.__getitem__)]
        for label in labels:
            encoded(label)
        return selector.thresholds(), labels

    fast, (thresholds, _) = cpu(ours, 2)
    distance = float(np.nanmax(np.abs(thresholds - known) / known))
    yield Row(
        "CBST selection, 2048x1024", slow / ROUND, fast / ROUND, f"thresholds of all pixels within {distance:.0e}"
    )
    fast, (thresholds, labels) = cpu(lambda: ours(exact=True, released="cbst"), 2)
    assert np.array_equal(thresholds.astype(np.float32), known)
    assert all(np.array_equal(a, b) for a, b in zip(labels, expected, strict=True))
    yield Row("CBST selection, exact and as released", slow / ROUND, fast / ROUND, "thresholds and labels equal")


def street(hw: tuple[int, int], index: int) -> tuple[np.ndarray, np.ndarray]:
    """An image that compresses as a photograph does, and regions of labels."""
    generator = rng(index, "street")
    smooth = cv2.resize(generator.integers(0, 256, (hw[0] // 16, hw[1] // 16, 3), np.uint8), hw[::-1])
    image = cv2.add(smooth, generator.integers(0, 12, (*hw, 3), np.uint8))
    regions = generator.integers(0, CLASSES, (hw[0] // 64, hw[1] // 64), np.uint8)
    return image, cv2.resize(regions, hw[::-1], interpolation=cv2.INTER_NEAREST)


def crops() -> Iterator[Row]:
    """Crops of 1024x512 of frames of GTA5's mixed sizes and Cityscapes', decoded each time and from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        data_set, root = SHIPPED["gta5"], Path(folder)
        for index, hw in enumerate([(1024, 2048), (1052, 1914), (1046, 1914)]):
            data_set.write(root, "train", f"{index}", *street(hw, index), SPACE)
        frames = data_set.samples(root, "train")
        path = frames[0].image
        slow, expected = cpu(lambda: read_rgb(path))
        store = FrameStore(frames, data_set, SPACE, None, False, "area")
        boxes = [draw_geometry(rng(0, n), expected.shape[:2], PAPER) for n in range(CROPS)]
        taken, cuts = cpu(lambda: [cut_image(store.image(0), box) for box in boxes])
        assert all(np.array_equal(cut_image(expected, box), cut) for box, cut in zip(boxes, cuts, strict=True))
        yield Row("a crop of a PNG, resized to 1024x512", slow + taken / CROPS, taken / CROPS, "pixels equal")
        native = Augmentation(crop_hw=(512, 1024), scale_range=(1.0, 1.0))
        boxes = [draw_geometry(rng(1, n), expected.shape[:2], native) for n in range(CROPS)]
        taken, _ = cpu(lambda: [cut_image(store.image(0), box) for box in boxes])
        yield Row("a crop of it, as it is", slow + taken / CROPS, taken / CROPS, "pixels equal")


def whole_frame_paste(frame: Sample, stored: np.ndarray, donor: Sample, geometry: Any, hard: np.ndarray) -> Sample:
    """HIAST's sample as released: label and donor brought to the whole frame by an index, pasted, then the crop."""
    (height, width), size = stored.shape, frame.image.shape[:2]
    rows, columns = ((2 * np.arange(n) + 1) * m // (2 * n) for n, m in zip(size, (height, width), strict=True))
    label, donor_label = (each[np.ix_(rows, columns)] for each in (stored, donor.label))
    mask = hard[donor_label]
    image = np.where(mask[..., None], donor.image, frame.image)
    label = np.where(mask, donor_label, label)
    return Sample(cut_image(image, geometry), cut_label(label, geometry))


def hiast_sample() -> Iterator[Row]:
    """Copy-paste and crop of 2048x1024 frames in memory with labels of 1536x768."""
    image, _ = street((1024, 2048), 5)
    other, _ = street((1024, 2048), 6)
    labels = [street((768, 1536), n)[1] for n in (5, 6)]
    classes = list(range(14))
    hard = np.isin(np.arange(256), classes)
    geometries = [draw_geometry(rng(0, n), (1024, 2048), PAPER) for n in range(CROPS)]

    def direct() -> list[Sample]:
        pair = Sample(image, labels[0]), labels[0], Sample(other, labels[1])
        return [whole_frame_paste(*pair, geometry, hard) for geometry in geometries]

    def ours() -> list[Sample]:
        stream, done = Stream("target", lambda index: Sample(image, labels[0]), 1, PAPER, 0), []
        for n in range(CROPS):
            frame, donor = (
                Sample(pixels, resize_label(label, (1024, 2048)))
                for pixels, label in zip((image, other), labels, strict=True)
            )
            done.append(Draw(stream, 0, rng(0, n)).crop(frame, donor=(donor, classes)))
        return done

    slow, expected = cpu(direct)
    fast, crops = cpu(ours)
    pairs = list(zip(crops, expected, strict=True))
    assert all(np.array_equal(a.image, b.image) and np.array_equal(a.label, b.label) for a, b in pairs)
    yield Row("HIAST's copy-paste and crop, 2048x1024", slow / CROPS, fast / CROPS, "pixels and labels equal")


@contextmanager
def forwards() -> Iterator[list[float]]:
    """CPU seconds of the forward passes of networks inside: the list's sum."""
    inside = list[float]()

    def note(sign: int) -> Callable[..., None]:
        return lambda module, *_: inside.append(sign * time.thread_time()) if hasattr(module, "normalise") else None

    hooks = register_module_forward_pre_hook(note(-1)), register_module_forward_hook(note(1))
    try:
        yield inside
    finally:
        for hook in hooks:
            hook.remove()


def scoring() -> Iterator[Row]:
    """DeepLabV2-ResNet-101 on 1024x512 of frames of 2048x1024: all that surrounds the bare forward pass. Labelling is
    the stage, as a chain runs it from the checkpoint to the archive; scoring is the loop alone."""
    with tempfile.TemporaryDirectory() as folder, forwards() as inside:
        data_set, root, count = SHIPPED["cityscapes"], Path(folder), 3
        for index in range(count):
            data_set.write(root, "train", f"a_{index}", *street((1024, 2048), index), SPACE)
        run_stage("warmup", root / "stages", root, "cityscapes", "iast")
        inside.clear()
        whole, _ = cpu(lambda: run_stage("pseudo_label", root / "stages", root, "cityscapes", "iast"), 1)
        bare = sum(inside)
        share = f"{(whole - bare) / bare:.1%} over the bare forward of {bare / count:.2f} s, of {count} frames"
        yield Row("labelling by IAST with DeepLabV2-R101 on 1024x512, a frame", None, whole / count, share)
        model = build_network("deeplabv2", CLASSES, seed=0)
        protocol = EvalProtocol(size_hw=(512, 1024), interpolation="bilinear")
        frames = data_set.samples(root, "train")
        inside.clear()
        whole, score = cpu(lambda: evaluate(model, data_set, frames, SPACE, "train", protocol, workers=1), 1)
        bare = sum(inside)
        alone = evaluate(model, data_set, frames, SPACE, "train", protocol)
    assert np.array_equal(score.confusion, alone.confusion)
    share = f"{(whole - bare) / bare:.1%} over the bare forward of {bare / count:.2f} s; the same with 0 and 1 readers"
    yield Row("scoring with DeepLabV2-R101 on 1024x512, a frame", None, whole / count, share)


def small() -> Iterator[Row]:
    """Times alone."""
    image, _ = street((128, 256), 0)
    seconds, _ = cpu(lambda: [jitter(image, rng(0, n), 0.8) for n in range(200)])
    yield Row("colour jitter of 256x128", None, seconds / 200, "")
    draw_frame(CAMERA, 0, "warm")
    seconds, _ = cpu(lambda: [draw_frame(CAMERA, 0, "speed", n) for n in range(20)])
    yield Row("drawing a frame of the miniature", None, seconds / 20, f"{20 / seconds:.0f} frames a second and core")


def commands() -> Iterator[Row]:
    """What a user waits for, in an empty folder: the chain of `make demo`, it again, its comparison."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "UDAMLF_CACHE": f"{folder}/cache"}

        def call(words: str) -> tuple[float, float, str]:
            """Seconds by the clock, CPU seconds of the process without those it forked, and what it printed."""
            before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            command = [sys.executable, "-c", "from udamlf.cli import main; main()", *words.split()]
            done = subprocess.run(command, env={**os.environ, **places}, check=True, capture_output=True, text=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            return time.perf_counter() - begin, spent, done.stdout

        demo = "run --scenario syn2city --method iast --profile demo --rounds 2"
        (first, _, table), (again, _, same), (_, compared, _) = map(call, (demo, demo, "compare"))
        assert same == table
        runs = MlflowClient(places["MLFLOW_TRACKING_URI"]).search_runs(["0"], f"tags.`{HOURS}` != ''")
        beside = [(run.info.end_time - run.info.start_time) / 1e3 - 3600 * float(run.data.tags[HOURS]) for run in runs]
    yield Row("the chain of `make demo`, by the clock", None, first, f"{len(os.sched_getaffinity(0))} cores")
    yield Row("the same command again, by the clock", None, again, "the same table")
    yield Row("a stage's start and upload, by the clock", None, sum(beside) / len(beside), f"mean of {len(runs)}")
    yield Row("udamlf compare", None, compared, "")


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    word = " ".join(sys.argv[1:])
    print(f"{date.today()}, {platform.processor() or platform.machine()}, one thread, torch {torch.__version__}\n")
    print("| work | direct | ours | ratio | outputs |\n|---|---:|---:|---:|---|")
    for part in (iast, cbst, crops, hiast_sample, scoring, small, commands):
        if word in part.__name__:
            for row in part():
                direct = "-" if row.direct is None else f"{1e3 * row.direct:,.1f} ms"
                ratio = "-" if row.direct is None else f"{row.direct / row.ours:.1f}"
                print(f"| {row.work} | {direct} | {1e3 * row.ours:,.1f} ms | {ratio} | {row.outputs} |", flush=True)


if __name__ == "__main__":
    main()
