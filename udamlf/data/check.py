"""A look at data before it is used: every file's header, the ids of labels; all bad files, not only the first."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError, nearest
from udamlf.common.files import cache_folder, digest_json, write_text
from udamlf.config.labels import IGNORE, LabelSpace
from udamlf.config.schema import SOURCE, SOURCE_VAL, TARGET, Config
from udamlf.data.dataset import Frame, collected, split_of
from udamlf.data.splits import ScenarioData

_THREADS = 2 * len(os.sched_getaffinity(0))
_FORMAT = 2  # raise when more is looked at
_NAMED = 5  # bad files in the message of a chain


def check_classes(config: Config, learns_source: bool = True) -> None:
    """UserError: a split of an unknown data set; an id that the file calls void, and is of a class; a class of the
    label space for which the source, where its labels are read, has no id."""
    scenario, space = config.scenario, config.space
    for split in scenario.splits:
        dataset, ref = split_of(scenario, split)
        named = {raw: space.coarser.get(name, name) for raw, name in dataset.raw_classes.items()}
        own = scenario.datasets.get(ref.dataset)
        for raw in own.void if own and own.ids and "void" in own.model_fields_set else ():
            if named.get(raw) in space.classes:
                problem = f"id {raw} of data set {ref.dataset} is in `void`, and in `ids` as class {named[raw]!r}"
                raise UserError(problem, "it in one of them", "`void: []` where every id is of a class")
        missing = sorted({*space.classes} - {*named.values()}) if split == SOURCE and learns_source and named else []
        if missing:
            problem = f"class {missing[0]!r} of the label space has no id in data set {ref.dataset} ({split})"
            expected = "every class among its ids or colours, but those that are `not_in_source`"
            spare = sorted({*named.values()} - {*space.classes})
            raise UserError(problem, expected, nearest(missing[0], spare or [*named.values()]))


@dataclass
class Findings:
    images: int
    labels: int
    decoded: int = 0  # labels whose ids were read
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(IGNORE + 1, np.int64))  # of each train id, in those
    bad: list[str] = field(default_factory=list)  # a line for every bad file

    def histogram(self, space: LabelSpace) -> str:
        """Per cent of the pixels of each class, and the classes that never occur."""
        shares = 100.0 * self.pixels / max(self.pixels.sum(), 1)
        named = [f"{name} {shares[c]:.1f}" for c, name in enumerate(space.classes)]
        never = [name for c, name in enumerate(space.classes) if not self.pixels[c]]
        text = f"% of pixels in {self.decoded} labels: {', '.join(named)}, ignored {shares[IGNORE]:.1f}"
        return f"{text}; no pixel of {', '.join(never)}" if never else text


def look(
    data: ScenarioData, split: str, decode: int | None = None, watch: Callable[[int, int], None] = lambda done, of: None
) -> Findings:
    """Look at every header of a split, and at the ids of ``decode`` labels spread over it. UserError: no such split."""
    dataset, ref = split_of(data.config.scenario, split)
    frames = dataset.listing(data.root, ref.split)
    labelled = [frame for frame in frames if frame.label is not None]
    # A label that is missing is an error where a training or a score would ask for it.
    needed = split in (SOURCE, data.config.report_split) or (bool(labelled) and split != TARGET)
    chosen = {frame.name for frame in labelled[:: -(-len(labelled) // decode) or 1 if decode else 1]}

    def one(frame: Frame) -> tuple[list[str], np.ndarray | None]:
        bad, counts = dataset.faults(frame), None
        if needed and frame.label is None:
            wanted = dataset.wanted_label(data.root, frame.name, ref.split)
            bad.append(f"image without label: {frame.image}; expected: {wanted}")
        if not bad and frame.name in chosen:
            with collected(bad):
                counts = np.bincount(dataset.read_label(frame, data.config.space).ravel(), minlength=IGNORE + 1)
        return bad, counts

    findings = Findings(len(frames), len(labelled))
    for done, (bad, counts) in enumerate(ahead(one, frames, _THREADS), 1):
        watch(done, len(frames))
        findings.bad += bad
        if counts is not None:
            findings.decoded += 1
            findings.pixels += counts
    return findings


def check_headers(data: ScenarioData, splits: Mapping[str, bool], command: str) -> None:
    """Look at the headers of splits (-> whether of their labels too), of the same files once. UserError: a split or a
    label is missing, or files are bad; ``command`` lists them all."""
    for split, with_labels in splits.items():
        if split == SOURCE_VAL and not data.has(split):
            continue
        # Of the target's training images an audit takes the labels that there are.
        frames, dataset = data.samples(split, with_labels and split != TARGET), data.dataset(split)
        frames = frames if with_labels else [replace(frame, label=None) for frame in frames]
        paths = [path for frame in frames for path in (frame.image, frame.label) if path]
        facts = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths]
        key = digest_json([_FORMAT, dataset.labels.modes, dataset.resizes_labels, facts])
        marker = cache_folder() / "headers" / key[:32]
        if marker.is_file():
            continue
        bad = [line for lines in ahead(dataset.faults, frames, _THREADS) for line in lines]
        if bad:
            named = "\n".join([*bad[:_NAMED], *(["..."] if len(bad) > _NAMED else [])])
            raise UserError(f"bad files in split {split}: {len(bad)}\n{named}", "whole files that fit", command)
        write_text(marker, "")


def shared_images(data: ScenarioData, split: str, other: str) -> list[Path]:
    """Images that two splits have in common, whatever their names there. UserError: a split is missing."""
    folder = cache(Path.resolve)  # of 25,000 files one after the other it takes a second

    def images(name: str) -> set[Path]:
        paths = (frame.image for frame in data.samples(name))
        return {path.resolve() if path.is_symlink() else folder(path.parent) / path.name for path in paths}

    return sorted(images(split) & images(other))


def check_apart(data: ScenarioData, learnt: Iterable[str], scored: str) -> None:
    """UserError: an image of the split ``scored`` is in one of those whose labels a training learns."""
    for split in learnt:
        if both := shared_images(data, scored, split):
            problem = f"{len(both)} images of {scored}, e.g. {both[0]}, are in {split} too, whose labels are learnt"
            raise UserError(problem, "splits without a common image", "other globs or lists in the scenario's file")
