"""What a run is: scenario + method + profile + seed. ``udamlf.resolve`` reads them from YAML files and checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field

from udamlf.data.labels import LABEL_SPACES, LabelSpace
from udamlf.errors import UserError
from udamlf.evaluation.protocol import EvalProtocol
from udamlf.files import digest_file
from udamlf.training.schedule import Schedule
from udamlf.trees import assign, flatten, validated

PROJECT_ROOT = Path(__file__).resolve().parents[1]
Value = TypeVar("Value")
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]
Pixels = Annotated[int, Field(ge=1)]
OneOrMore = Field(min_length=1)


class Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(BaseModel):
    """A named building block (selector, objective, backbone) and its own parameters, checked by the block itself."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    @property
    def params(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


def per_round(value: Value | Sequence[Value], round: int) -> Value:
    """Value of a per-round hyper-parameter in round 1, 2, ...: entry ``round - 1`` of a list, the last one repeats."""
    if isinstance(value, (list, tuple)):
        return value[min(max(round, 1), len(value)) - 1]
    return value  # type: ignore[return-value]


# --- scenario -----------------------------------------------------------------------------------------------------


class ListRef(Strict):
    """A named list of images: a split of a data set."""

    dataset: str
    split: str


class Scenario(Strict):
    """Source + target data set + the label space they share."""

    name: str
    title: str
    label_space: str
    lists: dict[str, ListRef]
    report: str = Field(description="the list whose score is the scenario's result")
    profile: str = Field(default="miniature", description="the profile of a run that names none")

    @property
    def space(self) -> LabelSpace:
        """The LabelSpace named in the file."""
        return LABEL_SPACES[self.label_space]


# --- method -------------------------------------------------------------------------------------------------------


class Warmup(Strict):
    """The first training, from the backbone's initial weights."""

    objective: Part
    labelled: Literal["source_train", "target_train"] = "source_train"


class Pretraining(Strict):
    """A self-supervised training on the images of both domains, from the backbone's initial weights."""

    objective: Part
    training: dict[str, Any] = Field({}, description="dotted overrides of the profile's `warmup` budget")


class Round(Strict):
    """One round: label the target (when there is a selector), then train."""

    objective: Part
    selector: Part | None = None
    generator: Literal["last", "middle", "teacher"] = Field(
        "last", description="which weights of the previous training label the target"
    )
    start: Literal["last", "initial"] = Field("last", description="weights the training starts from")
    labelled: Literal["source_train", "easy_target"] = Field(
        "source_train", description="easy_target (IntraDA): the pseudo-labelled easy split; the target is the hard one"
    )
    source_portion: Share | Annotated[tuple[Share, ...], OneOrMore] = Field(
        1.0, description="share of the source images used in a round"
    )
    source_policy: Literal["cumulative", "random"] = Field(
        "cumulative", description="picks of a round contain those of earlier ones, or are drawn anew (cbst.md 4.6)"
    )
    pretrain: Pretraining | None = Field(None, description="replaces the initial weights, where `start` is initial")
    reestimate_bn: tuple[Literal["labelling", "before", "after"], ...] = Field(
        (), description="re-estimate BatchNorm statistics on target images before the labelling, the training, or after"
    )
    labelling: dict[str, Any] = Field(
        {},
        description="overrides of the profile's `labelling` protocol; `size_hw` may be a list, one size a round",
    )
    training: dict[str, Any] = Field({}, description="dotted overrides of the profile's `round` budget")
    model: dict[str, Any] = Field({}, description="overrides of the profile's backbone options")


class TargetSubset(Strict):
    """Which target images the rounds use: the ``top_k`` of the highest class-balanced score under the warm-up."""

    score: Literal["cbs"] = "cbs"
    top_k: int = Field(ge=1)

    def check(self, images: int) -> None:
        """UserError: more than the ``images`` that there are."""
        if self.top_k > images:
            found = f"target_subset of {self.top_k} images, of a list of {images}"
            raise UserError(found, f"at most {images}", f"--set method.target_subset.top_k={images}")


class Method(Strict):
    """What is computed."""

    name: str
    title: str
    role: Literal["baseline", "method", "oracle"] = "method"
    warmup: Warmup
    target_subset: TargetSubset | None = Field(None, description="none = every image of target_train")
    rounds: int = Field(0, ge=0)
    round: Round | tuple[Round, ...] | None = None
    scenarios: dict[str, dict[str, Any]] = Field({}, description="published values of its own for a named scenario")
    profiles: dict[str, dict[str, Any]] = Field(
        {},
        description="values that this method takes in a named profile, or in PROFILE/SCENARIO; they win over scenarios",
    )

    def round_at(self, round: int) -> Round:
        """Description of round 1, 2, ...; the last entry of a list repeats."""
        if self.round is None:
            raise UserError(
                f"method {self.name} has no `round`", "a `round` block for rounds > 0", "see configs/methods"
            )
        return per_round(self.round, round)


# --- profile ------------------------------------------------------------------------------------------------------


class BatchSize(Strict):
    """Images per optimiser step, from each domain."""

    source: int = Field(ge=0)
    target: int = Field(0, ge=0)

    def micro_batches(self, most: int | None) -> int:
        """Equal pieces that pass through the network one after another: as many as it takes for no domain to have more
        than ``most`` images in one (None: any number), or as the batch can be cut into."""
        sizes = [size for size in (self.source, self.target) if size]
        if most is None or not sizes:
            return 1
        common = gcd(*sizes)
        cuts = [count for count in range(1, common + 1) if common % count == 0]
        return next((count for count in cuts if max(sizes) // count <= most), common)


class OptimiserConfig(Strict):
    """An optimiser; ``lr`` may be a list, one entry per round."""

    name: Literal["sgd", "adam", "adamw"]
    lr: Rate | Annotated[tuple[Rate, ...], OneOrMore]
    weight_decay: Rate = 0.0
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    visits: Literal["once", "simple", "exact", "exact_fresh_decay"] = Field(
        "once", description="how often sgd steps a group that the released code lists several times (advent.md 5.1)"
    )


class Augmentation(Strict):
    """Geometry and photometry of training crops."""

    crop_hw: tuple[Pixels, Pixels] | None = Field(None, description="output size; none = the whole frame")
    crop_height_range: tuple[int, int] | None = Field(None, description="random sized crop (IAST, HIAST)")
    scale_range: tuple[float, float] | None = Field(None, description="random scale, then crop (CBST, CRST)")
    cbst_length: int | None = Field(
        None, description="with scale_range: CBST's integer rule for square crops; its value is the native width"
    )
    nominal_width: int | None = Field(
        None, description="ProDA's weak view: resized to scale_range times this width, then cropped; mirrored at 0.5"
    )
    brightness_contrast: float = Field(0.0, ge=0, le=1, description="probability of IAST's brightness/contrast step")
    flip: float = Field(0.5, ge=0, le=1, description="probability of a mirror")
    jitter_source: float = Field(0.0, ge=0, description="photometric jitter strength on source images")
    jitter_target: float = Field(0.0, ge=0, description="photometric jitter strength on target images")


class Training(Strict):
    """The budget of one training."""

    steps: Count | Annotated[tuple[Count, ...], OneOrMore]
    batch: BatchSize
    optimiser: OptimiserConfig
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    loss_stride: int = Field(1, ge=1, description="the loss is taken at 1/loss_stride of the crop's resolution")
    class_weights: Literal["none", "sqrt_median_frequency"] = "none"
    freeze_bn_affine: bool = Field(False, description="BatchNorm's weights and biases are not trained")
    freeze_bn_statistics: bool = Field(
        False, description="BatchNorm uses its stored statistics and does not update them"
    )


class Profile(Strict):
    """How much is computed.

    A file with ``extends`` names another profile and holds dotted keys that replace values of it; what methods set for
    the other one holds for both.
    """

    name: str
    title: str
    extends: str | None = None
    model: Part
    frames_hw: tuple[Pixels, Pixels] | None = Field(None, description="training frames are decoded once at this size")
    frames_interpolation: Literal["area", "bilinear", "bicubic", "lanczos"] = "area"
    warmup: Training
    round: Training
    labelling: EvalProtocol = EvalProtocol()
    evaluation: EvalProtocol = EvalProtocol()
    audit: bool = Field(False, description="the evaluate stage also scores pseudo-labels where target labels exist")
    report: str | None = Field(None, description="overrides the scenario's reported list")
    precision: Literal["float32", "bfloat16"] = "float32"
    micro_batch: int | None = Field(
        None, ge=1, description="most images of a domain in one pass; gradients accumulate, the batch stays the same"
    )
    deterministic: bool = False
    workers: int = Field(1, ge=0, description="threads that prepare batches; the result does not depend on them")


# --- the whole ----------------------------------------------------------------------------------------------------


class Config(Strict):
    """Everything a chain is a function of, beside the data and the code."""

    scenario: Scenario
    method: Method
    profile: Profile
    seed: int = Field(0, ge=0)
    data_root: str | None = Field(None, description="none = the embedded miniature")
    overrides: tuple[str, ...] = ()

    @cached_property
    def space(self) -> LabelSpace:
        """The scenario's LabelSpace."""
        return self.scenario.space

    @property
    def report_split(self) -> str:
        """Name of the list that is reported."""
        return self.profile.report or self.scenario.report

    def training(self, round: int) -> Training:
        """Budget of the warm-up (round 0) or of round 1, 2, ..., with this round's learning rate and steps."""
        if round == 0:
            return self._budget(self.profile.warmup, {}, 0, "warm-up")
        return self._budget(self.profile.round, self.method.round_at(round).training, round, "training")

    def pretraining(self, round: int) -> Training:
        """Budget of a round's self-supervised pre-training. It reads no labels, so it weighs no classes."""
        described = self.method.round_at(round).pretrain
        changes = {"class_weights": "none", **(described.training if described else {})}
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
        own = dict(self.method.round_at(round).labelling)
        sizes = own.get("size_hw")
        if isinstance(sizes, (list, tuple)) and isinstance(sizes[0], (list, tuple)):
            own["size_hw"] = per_round(sizes, round)
        tree = {**self.profile.labelling.model_dump(), **own}
        return validated(EvalProtocol, tree, f"the labelling of round {round}")

    @property
    def frames(self) -> tuple[tuple[int, int] | None, str]:
        """Size and interpolation of the frames a training reads."""
        return self.profile.frames_hw, self.profile.frames_interpolation

    def keeps_middle(self, round: int) -> bool:
        """Whether the next round is labelled by the middle of this training, as IAST's are."""
        return round > 0 and self.method.round_at(round + 1).generator == "middle"

    def backbone(self, round: int) -> Part:
        """Backbone of the warm-up (round 0) or of a round."""
        options = self.method.round_at(round).model if round > 0 else {}
        return Part(**{**self.profile.model.model_dump(), **options})

    def stage_part(self, stage: str, round: int) -> dict[str, Any]:
        """The part of the configuration that a stage reads: what its key depends on."""
        common = {"space": self.scenario.label_space, "seed": self.seed, "round": round}
        training = {
            "training": self.training(round).model_dump(),
            "backbone": self.backbone(round).model_dump(),
            "frames": self.frames,
            "precision": self.profile.precision,
            "micro_batch": self.profile.micro_batch,
            "deterministic": self.profile.deterministic,
        }
        if stage == "warmup":
            return {**common, **training, "warmup": self.method.warmup.model_dump()}
        if stage == "target_subset":
            assert self.method.target_subset is not None
            own, what = self.method.target_subset, self.stage_part("pseudo_label", round)
            return {**{k: v for k, v in what.items() if k not in ("selector", "files")}, "subset": own.model_dump()}
        if stage == "pseudo_label":
            described = self.method.round_at(round)
            selector = described.selector.model_dump() if described.selector else None
            return {
                **common,
                "selector": selector,
                "files": _digests_of_files(described.selector),
                "generator": described.generator,
                "backbone": training["backbone"],
                "frames": self.frames if "labelling" in described.reestimate_bn else None,
                "labelling": self.labelling(round).model_dump(),
            }
        if stage == "pretrain":
            described = self.method.round_at(round)
            assert described.pretrain is not None
            objective = described.pretrain.objective.model_dump()
            return {**common, **training, "training": self.pretraining(round).model_dump(), "objective": objective}
        if stage == "self_train":
            described = self.method.round_at(round)
            rest = described.model_dump(exclude={"selector", "generator", "training", "model", "pretrain", "labelling"})
            return {**common, **training, "described": rest, "keeps_middle": self.keeps_middle(round)}
        if stage == "evaluate":
            return {
                "space": common["space"],
                "split": self.report_split,
                "evaluation": self.profile.evaluation.model_dump(),
                "audit": self.profile.audit,
            }
        raise UserError(
            f"unknown stage {stage!r}", "warmup, target_subset, pseudo_label, pretrain, self_train or evaluate"
        )

    def flat(self) -> dict[str, str]:
        """Dotted key -> value of every setting, for logging as params."""
        tree = self.model_dump(exclude={"method": {"scenarios", "profiles"}})
        return {key: str(value) for key, value in flatten(tree)}

    def to_yaml(self) -> str:
        """The resolved configuration."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def _digests_of_files(selector: Part | None) -> dict[str, str]:
    """Content of the files that a selector reads: today a spatial prior."""
    prior = selector.params.get("prior") if selector else None
    return {"prior": digest_file(Path(prior))} if prior and Path(prior).is_file() else {}
