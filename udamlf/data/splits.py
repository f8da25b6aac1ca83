"""The splits of a scenario on disk: which images, from which data set, under which root."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from udamlf.common.errors import UserError
from udamlf.config.schema import SOURCE_VAL, TARGET, Config
from udamlf.data.dataset import DataSet, Frame, listing_digest, split_of
from udamlf.data.frames import FrameStore

SUBSET = "target_subset.json"
MARKER = "miniature.json"  # what a generated data root holds


def is_generated(root: Path) -> bool:
    """Whether a data root was generated (the miniature): its numbers must never pass for those of real data."""
    return (Path(root) / MARKER).is_file()


class ScenarioData:
    """Reads a scenario's splits in a data root. ``images``: names to which ``target_train`` is cut, None = all;
    ``splits``: those that may be opened -> whether their labels may be read, None = everything."""

    def __init__(
        self, config: Config, root: Path, images: list[str] | None = None, splits: Mapping[str, bool] | None = None
    ) -> None:
        self.config, self.root, self.splits = config, Path(root).expanduser().resolve(), splits
        self.images = None if images is None else set(images)
        self.kind = "miniature" if is_generated(self.root) else "real"  # the tag that keeps their numbers apart
        self.samples = lru_cache(maxsize=None)(self._samples)

    def dataset(self, name: str) -> DataSet:
        return split_of(self.config.scenario, name)[0]

    def has(self, name: str) -> bool:
        """Whether a split is there: the scenario names it, its data set's folder has its list or images of it."""
        if name not in self.config.scenario.splits:
            return False
        dataset, ref = split_of(self.config.scenario, name)
        return dataset.has(self.root, ref.split)

    def _samples(self, name: str, require_labels: bool = False) -> list[Frame]:
        """Frames of a split; without their labels where these may not be read."""
        may_read = self.splits is None or self.splits.get(name)
        if may_read is None or (require_labels and not may_read):
            what = f"labels of {name}" if require_labels else f"split {name}"
            raise UserError(f"the {what} opened by a stage that does not declare it", "a name in its `splits`")
        dataset, ref = split_of(self.config.scenario, name)
        frames = dataset.samples(self.root, ref.split)
        bare = [frame for frame in frames if frame.label is None] if require_labels else []
        if bare:
            message = f"image without label: {bare[0].image} ({len(bare)} of {len(frames)} in {name})"
            expected = dataset.wanted_label(self.root, bare[0].name, ref.split)
            raise UserError(message, expected, self._other_report(name) or dataset.remedy)
        if name == TARGET and self.images is not None:
            frames = [frame for frame in frames if frame.name in self.images]
        return frames if may_read else [replace(frame, label=None) for frame in frames]

    def _other_report(self, name: str) -> str:
        """What helps where the reported split has no labels; of any other one nothing."""
        if name != self.config.report_split or name == SOURCE_VAL:
            return ""
        home = self.has(SOURCE_VAL) and split_of(self.config.scenario, SOURCE_VAL)
        labelled = home and all(frame.label for frame in home[0].listing(self.root, home[1].split))
        first = "" if labelled else f"a split {SOURCE_VAL} of labelled frames of the source that are not learnt, and "
        return f"{first}--set profile.report={SOURCE_VAL}"

    def source(self, name: str) -> str:
        """Where a split is: the data root as a URI, its data set and the list that it is."""
        ref = self.config.scenario.splits[name]
        return f"{self.root.as_uri()}#{ref.dataset}/{ref.split}"

    def digest(self, name: str, with_labels: bool) -> str:
        """Digest of a split's names and images, and of its labels for who reads them; "" without it."""
        if name == SOURCE_VAL and not self.has(name):
            return ""
        return listing_digest(self.samples(name), with_labels)

    def frames(self, name: str, with_labels: bool) -> FrameStore:
        size_hw, rule = self.config.frames(name)
        frames, dataset = self.samples(name, with_labels), self.dataset(name)
        return FrameStore(frames, dataset, self.config.space, size_hw, with_labels, rule)


def subset_images(folder: Path) -> list[str]:
    """Names of the images that a ``target_subset`` stage has selected. UserError: the folder holds no such choice."""
    try:
        return list(json.loads((folder / SUBSET).read_text(encoding="utf-8"))["images"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"no readable {SUBSET} in {folder} ({error!r})", "a run of stage target_subset") from error


def check_subset(top_k: int, images: int) -> None:
    """UserError: a ``target_subset`` of more than the ``images`` that there are."""
    if top_k > images:
        message = f"target_subset of {top_k} images, of a split of {images}"
        raise UserError(message, f"at most {images}", f"--set method.target_subset.top_k={images}")
