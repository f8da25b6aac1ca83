"""Trained networks: imported from a released file, found by their run, scored again, used on a user's own images."""

import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import ValidationError

from udamlf.common import progress
from udamlf.common.errors import UserError, nearest
from udamlf.common.files import file_lock, write_json
from udamlf.common.progress import tracked
from udamlf.config.parts import validated
from udamlf.config.reading import mapping
from udamlf.config.schema import SOURCE_VAL, TARGET, Config
from udamlf.data.dataset import split_of
from udamlf.data.raster import write_pixels
from udamlf.data.splits import ScenarioData
from udamlf.runs.environment import CONFIG
from udamlf.runs.log import ending
from udamlf.runs.plan import Request, data_root, key_of, key_parts
from udamlf.runs.runner import execute, remove_work, run_stage
from udamlf.runs.serving import Prediction, Segmenter, load_model, read_image, register_version, segmenter_config
from udamlf.runs.signals import StopFlag
from udamlf.runs.tags import CHAIN, MODEL, step_runs
from udamlf.runs.tracker import Tracker
from udamlf.stages.stage import TRAININGS, Input

IMPORT = "import_checkpoint"
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
IMAGES_AND_VIDEOS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", *VIDEOS)
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong with a video is said once, with its name
logger = logging.getLogger("udamlf")


def trained(tracker: Tracker, run_id: str, config: Config | None = None) -> tuple[dict[str, Input], Config]:
    """The training of a run, a chain's last one, as the input "training" of ``evaluate``, with "other" where its round
    is an ensemble; its configuration, unless there is another one. UserError: the run has no checkpoint."""
    tags = tracker.get(run_id).data.tags
    if tags.get("stage") == CHAIN:
        done = {(round, name): step for (name, round), step in step_runs(tags).items() if name in TRAININGS}
        if not done:
            raise UserError(f"chain {run_id} has finished no training", "a chain with a checkpoint", "run it again")
        run_id = done[max(done)]
    elif tags.get("stage") not in TRAININGS:
        message = f"run {run_id} is of stage {tags.get('stage', 'no stage of udamlf')}, which has no checkpoint"
        raise UserError(message, f"a chain, or a run of stage {' or '.join(TRAININGS)}")
    training, config = tracker.fetch(run_id), config or recorded_config(tracker, run_id)
    inputs = {"training": training}
    if config.ensemble(int(training.tags["round"])):
        inputs["other"] = tracker.fetch(training.tags["udamlf.input.start"])
    return inputs, config


def recorded_config(tracker: Tracker, run_id: str) -> Config:
    """The configuration that a run has recorded, as far as this version knows its keys: runs of earlier versions can be
    scored. UserError: there is none, or none readable."""
    where = f"the configuration of run {run_id}"
    if not (text := tracker.text(run_id, CONFIG)):
        raise UserError(f"run {run_id} has no {CONFIG}", "the configuration it was trained with", "train it again")
    tree = mapping(text, where)
    if isinstance(scenario := tree.get("scenario"), dict) and "lists" in scenario:  # of version 0.1
        scenario.setdefault("splits", scenario["lists"])
    return validated(Config, _without_unknown(tree), where)


def _without_unknown(tree: dict[str, Any]) -> dict[str, Any]:
    """``tree`` without the keys that this version's configuration does not have."""
    try:
        Config.model_validate(tree)
    except ValidationError as error:
        unknown = [entry["loc"] for entry in error.errors() if entry["type"] == "extra_forbidden"]
        for *path, last in unknown:
            node: Any = tree
            for key in path:  # a location also names the members of unions, which are no keys
                node = node[key] if isinstance(key, int) or key in node else node
            del node[last]
        return _without_unknown(tree) if unknown else tree
    return tree


def evaluate_run(
    run_id: str, stop: StopFlag, split: str | None = None, folder: str | None = None, scales: Sequence[float] = (),
    flip: bool = False, predictions: Path | None = None, config: Config | None = None,
) -> tuple[dict[str, Any], Config]:  # fmt: skip
    """Score the checkpoint of a training run on a split of its scenario (none: the reported one); records a child run.

    ``folder``: another data root with the same layout; ``scales``, ``flip`` replace the profile's protocol;
    ``predictions``: folder for masks in the data set's submission format; ``config``: in place of the recorded one.
    Returns ``run_id``, ``split``, ``images``, ``protocol``, ``miou`` and ``iou`` in percent; and the configuration."""
    tracker = Tracker.existing()
    inputs, recorded = trained(tracker, run_id, config)
    training, tracker = inputs["training"], tracker.within(run_id)
    predictions = predictions and Path(predictions)
    config = _changed(recorded, split, folder, scales, flip)
    tags = {name: training.tags[name] for name in {"role", "seed", "round"} & training.tags.keys()} | config.names
    tags |= {"stage": "evaluate", "split": config.report_split, "udamlf.evaluates": training.run_id}
    child = tracker.create_run(f"evaluate {config.report_split}", tags, parent=training.run_id)
    with ending(tracker, child):
        key, number = f"evaluate-{child}", int(training.tags["round"])
        result = execute("evaluate", config, number, inputs, tracker, child, key, {}, stop, predictions)
    remove_work(tracker.work / "steps" / key)
    space = config.space
    score = {"run_id": training.run_id, **{name: result[name] for name in ("split", "images", "protocol")}}
    score["miou"] = {name: result["miou"][name] for name in space.subsets}
    score["iou"] = {name: result["iou"][name] for name in (*space.classes, *space.not_in_source)}
    return score, config


def _changed(config: Config, split: str | None, folder: str | None, scales: Sequence[float], flip: bool) -> Config:
    """A run's configuration for the score of one split alone, with another folder or protocol; the split may be one of
    the target's data set that the scenario does not name. UserError: neither knows it."""
    if folder:
        config = config.model_copy(update={"data_root": str(Path(folder).expanduser().absolute())})
    tree, scenario = config.model_dump(mode="json"), config.scenario
    tree["profile"] |= {"audit": False, "validators": False} | ({"report": split} if split else {})
    tree["profile"]["evaluation"] |= ({"scales": scales} if scales else {}) | ({"flip": True} if flip else {})
    if split != SOURCE_VAL:
        tree["scenario"]["splits"].pop(SOURCE_VAL, None)
    if split and split not in scenario.splits:
        (target, ref), root = split_of(scenario, TARGET), data_root(config)
        known = target.known_splits(root)
        if split not in known:
            message = f"neither scenario {scenario.name} nor {ref.dataset} in {root} has a split {split!r}"
            expected = f"of {scenario.name}: {', '.join(scenario.splits)}; of {ref.dataset}: {', '.join(known)}"
            raise UserError(message, expected, nearest(split, [*scenario.splits, *known]))
        tree["scenario"]["splits"][split] = {"dataset": ref.dataset, "split": split}
    return validated(Config, tree, f"split {split} of {scenario.name}")


def segmenter(run_id: str = "", model: str = "") -> Segmenter:
    """The network of a run, a chain's last one, or of a model's MLflow address. UserError: not exactly one of them."""
    if bool(run_id) == bool(model):
        raise UserError("a prediction takes exactly one network", "a run's id, or a model's address")
    tracker = Tracker.existing()
    if model:
        return load_model(model)
    inputs, config = trained(tracker, run_id)
    folders = [each.path / "checkpoint" for each in inputs.values()]
    return Segmenter(folders, segmenter_config(config))


def predict(images: Any, run_id: str = "", model: str = "") -> list[Prediction]:
    """Class map, confidence and colours of each image, or of the only one, at its own size; images: ``serving.Image``,
    or one array uint8 [N, H, W, 3]. UserError: see ``segmenter``, ``read_image``."""
    progress.show()
    is_array = isinstance(images, np.ndarray) and images.ndim in (2, 3)
    single = is_array or isinstance(images, (str, bytes)) or not isinstance(images, Iterable)
    listed = [images] if single else list(images)
    return list(map(segmenter(run_id, model), tracked(listed, "images", len(listed))))


def register(run_id: str, name: str = "", alias: str = "") -> str:
    """Make the checkpoint of a run, a chain's last one, a version of a registered model; its address."""
    tracker = Tracker.existing()
    inputs, config = trained(tracker, run_id)
    if (model_id := inputs["training"].tags.get(MODEL)) is None:
        raise UserError(f"run {run_id} has no model", "a training of a later version of udamlf")
    tags = {"scenario": config.scenario.name, "method": config.method.name, "seed": str(config.seed)}
    return register_version(tracker, model_id, name or f"{config.scenario.name}-{config.method.name}", alias, tags)


def predict_files(network: Segmenter, inputs: Sequence[str], out: Path) -> tuple[int, list[str]]:
    """Write, for every image, image in a folder and frame of a video, ``labels/NAME.png`` (grey: train ids),
    ``colour/NAME.png`` and ``overlay/NAME.jpg``, and ``classes.json``. Returns how many were written, and what is wrong
    with files that cannot be read. UserError: a folder without any, or two that would be written to one place."""
    files, bad, done = _listed(inputs, out), list[str](), 0
    total = sum(map(_length, files.values()))
    logger.info("%d images, of %d files", total, len(files))
    colours = [list(rgb) for rgb in network.space.palette]
    write_json(out / "classes.json", {"classes": network.space.classes, "colours": colours})
    for name, image in tracked(_images(files, bad), "images", total):
        labels, _, colour, _ = network(image)
        write_pixels(out / "labels" / f"{name}.png", labels)
        write_pixels(out / "colour" / f"{name}.png", colour[..., ::-1])
        write_pixels(out / "overlay" / f"{name}.jpg", cv2.addWeighted(image, 0.5, colour, 0.5, 0)[..., ::-1])
        done += 1
    return done, bad


def _listed(inputs: Sequence[str], out: Path) -> dict[str, Path]:
    """Name of the output -> file: its path, without suffix, below its input; where two are one, below all inputs."""
    folders: dict[Path, Path] = {}
    for path in map(Path, inputs):
        below = (p for p in sorted(path.rglob("*")) if not p.resolve().is_relative_to(out.resolve()))
        inside = [p for p in below if p.suffix.lower() in IMAGES_AND_VIDEOS]
        if path.is_dir() and not inside:
            raise UserError(f"no image or video in {path}", f"files that end in {' '.join(IMAGES_AND_VIDEOS)}")
        folders |= dict.fromkeys(inside, path) if inside else {path: path.parent}
    names = [file.relative_to(folder).with_suffix("") for file, folder in folders.items()]
    if len(set(names)) < len(names):
        common = os.path.commonpath(list(map(os.path.abspath, folders.values())))
        names = [Path(os.path.relpath(file, common)).with_suffix("") for file in folders]
    files: dict[str, Path] = {}
    for name, file in zip(map(str, names), folders, strict=True):
        if files.setdefault(name, file) != file:
            raise UserError(f"{files[name]} and {file} would both become {name}.png", "names that differ")
    return files


def _length(path: Path) -> int:
    """Number of images in a file, by its header."""
    return int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT)) if path.suffix.lower() in VIDEOS else 1


def _images(files: dict[str, Path], bad: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels of every image; a file that cannot be read is added to ``bad``."""
    for name, path in files.items():
        try:
            if path.suffix.lower() not in VIDEOS:
                yield name, read_image(path)
                continue
            video, count = cv2.VideoCapture(str(path)), 0
            while (frame := video.read()[1]) is not None:
                yield f"{name}/{count:06d}", np.ascontiguousarray(frame[..., ::-1])
                count += 1
            if count < max(1, (length := _length(path)) - 1):  # some formats only estimate it
                told = f"{count} of {length} frames" if length else "it is missing, or no video"
                raise UserError(f"cannot decode {path}: {told}")
        except UserError as error:
            bad.append(error.message)


def import_file(
    file: str, scenario: str, profile: str, folder: str | None, stop: StopFlag
) -> tuple[Input, Config, dict[str, Any]]:
    """The run of a released file, made if need be; the configuration; what was imported. UserError: it is refused."""
    config = Request(scenario, "source_only", profile, data_root=folder, start=file).resolve()  # no rounds
    tracker, data = Tracker.connect(), ScenarioData(config, data_root(config, ()))
    key = key_of(key_parts(config, IMPORT, 0, {}, data.digest))
    with file_lock(tracker.work / "locks" / key, IMPORT):
        imported = tracker.finished(key)
        if imported is None:
            imported = tracker.fetch(run_stage(IMPORT, lambda: config, Path(file).name, 0, {}, stop))
    return imported, config, json.loads((imported.path / "import.json").read_text(encoding="utf-8"))


def start_file(start: str) -> str:
    """The file that ``--start`` names: itself, or by the run that imported it."""
    if not start or Path(start).expanduser().is_file():
        return start
    try:
        tracker = Tracker.existing()
        tracker.fetch(start)
    except UserError as error:
        raise UserError(f"--start {start}: no such file, and no finished run", "a released checkpoint") from error
    file = recorded_config(tracker, start).start
    if file is None or not Path(file).is_file():
        problem = "the run imported no file" if file is None else f"its file {file} is no longer there"
        raise UserError(f"--start {start}: {problem}", f"a file, or a run of stage {IMPORT} whose file is there")
    return file


def summary(report: dict[str, Any], run_id: str) -> str:
    """The report as text: numbers of tensors, and the names of those that were not used by their first words."""

    def counted(names: list[str]) -> str:
        groups = Counter(name.rpartition(".")[2] if "num_batches" in name else name.partition(".")[0] for name in names)
        shown = ", ".join(f"{group} ({count})" if count > 1 else group for group, count in groups.items())
        return f"{len(names)} tensors or entries: {shown}" if names else "0"

    network, classes = report["network"], report["classes"]
    options = ", ".join(f"{name} {value}" for name, value in network.items() if name != "name")
    kept = f", of which {len(classes)} are kept: {', '.join(classes)}" if len(classes) < report["outputs"] else ""
    lines = {
        "project": report["project"],
        "network": f"{network['name']} ({options}), {report['outputs']} outputs{kept}",
        "used": f"{len(report['used'])} tensors",
        "ignored": counted(report["ignored"]),
        "missing": counted(report["missing"]),
        "sha256": report["sha256"],
        "run": run_id,
    }
    return "\n".join(f"{name:8} {text}" for name, text in lines.items())
