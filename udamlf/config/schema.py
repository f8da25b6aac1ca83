"""What a run is: scenario + method + profile + seed. ``udamlf.config.compose`` reads it from YAML files.

Values alone: nothing here computes a result, so a key (``udamlf.runs.plan``) takes the values and not this code."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.config.labels import LABEL_SPACES, LabelSpace
from udamlf.config.parts import Part, Strict, assign, flatten, validated

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=1)]
OneOrMore = Field(min_length=1)
Rule = Literal["area", "bilinear", "bicubic", "lanczos"]
Size = tuple[int, int]
"""Height and width."""
SOURCE, TARGET, OF_LABELS = "source_train", "target_train", "labels."


class SplitRef(Strict):
    """A split of a data set."""

    dataset: str
    split: str


class Scenario(Strict):
    """Source + target data set + the label space they share; ``report`` is the split whose score is the result, and
    ``profile`` that of a run that names none."""

    name: str
    title: str
    label_space: str
    splits: dict[str, SplitRef]
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
    """One round: label the target (when there is a selector), then train.

    Attributes:
        generator: which weights of the previous training label the target.
        start: weights the training starts from; ``pretrain`` replaces the initial ones.
        source: the labelled images: a split, or a part of the target that the selector publishes (labels.NAME).
        target: the other images: target_train, or such a part.
        source_portion: share of the source images that is used; ``source_policy``: picks of a round contain those of
            earlier ones, or are drawn anew (cbst.md 4.6).
        reestimate_bn: when to re-estimate BatchNorm statistics on target images: before the labelling, before or after
            the training.
        labelling, training, model: overrides of the profile's ``labelling`` (``size_hw`` may be a list, one size a
            round), ``round`` (dotted keys) and ``model``.
    """

    objective: Part
    selector: Part | None = None
    generator: Literal["last", "middle", "teacher"] = "last"
    start: Literal["last", "initial"] = "last"
    source: str = Field(SOURCE, pattern=rf"^({SOURCE}|labels\.\w+)$")
    target: str = Field(TARGET, pattern=rf"^({TARGET}|labels\.\w+)$")
    source_portion: Share | Annotated[tuple[Share, ...], OneOrMore] = 1.0
    source_policy: Literal["cumulative", "random"] = "cumulative"
    pretrain: Pretraining | None = None
    reestimate_bn: tuple[Literal["labelling", "before", "after"], ...] = ()
    labelling: dict[str, Any] = Field({})
    training: dict[str, Any] = Field({})
    model: dict[str, Any] = Field({})

    @property
    def parts_of_target(self) -> list[str]:
        """Parts of the target, published by the selector, that are trained on."""
        return [name.removeprefix(OF_LABELS) for name in (self.source, self.target) if name.startswith(OF_LABELS)]

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
    """What is computed.

    Attributes:
        extends: another method, of which this file gives what differs.
        target_subset: none = every image of target_train.
        scenarios, profiles: values of its own for a named scenario, a profile, or PROFILE/SCENARIO; a profile's win.
    """

    name: str
    title: str
    role: Literal["baseline", "method", "oracle"] = "method"
    warmup: Warmup
    extends: str | None = None
    target_subset: TargetSubset | None = None
    rounds: int = Field(0, ge=0)
    round: Round | tuple[Round, ...] | None = None
    scenarios: dict[str, dict[str, Any]] = Field({})
    profiles: dict[str, dict[str, Any]] = Field({})

    def round_at(self, round: int) -> Round:
        """Settings of round 1, 2, ...; the last entry of a list repeats."""
        if self.round is None:
            message = f"method {self.name} has no `round`"
            raise UserError(message, "a `round` block for rounds > 0", "see configs/methods")
        return per_round(self.round, round)


class BatchSize(Strict):
    """Images per optimiser step, from each domain."""

    source: int = Field(ge=0)
    target: int = Field(0, ge=0)


class OptimiserConfig(Strict):
    """An optimiser; ``lr`` may be a list, one entry per round. ``visits``: how often sgd steps a group that released
    code lists several times (advent.md 5.1)."""

    name: Literal["sgd", "adam", "adamw"]
    lr: Rate | Annotated[tuple[Rate, ...], OneOrMore]
    weight_decay: Rate = 0.0
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    visits: Literal["once", "simple", "exact", "exact_fresh_decay"] = "once"


class Schedule(Strict):
    """How the learning rate changes within one training of T = ``period`` trainings' steps.

    ``constant``; ``poly``: (1 - k/T)^power; ``cosine``: half a cosine from 1 to ``floor``, a share of the base rate.
    A period > 1 cuts the curve before its end (IAST trains 2 epochs of a period of 3, AdvEnt 120,000 steps of 250,000),
    < 1 restarts a cosine and holds a poly at 0. ``warmup_steps`` of a linear warm-up multiply the curve."""

    kind: Literal["constant", "poly", "cosine"] = "constant"
    power: float = Field(0.9, gt=0)
    floor: float = Field(0.0, ge=0, le=1)
    period: float = Field(1.0, gt=0)
    warmup_steps: int = Field(0, ge=0)


class Augmentation(Strict):
    """Geometry and photometry of training crops.

    Attributes:
        crop_hw: output size; none = the whole frame.
        crop_height_range: random sized crop (IAST, HIAST).
        scale_range: random scale, then crop (CBST, CRST); with ``cbst_length``, the native width, CBST's integer rule
            for square crops; with ``nominal_width`` ProDA's weak view: resized to a multiple of it, cropped, mirrored.
        brightness_contrast: probability of IAST's step; ``flip``: of a mirror.
        jitter_source, jitter_target: strength of the photometric jitter of each domain.
    """

    crop_hw: tuple[Pixels, Pixels] | None = None
    crop_height_range: tuple[int, int] | None = None
    scale_range: tuple[float, float] | None = None
    cbst_length: int | None = None
    nominal_width: int | None = None
    brightness_contrast: Share = 0.0
    flip: Share = 0.5
    jitter_source: Rate = 0.0
    jitter_target: Rate = 0.0


class Training(Strict):
    """The budget of one training.

    Attributes:
        loss_stride: the loss is taken at 1/loss_stride of the crop's resolution.
        freeze_bn_affine: BatchNorm's weights and biases are not trained.
        freeze_bn_statistics: BatchNorm uses its stored statistics and does not update them.
    """

    steps: Count | Annotated[tuple[Count, ...], OneOrMore]
    batch: BatchSize
    optimiser: OptimiserConfig
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    loss_stride: int = Field(1, ge=1)
    class_weights: Literal["none", "sqrt_median_frequency"] = "none"
    freeze_bn_affine: bool = False
    freeze_bn_statistics: bool = False


class EvalProtocol(Strict):
    """How a score is computed (adversarial-warmup.md 7, advent.md 6, cbst.md 7).

    Attributes:
        size_hw: network input at scale 1; none = the image's own size.
        scales: test sizes: factors of size_hw, or explicit (height, width).
        flip: average with the prediction of the mirrored image.
        interpolation: how the image is resized: ``tensor`` (bilinear, on the normalised tensor), or a rule.
        align_corners: of the bilinear resizing of input tensor and probabilities; logits follow the network.
        output_hw: labelling only: size of the label maps; none = size_hw, native = the image's own.
        average: what is averaged at the output's size: softmax taken at the input's size, at the network's own (ProDA)
            or at the output's (CRST), the logits, or softmax of the padded image after CBST's three resamplings.
    """

    size_hw: Size | None = None
    scales: tuple[float | Size, ...] = Field((1.0,), min_length=1)
    flip: bool = False
    interpolation: Literal["tensor"] | Rule = "tensor"
    align_corners: bool = True
    output_hw: Size | Literal["native"] | None = None
    average: Literal["probabilities", "network", "output", "logits", "cbst"] = "probabilities"


class Profile(Strict):
    """How much is computed.

    Attributes:
        extends: another profile, of which this file gives what differs; what methods set for it holds for both.
        frames_hw: training frames are decoded once at this size.
        audit: the evaluate stage also scores pseudo-labels where target labels exist.
        report: overrides the scenario's reported split.
        micro_batch: most images of a domain in one pass; gradients accumulate, the batch stays the same.
        workers: threads that prepare batches; the result does not depend on them.
    """

    name: str
    title: str
    extends: str | None = None
    model: Part
    frames_hw: tuple[Pixels, Pixels] | None = None
    frames_interpolation: Rule = "area"
    warmup: Training
    round: Training
    labelling: EvalProtocol = EvalProtocol()
    evaluation: EvalProtocol = EvalProtocol()
    audit: bool = False
    report: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    micro_batch: int | None = Field(None, ge=1)
    deterministic: bool = False
    workers: int = Field(1, ge=0)


class Config(Strict):
    """Everything a chain is a function of, beside the data and the code. ``data_root``: none = the miniature.
    ``start``: absolute path of a file whose network, ``profile.model`` then, takes the warm-up's place."""

    scenario: Scenario
    method: Method
    profile: Profile
    seed: int = Field(0, ge=0)
    data_root: str | None = None
    start: str | None = None
    overrides: tuple[str, ...] = ()

    @cached_property
    def space(self) -> LabelSpace:
        """The scenario's LabelSpace."""
        return LABEL_SPACES[self.scenario.label_space]

    @property
    def report_split(self) -> str:
        """Name of the split that is reported."""
        return self.profile.report or self.scenario.report

    @property
    def frames(self) -> tuple[tuple[int, int] | None, str]:
        """Size and interpolation of the frames a training reads."""
        return self.profile.frames_hw, self.profile.frames_interpolation

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
