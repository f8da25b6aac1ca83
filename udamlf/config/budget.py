"""How much is computed: the budget of a training, the protocol of a score, the profile of a run. Values alone."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from udamlf.config.parts import Part, Strict

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Rate = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Strength = Annotated[float, Field(ge=0, le=10)]
Scale = Annotated[float, Field(gt=0, le=16)]
Pixels = Annotated[int, Field(ge=1, le=65536)]
FramePixels = Annotated[int, Field(ge=8, le=65536)]  # networks see every eighth
OneOrMore = Field(min_length=1)
Rule = Literal["area", "bilinear", "bicubic", "lanczos"]
FileName = Annotated[str, Field(pattern=r"^\w[\w.+-]*$", max_length=100)]
Precision = Literal["float32", "tf32", "float16", "bfloat16"]
Size = tuple[Pixels, Pixels]  # height and width


class BatchSize(Strict):
    """Images per optimiser step, from each domain; ``mixed``: so many in all, drawn from one shuffled list of both
    domains' images, so that a batch may hold those of one domain alone (cbst.md 5)."""

    source: int = Field(ge=0, le=65536)
    target: int = Field(0, ge=0, le=65536)
    mixed: bool = False


class OptimiserConfig(Strict):
    """An optimiser; ``lr`` may be a list, one entry per round. ``floor``: share of ``lr`` at which its cosine ends,
    where it is not the schedule's. ``visits``: how often sgd steps a group that released code lists several times
    (advent.md 5.1)."""

    name: Literal["sgd", "adam", "adamw"]
    lr: Rate | Annotated[tuple[Rate, ...], OneOrMore]
    floor: Share | None = None
    weight_decay: Rate = 0.0
    momentum: Decay = 0.9
    betas: tuple[Decay, Decay] = (0.9, 0.999)
    visits: Literal["once", "simple", "exact", "exact_fresh_decay"] = "once"


class Schedule(Strict):
    """How the learning rate changes within one training of T = ``period`` trainings' steps.

    ``constant``; ``poly``: (1 - k/T)^power; ``cosine``: half a cosine from 1 to ``floor``, a share of the base rate.
    With a period > 1 the training ends before its curve does (IAST: 2 epochs of 3, AdvEnt: 120,000 steps of 250,000);
    with one < 1 a cosine restarts and a poly stays at 0. A linear warm-up multiplies the first ``warmup_steps``."""

    kind: Literal["constant", "poly", "cosine"] = "constant"
    power: float = Field(0.9, gt=0)
    floor: float = Field(0.0, ge=0, le=1)
    period: float = Field(1.0, ge=0.001)
    warmup_steps: Count = 0


class Augmentation(Strict):
    """Geometry and photometry of training crops.

    ``scale_range``: random scale, then crop (CBST, CRST); with ``cbst_length``, the native width, CBST's integer rule
    for square crops; with ``nominal_width`` ProDA's weak view: resized to a multiple of it, cropped, mirrored.
    ``crop_height_range``: IAST's and HIAST's random sized crop."""

    crop_hw: Size | None = Field(None, description="output size; none = the whole frame")
    crop_height_range: tuple[Pixels, Pixels] | None = None
    scale_range: tuple[Scale, Scale] | None = None
    cbst_length: Pixels | None = None
    nominal_width: Pixels | None = None
    brightness_contrast: Share = Field(0.0, description="probability of IAST's step")
    flip: Share = Field(0.5, description="probability of a mirror")
    jitter_source: Strength = Field(0.0, description="strength of the source's photometric jitter")
    jitter_target: Strength = Field(0.0, description="strength of the target's photometric jitter")
    source: dict[str, Any] = Field({}, description="values that are others for the images called source")

    def of(self, domain: str) -> Self:
        """That of a domain, "source" or "target"."""
        if domain != "source" or not self.source:
            return self
        return type(self).model_validate({**self.model_dump(exclude={"source"}), **self.source})

    @model_validator(mode="after")
    def _fits(self) -> Self:
        rules = [n for n in ("crop_height_range", "cbst_length", "nominal_width") if getattr(self, n) is not None]
        if len(rules) > 1:
            raise ValueError(f"{rules[0]} and {rules[1]} are two rules for a crop")
        if self.cbst_length and (not self.scale_range or not self.crop_hw or self.crop_hw[0] != self.crop_hw[1]):
            raise ValueError("cbst_length goes with a scale_range and a square crop_hw")
        self.of("source")
        return self


class Training(Strict):
    """The budget of one training."""

    steps: Count | Annotated[tuple[Count, ...], OneOrMore]
    batch: BatchSize
    optimiser: OptimiserConfig
    schedule: Schedule = Schedule()
    augmentation: Augmentation = Augmentation()
    loss_stride: int = Field(1, ge=1, le=4096, description="the loss is taken at 1/loss_stride of the crop's size")
    class_weights: Literal["none", "sqrt_median_frequency"] = "none"
    freeze_bn_affine: bool = Field(False, description="BatchNorm's weights and biases are not trained")
    freeze_bn_statistics: bool = Field(False, description="BatchNorm uses its stored statistics, not updated")


class EvalProtocol(Strict):
    """How a score is computed (adversarial-warmup.md 7, advent.md 6, cbst.md 7).

    ``scales``: factors of ``size_hw``, or explicit (height, width). ``interpolation``: how the image is resized,
    ``tensor`` (bilinear, on the normalised tensor) or by a rule; ``align_corners``: of the bilinear resizing of input
    tensor and probabilities, logits follow the network. ``output_hw``, of a labelling: size of the label maps; none =
    size_hw, native = the image's own. ``window``: the network sees windows of this size, half of it apart, and their
    logits are averaged (HRDA). ``average``: what is averaged at the output's size: softmax taken at the input's size,
    at the network's own (ProDA) or at the output's (CRST, AdvEnt), the logits, by way of the input's size (DAFormer),
    or softmax of the padded image after CBST's three resamplings."""

    size_hw: Size | None = Field(None, description="network input at scale 1; none = the image's own size")
    scales: tuple[Scale | Size, ...] = Field((1.0,), min_length=1)
    flip: bool = Field(False, description="average with the prediction of the mirrored image")
    interpolation: Literal["tensor"] | Rule = "tensor"
    align_corners: bool = True
    output_hw: Size | Literal["native"] | None = None
    window: Size | None = None
    average: Literal["probabilities", "network", "output", "logits", "cbst"] = "probabilities"


class Profile(Strict):
    """How much is computed.

    ``extends``: another profile, of which this file gives what differs; what methods set for it holds for both.
    ``source_frames_hw``: size of the source's frames, and the network's input for the source's score, where they have
    another shape than the target's. ``precision``: of the trainings' forward passes; float16 with dynamic loss scaling,
    as apex O1; tf32 everywhere. ``micro_batch``: most images of a domain in one pass; gradients accumulate, the batch
    stays the same."""

    name: FileName
    title: str
    extends: str | None = None
    scenarios: dict[str, dict[str, Any]] = Field({}, description="values for a named scenario; a method's values win")
    model: Part
    frames_hw: tuple[FramePixels, FramePixels] | None = Field(None, description="frames are decoded once at this size")
    source_frames_hw: tuple[FramePixels, FramePixels] | None = None
    frames_interpolation: Rule = "area"
    warmup: Training
    round: Training
    labelling: EvalProtocol = EvalProtocol()
    evaluation: EvalProtocol = EvalProtocol()
    audit: bool = Field(False, description="also score pseudo-labels where target labels exist")
    validators: bool = Field(True, description="also read off target_train, without labels, how good a network seems")
    report: str | None = Field(None, description="overrides the scenario's reported split")
    precision: Precision = "float32"
    micro_batch: int | None = Field(None, ge=1)
    deterministic: bool = False
    workers: int = Field(1, ge=0, le=1024, description="threads that prepare batches; no result depends on them")
