"""Self-supervised pre-training of a round's network on the images of both domains; no label is read."""

from __future__ import annotations

from udamlf.stages.runner import Job
from udamlf.stages.train import initial_network, train


def run(job: Job) -> None:
    """Train the round's pre-training objective from the backbone's initial weights; publishes ``checkpoint/``."""
    config = job.config
    described = config.method.round_at(job.round).pretrain
    assert described is not None
    model = initial_network(config, job.round)
    train(job, described.objective, model, pretraining=True)
