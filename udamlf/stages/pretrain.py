"""Self-supervised pre-training of a round's network on the images of both domains; no label is read."""

from collections.abc import Iterable

from udamlf.config.schema import SOURCE, TARGET, Config
from udamlf.models.base import NETWORKS
from udamlf.stages.images import unlabelled_images
from udamlf.stages.stage import BaseStage, Declaration, Job, check_weights, weight_files
from udamlf.stages.train import initial_network, train, training_reads
from udamlf.training.objective import OBJECTIVES, check_batch


class Stage(BaseStage):
    """Trains the round's pre-training objective from the backbone's initial weights; publishes ``checkpoint/``."""

    needs_inputs = False

    def rounds(self, config: Config) -> Iterable[int]:
        return [n for n in range(1, config.method.rounds + 1) if config.method.round_at(n).pretraining]

    def declare(self, config: Config, round: int) -> Declaration:
        objective = config.method.round_at(round).pretraining
        assert objective is not None
        training = config.pretraining(round)
        return Declaration(
            inputs={},
            reads={**training_reads(config, round, training), "objective": objective.model_dump()},
            splits={SOURCE: False, TARGET: False} if training.batch.source else {TARGET: False},
            parts=[(OBJECTIVES, objective), (NETWORKS, config.backbone(round))],
            files=weight_files(config, round),
        )

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        check_batch(self.declare(config, round).parts[0][1], config.pretraining(round))
        check_weights(config, round)

    def run(self, job: Job) -> None:
        config, number = job.config, job.round
        objective, network = self.declare(config, number).parts[0][1], initial_network(config, number)
        domains = {"source": unlabelled_images(job.data, SOURCE)} if SOURCE in job.splits else {}
        domains["target"] = unlabelled_images(job.data)
        train(job, config.pretraining(number), objective, network, domains)
