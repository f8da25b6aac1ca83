"""One training of a round: from the previous checkpoint, with the round's pseudo-labels if the method has any."""

from collections.abc import Iterable
from functools import partial

from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.config.budget import Training
from udamlf.config.parts import Part
from udamlf.config.schema import SOURCE, Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS
from udamlf.stages.images import round_domains, round_splits
from udamlf.stages.labelling import labelling_network
from udamlf.stages.stage import Declaration, Job, Need, previous_training, subset_input
from udamlf.stages.train import TrainingStage, initial_network, train
from udamlf.training.objective import OBJECTIVES


class Stage(TrainingStage):
    """Trains from the input "start" or "pretrain" with those of the input "labels"; publishes ``checkpoint/``."""

    def rounds(self, config: Config) -> Iterable[int]:
        return config.method.round_numbers

    def trained(self, config: Config, round: int) -> tuple[Part, Training]:
        return config.method.round_at(round).objective, config.training(round)

    def declare(self, config: Config, round: int) -> Declaration:
        settings = config.method.round_at(round)
        inputs = {"start": previous_training(config, round), **subset_input(config)}
        inputs |= {"labels": Need("pseudo_label", round)} if settings.selector else {}
        inputs |= {"pretrain": Need("pretrain", round)} if settings.pretraining else {}
        read_elsewhere = {"selector", "training", "model", "pretrain", "labelling", "ensemble"}
        reads = {
            "round settings": settings.model_dump(exclude=read_elsewhere),
            "keeps_middle": config.keeps_middle(round),
        }
        declared = self.declared(config, round, inputs, reads, round_splits(config, round))
        return declared._replace(parts=[*declared.parts, (NETWORKS, config.backbone(round - 1))])

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        settings, training = config.method.round_at(round), config.training(round)
        part, objective = settings.objective, OBJECTIVES.find(settings.objective.name)
        if training.steps and "source" in objective.domains and not per_round(settings.source_portion, round):
            raise UserError(f"{part.name} with source_portion 0", "above 0: it needs labelled source images")
        where = f"method {config.method.name}, round {round}: balanced_bn"
        if settings.balanced_bn and NETWORKS.find(config.backbone(round).name).sees_windows:
            raise UserError(f"{where} with {config.backbone(round).name}, which sees windows", "balanced_bn=false")
        if settings.balanced_bn and (settings.source != SOURCE or not training.batch.source):
            raise UserError(f"{where} without source images", "batch.source above 0, whose labels are counted")
        if settings.balanced_bn and not {"before", "after"} & {*settings.reestimate_bn}:
            raise UserError(f"{where} without a re-estimation", "reestimate_bn before or after, or balanced_bn=false")

    def check_files(self, config: Config, round: int) -> None:
        settings = config.method.round_at(round)
        if settings.start == "initial" and not settings.pretrain:
            super().check_files(config, round)

    def run(self, job: Job) -> None:
        config, space = job.config, job.config.space
        settings, start = config.method.round_at(job.round), job.inputs["start"]
        weights_of = job.inputs.get("pretrain") or (start if settings.start == "last" else None)
        model = initial_network(config, job.round, pretrained=weights_of is None)
        if weights_of is not None:
            folder = weights_of.path / "checkpoint"
            saved, state = checkpoint.read_state(folder, space)
            checkpoint.load_into(model, state, f"{folder} ({saved.name})")
        labels_of = job.inputs.get("labels")
        labels = PseudoLabels(labels_of.path / "pseudo_labels", space) if labels_of else None
        objective, training = self.trained(config, job.round)
        domains = round_domains(config, job.data, job.round, labels)
        teacher = partial(labelling_network, job, start)  # which labelled the round, if anything did
        train(job, training, objective, model, domains, labels, teacher, settings.reestimate_bn, settings.balanced_bn)
