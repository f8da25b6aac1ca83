"""What warmup and self_train share: data streams, network, objective, loop, checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch

from udamlf.config import Config, Part
from udamlf.data.batches import Stream
from udamlf.data.frames import FrameStore
from udamlf.methods.base import BaseObjective, Context, build, counts_source_pixels
from udamlf.models import checkpoint
from udamlf.models.base import SegmentationModel, freeze_batchnorm, reestimate_batchnorm
from udamlf.models.base import build as build_network
from udamlf.pseudo_labels import PseudoLabels
from udamlf.seeding import torch_seed
from udamlf.stages.domains import Images, pretraining_images, training_images
from udamlf.stages.progress import Progress
from udamlf.stages.runner import Job
from udamlf.training.loop import Trainer, reproducible

BN_BATCH = 8


def device() -> torch.device:
    """The one GPU this process sees, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def initial_network(config: Config, round: int, pretrained: bool = True) -> SegmentationModel:
    """The backbone of the warm-up (round 0) or of a round with its initial weights."""
    part = config.backbone(round)
    return build_network(part.name, config.space.num_classes, seed=config.seed, pretrained=pretrained, **part.params)


def training_seed(job: Job) -> int:
    """Every training draws its own batches: a round that continues another must not see the same order again."""
    return torch_seed(job.config.seed, "round", job.round)


def sqrt_median_frequency(pixels: np.ndarray) -> np.ndarray:
    """Class weights sqrt(median frequency / frequency), within 0.3..4; a class that never occurs weighs 1.

    Args:
        pixels: int64 [images, C].

    Returns:
        float32 [C].
    """
    frequency = pixels.sum(0) / max(pixels.sum(), 1)
    present = frequency > 0
    weights = np.ones(len(frequency), np.float32)
    if present.any():
        weights[present] = np.sqrt(np.median(frequency[present]) / frequency[present]).clip(0.3, 4.0)
    return weights


def reestimate(model: SegmentationModel, frames: FrameStore) -> None:
    """BatchNorm statistics from the target images (AdaBN) in list order, in batches of 8; a shorter last batch is left
    out unless it is the only one."""
    count = max(len(frames) // BN_BATCH, 1) * BN_BATCH
    where = next(model.parameters()).device

    def batches() -> Iterator[torch.Tensor]:
        for start in range(0, count, BN_BATCH):
            images = [frames.image(i) for i in range(start, min(start + BN_BATCH, len(frames)))]
            yield model.normalise(torch.from_numpy(np.stack(images)).to(where))

    reestimate_batchnorm(model, batches())


def train(
    job: Job,
    objective: Part,
    model: SegmentationModel,
    labelled: str | None = "source_train",
    labels: PseudoLabels | None = None,
    teacher: Callable[[], SegmentationModel] | None = None,
    reestimate_bn: tuple[str, ...] = (),
    pretraining: bool = False,
) -> None:
    """Train ``model`` as the job's configuration says and publish the checkpoint under ``job.out``.

    Args:
        objective: what to minimise.
        labelled: list of the labelled images; a round with ``labelled: easy_target`` takes the easy split instead.
        labels: pseudo-labels of ``target_train``.
        teacher: builds the frozen network that labelled the round.
        reestimate_bn: "before" and / or "after".
        pretraining: with that budget, and without any label.
    """
    config = job.config
    training = config.pretraining(job.round) if pretraining else config.training(job.round)
    data = job.data
    model = model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze_batchnorm(model, training.freeze_bn_affine, training.freeze_bn_statistics)

    batch = training.batch
    asked = labelled if batch.source else None
    with_target = bool(batch.target or {"before", "after"} & set(reestimate_bn))
    source: Images | None
    target: Images | None
    if pretraining:
        (source, target), frames = pretraining_images(config, data), None
    else:
        source, target, frames = training_images(config, data, job.round, asked, labels, with_target)
    weighted = training.class_weights != "none"
    counts = source is not None and (weighted or counts_source_pixels(objective))
    pixels = source.class_pixels(config.space.num_classes) if source is not None and counts else None
    weights = sqrt_median_frequency(pixels) if pixels is not None and weighted else None
    has_weights = config.backbone(job.round).params.get("weights")
    context = Context(
        model=model,
        space=config.space,
        training=training,
        round=job.round,
        seed=training_seed(job),
        device=device(),
        class_weights=None if weights is None else torch.from_numpy(weights).to(device()),
        source_class_pixels=pixels,
        label_extras=labels.extras if labels else {},
        teacher=teacher,
        initial=partial(initial_network, config, job.round) if has_weights else None,
    )
    domains = {name: images for name, images in (("source", source), ("target", target)) if images is not None}
    for name, images in domains.items():
        job.run.log_dataset(images.list_name, data.digest(images.list_name), name, images.count)

    if frames is not None and "before" in reestimate_bn:
        reestimate(model, frames)
    kept = _run(job, build(objective, context), domains)
    if frames is not None and "after" in reestimate_bn:
        reestimate(model, frames)
    kept["last"] = model.state_dict()
    checkpoint.save(job.out / "checkpoint", kept, config.backbone(job.round), config.space)


def _run(job: Job, objective: BaseObjective, domains: dict[str, Images]) -> dict[str, dict[str, torch.Tensor]]:
    """Run the loop; returns the weights to publish beside the last ones."""
    config = job.config
    seed, augmentation = training_seed(job), objective.context.training.augmentation
    jitter = {"source": augmentation.jitter_source, "target": augmentation.jitter_target}
    streams = {
        name: Stream(name, images.read, images.count, augmentation, jitter[name], seed, objective)
        for name, images in domains.items()
    }
    trainer = Trainer(
        objective,
        streams,
        seed=seed,
        key=job.key,
        state_path=job.work / "state.pt",
        precision=config.profile.precision,
        micro_batch=config.profile.micro_batch,
        workers=config.profile.workers,
    )
    kept: dict[str, dict[str, torch.Tensor]] = {}
    middle = job.work / "middle"
    half = max(trainer.steps // 2, 1)
    keeps_middle = config.keeps_middle(job.round)

    def on_step(done: int) -> None:
        # Kept on disk, so that a training killed after its middle still has it.
        if keeps_middle and done == half:
            checkpoint.save(middle, {"middle": objective.model.state_dict()}, config.backbone(job.round), config.space)

    if trainer.steps:
        with reproducible(config.profile.deterministic), Progress(job, trainer.steps) as progress:
            trainer.run(progress.update, on_step, job.run.should_stop)
    if (middle / checkpoint.META).is_file():
        kept["middle"] = checkpoint.read_state(middle, config.space, "middle")[1]
    teacher = objective.teacher_network()
    if teacher is not None:
        kept["teacher"] = teacher.state_dict()
    return kept
