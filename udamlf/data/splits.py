"""The splits of a scenario on disk: which images, from which data set, under which root."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from udamlf.common.errors import UserError
from udamlf.config.schema import SOURCE_VAL, TARGET, Config, SplitRef
from udamlf.data.dataset import DATASETS, DataSet, Frame, listing_digest
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
        """Data set of a split."""
        data_set: DataSet = DATASETS.find(self._ref(name).dataset)
        return data_set

    def _ref(self, name: str) -> SplitRef:
        scenario = self.config.scenario
        if name not in scenario.splits:
            raise UserError(f"scenario {scenario.name} has no split {name!r}", f"one of: {', '.join(scenario.splits)}")
        return scenario.splits[name]

    def has(self, name: str) -> bool:
        """Whether the scenario names the split and its data set has it: GTA5 as released has no ``val``."""
        if name not in self.config.scenario.splits:
            return False
        return self.dataset(name).has_split(self.root, self._ref(name).split)

    def _samples(self, name: str, require_labels: bool = False) -> list[Frame]:
        """Frames of a split; without their labels where these may not be read."""
        may_read = self.splits is None or self.splits.get(name)
        if may_read is None or (require_labels and not may_read):
            what = f"labels of {name}" if require_labels else f"split {name}"
            raise UserError(f"the {what} opened by a stage that does not declare it", "a name in its `splits`")
        frames = self.dataset(name).samples(self.root, self._ref(name).split, require_labels)
        if name == TARGET and self.images is not None:
            frames = [frame for frame in frames if frame.name in self.images]
        return frames if may_read else [replace(frame, label=None) for frame in frames]

    def digest(self, name: str, with_labels: bool) -> str:
        """Digest of a split's names and image sizes, and of its labels' sizes for who reads them; "" without it."""
        if name == SOURCE_VAL and not self.has(name):
            return ""
        return listing_digest(self.samples(name), with_labels)

    def frames(self, name: str, with_labels: bool) -> FrameStore:
        """Frames of a split, decoded as the configuration says."""
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
