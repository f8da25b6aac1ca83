"""Self-supervised pre-training of a round's network on the images of both domains; no label is read."""

from collections.abc import Iterable

from udamlf.config.budget import Training
from udamlf.config.parts import Part
from udamlf.config.schema import SOURCE, TARGET, Config
from udamlf.stages.images import unlabelled_images
from udamlf.stages.stage import Declaration, Job
from udamlf.stages.train import TrainingStage, initial_network, train


class Stage(TrainingStage):
    """Trains the round's pre-training objective from the backbone's initial weights; publishes ``checkpoint/``."""

    needs_inputs = False

    def rounds(self, config: Config) -> Iterable[int]:
        return [n for n in config.method.round_numbers if config.method.round_at(n).pretraining]

    def trained(self, config: Config, round: int) -> tuple[Part, Training]:
        objective = config.method.round_at(round).pretraining
        assert objective is not None
        return objective, config.pretraining(round)

    def declare(self, config: Config, round: int) -> Declaration:
        objective, training = self.trained(config, round)
        splits = {SOURCE: False, TARGET: False} if training.batch.source else {TARGET: False}
        return self.declared(config, round, {}, {"objective": objective.model_dump()}, splits)

    def run(self, job: Job) -> None:
        objective, training = self.trained(job.config, job.round)
        domains = {"source": unlabelled_images(job.data, SOURCE)} if SOURCE in job.splits else {}
        domains["target"] = unlabelled_images(job.data)
        train(job, training, objective, initial_network(job.config, job.round), domains)
