"""One training of a round: from the previous checkpoint, with the round's pseudo-labels if the method has any."""

from __future__ import annotations

from udamlf.models import checkpoint
from udamlf.models.base import SegmentationModel
from udamlf.pseudo_labels import PseudoLabels
from udamlf.stages.pseudo_label import labelling_network
from udamlf.stages.runner import Job
from udamlf.stages.train import initial_network, train


def run(job: Job) -> None:
    """Train the round's objective from the input "start" (or "pretrain") with the labels of the input "labels";
    publishes ``checkpoint/``."""
    config = job.config
    described = config.method.round_at(job.round)
    start = job.inputs["start"].path / "checkpoint"

    def teacher() -> SegmentationModel:
        """The network that labelled the round, labels or none."""
        return labelling_network(job, job.inputs["start"])

    pretrained = job.inputs.get("pretrain")
    given = start if described.start == "last" else pretrained.path / "checkpoint" if pretrained else None
    if given is not None:
        saved, state = checkpoint.read_state(given, config.space)
        model = initial_network(config, job.round, pretrained=False)
        checkpoint.load_into(model, state, f"{given} ({saved.name})")
    else:
        model = initial_network(config, job.round)
    published = job.inputs.get("labels")
    labels = PseudoLabels(published.path / "pseudo_labels", config.scenario.label_space) if published else None
    train(job, described.objective, model, labels=labels, teacher=teacher, reestimate_bn=described.reestimate_bn)
