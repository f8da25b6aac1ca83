"""What a stage is, said in one place: its inputs, what of the configuration it reads, the splits it opens, its work; a
file ``udamlf/stages/<name>.py`` with a class ``Stage``, and an entry of MLproject."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from udamlf.config.parts import Part, Parts
from udamlf.config.schema import Config
from udamlf.data.splits import ScenarioData, subset_images

TRAININGS = ("warmup", "import_checkpoint", "self_train")
"""Stages whose runs hold a checkpoint of the method; where one is an input, so is the other."""
WITH_WEIGHTS = (*TRAININGS, "pretrain")
"""Stages whose runs hold weights."""


class Need(NamedTuple):
    """An input: the output of a stage in a round."""

    stage: str
    round: int


@dataclass(frozen=True)
class Input:
    """A finished run that a stage reads; ``path`` is a local folder with its artifacts."""

    run_id: str
    path: Path
    tags: dict[str, str]


class Log(Protocol):
    """What a stage may tell its run, and ask of it (``runs.log.RunLog``)."""

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None: ...
    def log_dataset(self, name: str, digest: str, context: str, count: int, source: str) -> None: ...
    def set_tags(self, tags: Mapping[str, str]) -> None: ...
    def should_stop(self) -> bool: ...


@dataclass(frozen=True)
class Job:
    config: Config
    round: int
    inputs: Mapping[str, Input]  # by the names of the declaration
    splits: Mapping[str, bool]  # what the declaration lets it open: split -> whether with labels
    root: Path  # holds the data sets
    out: Path  # empty folder; everything in it is published when the stage succeeds, nothing otherwise
    work: Path  # outlives a killed stage: the next process with the same key continues from what is in it
    log: Log
    key: str  # hash of everything the result depends on
    predictions: Path | None = None  # for masks in the data set's submission format (``udamlf evaluate``)

    @cached_property
    def data(self) -> ScenarioData:
        """The splits that it may open; ``target_train`` is cut to the input "subset" where there is one."""
        images = subset_images(self.inputs["subset"].path) if "subset" in self.inputs else None
        return ScenarioData(self.config, self.root, images, self.splits)

    @property
    def title(self) -> str:
        """For a progress bar."""
        return f"{self.config.method.name} round {self.round}" if self.round else "warm-up"

    def log_split(self, name: str, use: str, count: int | None = None) -> None:
        """Record a split that is read, and its use: source, target, prior, evaluation."""
        images = len(self.data.samples(name)) if count is None else count
        self.log.log_dataset(name, self.data.digest(name, self.splits[name]), use, images, self.data.source(name))


class Declaration(NamedTuple):
    """What a stage is in a round of a configuration."""

    inputs: dict[str, Need]  # name of each input -> what it is
    reads: dict[str, Any]  # the part of the configuration that the result depends on, as plain values
    splits: dict[str, bool]  # splits that may be opened -> whether with their labels
    parts: list[tuple[Parts, Part]]  # building blocks that are found by name
    files: Sequence[Path] = ()  # further files whose content the result depends on


class BaseStage:
    once: ClassVar[bool] = False  # a chain has one step of it at the most, so that its round is not worth telling
    partial: ClassVar[bool] = False  # it can do with some of its inputs when it is started by hand
    every_gpu: ClassVar[bool] = False  # it spreads its work over all GPUs that are free when it starts
    needs_inputs: ClassVar[bool] = True  # it cannot start a chain

    def rounds(self, config: Config) -> Iterable[int]:
        """Rounds of the chain in which it has work; 0 is the warm-up, or the file that the chain starts from."""
        raise NotImplementedError

    def declare(self, config: Config, round: int) -> Declaration:
        """What it is in a round: plan, key, checks and entry point follow from this."""
        raise NotImplementedError

    def check(self, config: Config, round: int) -> None:
        """UserError before the first stage starts: a building block, parameter or value that does not exist."""
        where = f"method {config.method.name}, {type(self).__module__.rpartition('.')[2]} {round}: "
        for kind, part in self.declare(config, round).parts:
            kind.params(part, where)

    def check_files(self, config: Config, round: int) -> None:
        """UserError before the first stage starts: a file beside the data that it needs is not there."""

    def run(self, job: Job) -> None:
        """Do the work and write the output under ``job.out``."""
        raise NotImplementedError


STAGES = Parts("udamlf.stages", "Stage", "stage")


def stage(name: str) -> BaseStage:
    """The stage of that name. UserError for an unknown one, with the nearest."""
    return STAGES.find(name)()  # type: ignore[no-any-return]


def previous_training(config: Config, round: int) -> Need:
    """The training before a round; of the first one the warm-up, or a file that was imported."""
    first = Need("import_checkpoint" if config.start else "warmup", 0)
    return Need("self_train", round - 1) if round > config.method.first_round else first


def subset_input(config: Config) -> dict[str, Need]:
    """The choice of target images, in a method that makes one."""
    return {"subset": Need("target_subset", 1)} if config.method.target_subset and config.method.rounds else {}
