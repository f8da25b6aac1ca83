"""Warm-up: from the backbone's initial weights to a network that can label the target."""

from __future__ import annotations

from udamlf.models.base import build
from udamlf.stages.runner import Job
from udamlf.stages.train import train


def run(job: Job) -> None:
    """Train the method's warm-up objective; publishes ``checkpoint/``."""
    config = job.config
    backbone = config.backbone(0)
    model = build(backbone.name, config.space.num_classes, seed=config.seed, **backbone.params)
    train(job, config.method.warmup.objective, model, labelled=config.method.warmup.labelled)
