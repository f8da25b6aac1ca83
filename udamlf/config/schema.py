"""What a run is: scenario + method + profile + seed. Values alone: nothing here computes a result, so a key
(``udamlf.runs.plan``) takes the values and not this code."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.config.budget import EvalProtocol, FileName, OneOrMore, Profile, Share, Size, Training
from udamlf.config.labels import IGNORE, Colour, Grey, LabelSpace, Name, SpaceRef, find_space
from udamlf.config.parts import Part, Strict, assign, flatten, validated

Recipe = Literal["published", "adapted"]
SOURCE, SOURCE_VAL, TARGET = "source_train", "source_val", "target_train"
SOURCE_PREFIX, LABELS_PREFIX = "source_", "labels."
_WILDCARDS = re.compile(r"\*(?:.*\*)?")  # from the first to the last one of a path


def _below(paths: str) -> str:
    if paths.startswith("/") or set("?{}[]") & set(paths):
        raise ValueError("paths below the data set's folder, with no wildcards but * and **")
    return paths


Paths = Annotated[str, AfterValidator(_below), Field(min_length=1)]
_FromList = BeforeValidator(lambda value: dict(enumerate(value)) if isinstance(value, list) else value)
_FromOne = BeforeValidator(lambda value: [value] if isinstance(value, int) else value)


class FolderData(Strict):
    """A data set: images and labels in the folder of its name under the data root.

    ``images``: glob of the image files (``images/*.jpg``, ``*/rgb/*.png``, ``images/**/*.png``); what stands from the
    first to the last wildcard is a frame's name. ``labels``: the label files, with the same wildcards; none = no frame
    has a label. ``ids``: raw id in a label file -> class; a list counts from 0; other classes are ignored."""

    images: Paths
    labels: Paths | None = None
    ids: Annotated[dict[Grey, Name], _FromList] = Field({})
    void: Annotated[tuple[Grey, ...], _FromOne] = Field((IGNORE,), description="further ids that occur, of no class")
    colours: dict[Name, Colour] = Field({}, description="where labels are coloured pictures, in place of ids")
    home: str = Field("", description="where the data set is to be had")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wildcards = _WILDCARDS.findall(self.images)
        if not wildcards:
            raise ValueError("`images` is a glob, e.g. images/*.jpg")
        if self.labels is not None and _WILDCARDS.findall(self.labels) != wildcards:
            raise ValueError("`labels` has the wildcards of `images`, which stand for a frame's name")
        if self.labels is not None and bool(self.ids) == bool(self.colours):
            raise ValueError("labels need either `ids` or `colours` of their classes")
        if len(set(self.colours.values())) < len(self.colours):
            raise ValueError("`colours` are one for each class")
        return self

    @property
    def names(self) -> str:
        """Glob of the frames' names."""
        return str(_WILDCARDS.findall(self.images)[0])

    @property
    def raw_classes(self) -> dict[int, str]:
        """Raw id -> class; a colour's raw id is its position."""
        return self.ids or dict(enumerate(self.colours))


def template(paths: str) -> str:
    """A glob of files as a path with a place for {name}."""
    return _WILDCARDS.sub("{name}", paths, count=1)


class SplitRef(Strict):
    """A split of a data set: a list, an official split, or a glob of frame names."""

    dataset: str
    split: str


class Scenario(Strict):
    """Source + target data set + the label space they share; ``report`` is the split whose score is the result, and
    ``profile`` that of a run that names none. ``datasets`` are described here: name (of the folder) -> layout."""

    name: FileName
    title: str
    label_space: SpaceRef
    datasets: dict[Annotated[str, Field(pattern=r"^[\w-]+$")], FolderData] = Field({})
    splits: dict[Name, SplitRef]
    report: str
    profile: str = "miniature"


class Warmup(Strict):
    """The first training, from the backbone's initial weights, on a labelled split (target_train: the oracle)."""

    objective: Part
    source: Literal["source_train", "target_train"] = "source_train"


class Pretraining(Strict):
    """A self-supervised training on the images of both domains, from the backbone's initial weights; ``training`` holds
    dotted overrides of the profile's ``warmup`` budget."""

    objective: Part
    training: dict[str, Any] = Field({})


class Round(Strict):
    """One round: label the target (when there is a selector) with weights of the previous training (``generator``),
    then train, from its weights or the initial ones (``start``), which ``pretrain`` replaces.

    ``source``: the labelled images, a split, or a part of the target that the selector publishes (labels.NAME);
    ``target``: the others. ``source_policy``: picks of a round contain those of earlier ones, or are drawn anew
    (cbst.md 4.6). ``reestimate_bn``: when to re-estimate BatchNorm statistics on target images, before the labelling,
    before or after the training; ``balanced_bn``: around the training as if the target's classes were as frequent as
    the source's (``models.base.reestimate_batchnorm``). ``labelling``, ``training``, ``model``: overrides of
    the profile's ``labelling`` (``size_hw`` may be a list, one size a round), ``round`` (key by key, where a block that
    is set under ``profile.`` replaces the whole one) and ``model``."""

    objective: Part
    selector: Part | None = None
    generator: Literal["last", "middle", "teacher"] = "last"
    start: Literal["last", "initial"] = "last"
    source: str = Field(SOURCE, pattern=rf"^({SOURCE}|labels\.\w+)$")
    target: str = Field(TARGET, pattern=rf"^({TARGET}|labels\.\w+)$")
    source_portion: Share | Annotated[tuple[Share, ...], OneOrMore] = Field(1.0, description="share of its images")
    source_policy: Literal["cumulative", "random"] = "cumulative"
    ensemble: bool = Field(False, description="scored is the mean of this training's logits and the one's before it")
    pretrain: Pretraining | None = None
    reestimate_bn: tuple[Literal["labelling", "before", "after"], ...] = ()
    balanced_bn: bool = False
    labelling: dict[str, Any] = Field({})
    training: dict[str, Any] = Field({})
    model: dict[str, Any] = Field({})

    @property
    def parts_of_target(self) -> list[str]:
        """Parts of the target, published by the selector, that are trained on."""
        names = (self.source, self.target)
        return [name.removeprefix(LABELS_PREFIX) for name in names if name.startswith(LABELS_PREFIX)]

    @model_validator(mode="after")
    def _has_selector(self) -> Self:
        if self.parts_of_target and self.selector is None:
            raise ValueError(f"part {self.parts_of_target[0]!r} of the target without a `selector` that publishes it")
        return self

    @property
    def pretraining(self) -> Part | None:
        """Objective of the pre-training; none where the round continues a training."""
        return self.pretrain.objective if self.pretrain and self.start == "initial" else None


class TargetSubset(Strict):
    """Which target images the rounds use: the ``top_k`` of the highest class-balanced score under the warm-up."""

    top_k: int = Field(ge=1)


class Method(Strict):
    """What is computed: the published recipe, where there is a publication.

    ``publication``: authors, venue and year, not taken from a method that is extended; none = a baseline, or a
    composition of this project. ``profiles``: the budget at a profile, or at PROFILE/SCENARIO (network, sizes, steps,
    batches, rates), wins over the values for a scenario; ``adapted``, what is changed beyond the budget at a profile
    (objective, selector, warm-up, generator), which makes it an adapted recipe, wins over both."""

    name: FileName
    title: str
    role: Literal["baseline", "method", "oracle"] = "method"
    warmup: Warmup
    extends: str | None = Field(None, description="another method, of which this file gives what differs")
    publication: str | None = None
    target_subset: TargetSubset | None = Field(None, description="none = every image of target_train")
    rounds: int = Field(0, ge=0, le=1000)
    first_round: int = Field(1, ge=1, description="earlier ones are done by the file that the chain starts from")
    labeller: str | None = Field(None, description="beside that file: another one, which labels the first round")
    round: Round | Annotated[tuple[Round, ...], OneOrMore] | None = None
    scenarios: dict[str, dict[str, Any]] = Field({}, description="values of its own for a named scenario")
    profiles: dict[str, dict[str, Any]] = Field({})
    adapted: dict[str, dict[str, Any]] = Field({})

    @property
    def round_numbers(self) -> range:
        """The rounds that are to be done."""
        return range(self.first_round, self.rounds + 1)

    def round_at(self, round: int) -> Round:
        """Settings of round 1, 2, ...; the last entry of a list repeats."""
        if self.round is None:
            message = f"method {self.name} has no `round`"
            raise UserError(message, "a `round` block for rounds > 0", "see configs/methods")
        return per_round(self.round, round)


class Config(Strict):
    """Everything a chain is a function of, beside the data and the code. ``recipe``: whether a published method has its
    published values; ``start``: absolute path of a file whose network, ``profile.model`` then, takes the warm-up's
    place."""

    scenario: Scenario
    method: Method
    profile: Profile
    recipe: Recipe | None = None
    seed: int = Field(0, ge=0)
    data_root: str | None = Field(None, description="none = the miniature")
    start: str | None = None
    overrides: tuple[str, ...] = ()

    @cached_property
    def space(self) -> LabelSpace:
        """The scenario's LabelSpace."""
        return find_space(self.scenario.label_space)

    @property
    def names(self) -> dict[str, str]:
        """Names of scenario, method and profile."""
        return {kind: getattr(self, kind).name for kind in ("scenario", "method", "profile")}

    @property
    def report_split(self) -> str:
        """Name of the split that is reported."""
        return self.profile.report or self.scenario.report

    def frames(self, split: str) -> tuple[Size | None, str]:
        """Size and interpolation of the frames a training reads of a split."""
        return self._source_hw(split) or self.profile.frames_hw, self.profile.frames_interpolation

    def _source_hw(self, split: str) -> Size | None:
        return self.profile.source_frames_hw if split.startswith(SOURCE_PREFIX) else None

    def protocol(self, split: str) -> EvalProtocol:
        """How a network is scored on a split."""
        return self.at_split(self.profile.evaluation, split)

    def at_split(self, protocol: EvalProtocol, split: str) -> EvalProtocol:
        """The protocol with the size of a split's frames."""
        size = self._source_hw(split)
        return protocol.model_copy(update={"size_hw": size}) if size else protocol

    def training(self, round: int) -> Training:
        """Budget of the warm-up (round 0) or of round 1, 2, ..., with this round's learning rate and steps."""
        changes = self.method.round_at(round).training if round else {}
        return self._budget(self.profile.round if round else self.profile.warmup, changes, round, "training")

    def pretraining(self, round: int) -> Training:
        """Budget of a round's self-supervised pre-training. It reads no labels, so it weighs no classes."""
        settings = self.method.round_at(round).pretrain
        changes = {"class_weights": "none", **(settings.training if settings else {})}
        return self._budget(self.profile.warmup, changes, round, "pretrain.training")

    def _budget(self, base: Training, changes: Mapping[str, Any], round: int, what: str) -> Training:
        where, tree = f"method {self.method.name}, round {round}, {what}", base.model_dump()
        for key, value in flatten(changes) if changes else []:  # --set makes blocks where a file has dotted keys
            if value != {}:  # an empty block changes nothing
                assign(tree, key, value, where)
        tree["steps"] = per_round(tree["steps"], round)
        tree["optimiser"]["lr"] = per_round(tree["optimiser"]["lr"], round)
        return validated(Training, tree, where)

    def labelling(self, round: int) -> EvalProtocol:
        """How the target is labelled for round 1, 2, ..."""
        tree = {**self.profile.labelling.model_dump(), **self.method.round_at(round).labelling}
        sizes = tree["size_hw"]
        if sizes and not isinstance(sizes[0], int):
            tree["size_hw"] = per_round(sizes, round)
        return validated(EvalProtocol, tree, f"the labelling of round {round}")

    def ensemble(self, round: int) -> bool:
        """Whether what is scored is the mean of this training's network and the one before it."""
        return round > 0 and self.method.round_at(round).ensemble

    def keeps_middle(self, round: int) -> bool:
        """Whether the next round is labelled by the middle of this training, as IAST's are."""
        return round > 0 and self.method.round_at(round + 1).generator == "middle"

    def backbone(self, round: int) -> Part:
        """Backbone of the warm-up (round 0) or of a round."""
        options = self.method.round_at(round).model if round > 0 else {}
        return Part(**{**self.profile.model.model_dump(), **options})

    def flat(self) -> dict[str, str]:
        """Dotted key -> value of every setting, for logging as params."""
        return {key: str(value) for key, value in flatten(self.model_dump())}

    def to_yaml(self) -> str:
        """The resolved configuration."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)
