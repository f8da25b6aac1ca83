"""Warm-up: from the backbone's initial weights to a network that can label the target."""

from collections.abc import Iterable

from udamlf.config.budget import Training
from udamlf.config.parts import Part
from udamlf.config.schema import TARGET, Config
from udamlf.stages.images import labelled_images, unlabelled_images
from udamlf.stages.stage import Declaration, Job
from udamlf.stages.train import TrainingStage, initial_network, train


class Stage(TrainingStage):
    """Trains the method's warm-up objective; publishes ``checkpoint/``."""

    once = True
    needs_inputs = False

    def rounds(self, config: Config) -> Iterable[int]:
        return () if config.start else (0,)

    def trained(self, config: Config, round: int) -> tuple[Part, Training]:
        return config.method.warmup.objective, config.training(0)

    def declare(self, config: Config, round: int) -> Declaration:
        warmup, target = config.method.warmup, config.training(0).batch.target
        splits = ({TARGET: False} if target else {}) | {warmup.source: True}
        return self.declared(config, 0, {}, {"warmup": warmup.model_dump()}, splits)

    def run(self, job: Job) -> None:
        objective, training = self.trained(job.config, 0)
        domains = {"source": labelled_images(job.data, job.config.method.warmup.source)}
        domains |= {"target": unlabelled_images(job.data)} if training.batch.target else {}
        train(job, training, objective, initial_network(job.config, 0), domains)
