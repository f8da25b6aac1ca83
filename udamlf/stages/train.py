"""What the stages that train share: declaration, network, objective, loop, checkpoint."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from udamlf.common.errors import UserError
from udamlf.common.progress import progress
from udamlf.common.seeding import torch_seed
from udamlf.config.budget import Training
from udamlf.config.parts import Part
from udamlf.config.schema import SOURCE, TARGET, Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS, SegmentationModel, device, freeze_batchnorm, reestimate_batchnorm
from udamlf.models.base import build as build_network
from udamlf.stages.images import Domains
from udamlf.stages.stage import BaseStage, Declaration, Job, Need
from udamlf.training.loop import Trainer
from udamlf.training.objective import OBJECTIVES, BaseObjective, Context, build, check_batch


class TrainingStage(BaseStage):
    def trained(self, config: Config, round: int) -> tuple[Part, Training]:
        """The objective and its budget."""
        raise NotImplementedError

    def declared(
        self, config: Config, round: int, inputs: dict[str, Need], reads: dict[str, Any], splits: dict[str, bool]
    ) -> Declaration:
        """The declaration with what every training reads."""
        objective, training = self.trained(config, round)
        every = {
            "seed": config.seed,
            "round": round,
            "training": training.model_dump(),
            "backbone": config.backbone(round).model_dump(),
            "frames": [config.frames(SOURCE), config.frames(TARGET)],
            **config.profile.model_dump(include={"precision", "micro_batch", "deterministic"}),
        }
        parts = [(OBJECTIVES, objective), (NETWORKS, config.backbone(round))]
        return Declaration(inputs, {**every, **reads}, splits, parts, _weight_files(config, round))

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        check_batch(*self.trained(config, round))

    def check_files(self, config: Config, round: int) -> None:
        """UserError: the file of initial weights is missing, or its path relative, which a stage's folder changes."""
        weights, rounds = str(config.backbone(round).params.get("weights")), config.method.round
        if weights in ("None", "imagenet") or "://" in weights or _weight_files(config, round):
            return
        key = f"method.round{f'.{round}' if isinstance(rounds, tuple) else ''}.model" if round else "profile.model"
        path = Path(weights).expanduser()
        problem, where = "no such file", f"/path/to/{path.name}"
        if path.is_file():
            problem, where = "a relative path", str(path.absolute())
        message = f"initial weights {key}.weights={weights}: {problem}"
        raise UserError(message, "an absolute path", f"--set {key}.weights={where}")


def _weight_files(config: Config, round: int) -> list[Path]:
    """The file of a training's initial weights, where it is one on this machine."""
    path = Path(str(config.backbone(round).params.get("weights"))).expanduser()
    return [path] if path.is_absolute() and path.is_file() else []


def initial_network(config: Config, round: int, pretrained: bool = True) -> SegmentationModel:
    part = config.backbone(round)
    return build_network(part.name, config.space.num_classes, seed=config.seed, pretrained=pretrained, **part.params)


def sqrt_median_frequency(pixels: np.ndarray) -> np.ndarray:
    """sqrt(median frequency / frequency) within 0.3..4, float32 [C], of pixels int64 [images, C]; 1 where none are."""
    frequency = pixels.sum(0) / max(pixels.sum(), 1)
    present = frequency > 0
    weights = np.ones(len(frequency), np.float32)
    if present.any():
        weights[present] = np.sqrt(np.median(frequency[present]) / frequency[present]).clip(0.3, 4.0)
    return weights


def train(
    job: Job, training: Training, objective: Part, model: SegmentationModel, domains: Domains,
    labels: PseudoLabels | None = None, teacher: Callable[[], SegmentationModel] | None = None,
    reestimate_bn: tuple[str, ...] = (), balanced_bn: bool = False,
) -> None:  # fmt: skip
    """Train ``model`` and publish the checkpoint under ``job.out``. ``labels``: pseudo-labels of the target;
    ``teacher`` builds the frozen network that made them; ``reestimate_bn``: "before" and / or "after";
    ``balanced_bn``: with the source's frequencies of the classes."""
    config, round = job.config, job.round
    model = model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze_batchnorm(model, training.freeze_bn_affine, training.freeze_bn_statistics)
    for name, images in domains.items():
        job.log_split(images.split, name, images.count)

    @lru_cache(maxsize=1)
    def class_pixels() -> np.ndarray:
        return domains["source"].class_pixels(config.space.num_classes)

    weighted = training.class_weights != "none" and "source" in domains
    weights = torch.from_numpy(sqrt_median_frequency(class_pixels())).to(device()) if weighted else None
    context = Context(
        model=model,
        space=config.space,
        training=training,
        round=round,
        seed=torch_seed(config.seed, "round", round),  # a round that continues another sees another order
        device=device(),
        class_weights=weights,
        source_class_pixels=class_pixels if "source" in domains else None,
        published=labels.extras if labels else {},
        teacher=teacher,
        initial=partial(initial_network, config, round) if config.backbone(round).params.get("weights") else None,
    )

    def reestimate(when: str) -> None:
        if when not in reestimate_bn:
            return
        frames = job.data.frames(TARGET, with_labels=False)
        pixels = torch.from_numpy(class_pixels().sum(0)).float() if balanced_bn else None
        share = None if pixels is None else pixels / pixels.sum()
        reestimate_batchnorm(model, frames.image, len(frames), config.profile.micro_batch, share)

    reestimate("before")
    states = _run(job, build(objective, context), domains)
    reestimate("after")
    states["last"] = model.state_dict()
    checkpoint.save(job.out / "checkpoint", states, config.backbone(round), config.space)


def _run(job: Job, objective: BaseObjective, domains: Domains) -> dict[str, dict[str, torch.Tensor]]:
    """Run the loop; returns the weights to publish beside the last ones."""
    config, profile = job.config, job.config.profile
    frames = {name: (images.read, images.count) for name, images in domains.items()}
    budget = profile.precision, profile.micro_batch, profile.workers
    trainer = Trainer(objective, frames, job.key, job.work / "state.pt", *budget)
    middle, half = job.work / "middle", max(trainer.steps // 2, 1)
    keeps_middle = config.keeps_middle(job.round)

    def on_step(done: int) -> None:
        # Kept on disk, so that a training killed after its middle still has it.
        if keeps_middle and done == half:
            checkpoint.save(middle, {"middle": objective.model.state_dict()}, config.backbone(job.round), config.space)

    if trainer.steps:
        with progress(job.title, trainer.steps) as show:

            def report(metrics: dict[str, float], step: int) -> None:
                numbers = [f"{k.removeprefix('train/')} {v:.3g}" for k, v in metrics.items() if "train/" in k]
                show(step, note=" ".join(numbers))
                job.log.log_metrics(metrics, step)

            trainer.run(report, on_step, job.log.should_stop)
    states: dict[str, dict[str, torch.Tensor]] = {}
    if (middle / checkpoint.META).is_file():
        states["middle"] = checkpoint.read_state(middle, config.space, "middle")[1]
    teacher = objective.modules.get("teacher")
    if teacher is not None:
        states["teacher"] = teacher.state_dict()
    return states
