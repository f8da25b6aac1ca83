"""Warm-up: from the backbone's initial weights to a network that can label the target."""

from collections.abc import Iterable

from udamlf.config.schema import TARGET, Config
from udamlf.models.base import NETWORKS
from udamlf.stages.images import labelled_images, unlabelled_images
from udamlf.stages.stage import BaseStage, Declaration, Job, check_weights, weight_files
from udamlf.stages.train import initial_network, train, training_reads
from udamlf.training.objective import OBJECTIVES, check_batch


class Stage(BaseStage):
    """Trains the method's warm-up objective; publishes ``checkpoint/``."""

    once = True
    needs_inputs = False

    def rounds(self, config: Config) -> Iterable[int]:
        return () if config.start else (0,)

    def declare(self, config: Config, round: int) -> Declaration:
        warmup, target = config.method.warmup, config.training(0).batch.target
        return Declaration(
            inputs={},
            reads={**training_reads(config, 0, config.training(0)), "warmup": warmup.model_dump()},
            splits=({TARGET: False} if target else {}) | {warmup.source: True},
            parts=[(OBJECTIVES, warmup.objective), (NETWORKS, config.backbone(0))],
            files=weight_files(config, 0),
        )

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        check_batch(config.method.warmup.objective, config.training(0))
        check_weights(config, 0)

    def run(self, job: Job) -> None:
        config, warmup, training = job.config, job.config.method.warmup, job.config.training(0)
        domains = {"source": labelled_images(job.data, warmup.source)}
        domains |= {"target": unlabelled_images(job.data)} if training.batch.target else {}
        train(job, training, warmup.objective, initial_network(config, 0), domains)
