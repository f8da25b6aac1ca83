"""One training of a round: from the previous checkpoint, with the round's pseudo-labels if the method has any."""

from collections.abc import Iterable

from udamlf.common.errors import UserError
from udamlf.config.schema import SOURCE, Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS, SegmentationModel
from udamlf.stages.images import round_domains, round_splits
from udamlf.stages.labelling import labelling_network
from udamlf.stages.stage import (
    BaseStage,
    Declaration,
    Job,
    Need,
    check_weights,
    previous_training,
    subset_input,
    weight_files,
)
from udamlf.stages.train import initial_network, train, training_reads
from udamlf.training.objective import OBJECTIVES, check_batch


class Stage(BaseStage):
    """Trains the round's objective from the input "start" (or "pretrain") with the labels of the input "labels";
    publishes ``checkpoint/``."""

    def rounds(self, config: Config) -> Iterable[int]:
        return range(1, config.method.rounds + 1)

    def declare(self, config: Config, round: int) -> Declaration:
        settings = config.method.round_at(round)
        inputs = {"start": previous_training(config, round), **subset_input(config)}
        inputs |= {"labels": Need("pseudo_label", round)} if settings.selector else {}
        inputs |= {"pretrain": Need("pretrain", round)} if settings.pretraining else {}
        read_elsewhere = {"selector", "training", "model", "pretrain", "labelling", "ensemble"}
        reads = {"round settings": settings.model_dump(exclude=read_elsewhere)}
        return Declaration(
            inputs=inputs,
            reads={**training_reads(config, round, config.training(round)), **reads,
                   "keeps_middle": config.keeps_middle(round)},
            splits=round_splits(config, round),
            parts=[(OBJECTIVES, settings.objective), *((NETWORKS, config.backbone(n)) for n in (round, round - 1))],
            files=weight_files(config, round),
        )  # fmt: skip

    def check(self, config: Config, round: int) -> None:
        super().check(config, round)
        settings = config.method.round_at(round)
        check_batch(settings.objective, config.training(round))
        where = f"method {config.method.name}, round {round}: balanced_bn"
        if settings.balanced_bn and (settings.source != SOURCE or not config.training(round).batch.source):
            raise UserError(f"{where} without source images", "batch.source above 0, whose labels are counted")
        if settings.balanced_bn and not {"before", "after"} & {*settings.reestimate_bn}:
            raise UserError(f"{where} without a re-estimation", "reestimate_bn before or after, or balanced_bn=false")
        if settings.start == "initial" and not settings.pretrain:
            check_weights(config, round)

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

        def teacher() -> SegmentationModel:
            """The network that labelled the round, labels or none."""
            return labelling_network(job, start)

        domains = round_domains(config, job.data, job.round, labels)
        training = config.training(job.round)
        bn = settings.reestimate_bn, settings.balanced_bn
        train(job, training, settings.objective, model, domains, labels, teacher, *bn)
