"""Warm-up: from the backbone's initial weights to a network that can label the target."""

from __future__ import annotations

from udamlf.stages.runner import Job
from udamlf.stages.train import initial_network, train


def run(job: Job) -> None:
    """Train the method's warm-up objective; publishes ``checkpoint/``."""
    config = job.config
    model = initial_network(config, 0)
    train(job, config.method.warmup.objective, model, labelled=config.method.warmup.labelled)
