"""What the labelling stages share: the network that labels the target, and what decides its probabilities."""

from typing import Any

import torch

from udamlf.config.schema import TARGET, Config
from udamlf.models import checkpoint
from udamlf.models.base import SegmentationModel, device, reestimate_batchnorm
from udamlf.stages.stage import Input, Job


def labelling_reads(config: Config, round: int) -> dict[str, Any]:
    """What of the configuration decides the probabilities of the target images."""
    settings, profile = config.method.round_at(round), config.profile
    return {
        "seed": config.seed,
        "round": round,
        "generator": settings.generator,
        "frames": [config.frames(TARGET), profile.micro_batch] if "labelling" in settings.reestimate_bn else None,
        "labelling": config.labelling(round).model_dump(),
        "source_frames": profile.source_frames_hw,
        "tf32": profile.precision == "tf32",
    }


def labelling_network(job: Job, training: Input) -> SegmentationModel:
    """The network that labels the target for the job's round, of the previous ``training``, on its device."""
    config, settings = job.config, job.config.method.round_at(job.round)
    # The first round is labelled by the warm-up, which has no middle and no teacher, or by a file of its own.
    first = "teacher" if config.method.labeller else "last"
    variant = settings.generator if job.round > config.method.first_round else first
    model = checkpoint.load(training.path / "checkpoint", config.space, variant)
    model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "labelling" in settings.reestimate_bn:
        frames = job.data.frames(TARGET, with_labels=False)
        reestimate_batchnorm(model, frames.image, len(frames), config.profile.micro_batch)
    return model
