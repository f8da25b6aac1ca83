"""What a training's step needs: one is done, on noise, in a process of its own."""

from collections.abc import Iterator

import torch

from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import decode_soft_label
from udamlf.data.sample import Sample
from udamlf.evaluation.predict import evaluating, label_scores
from udamlf.models.base import SegmentationModel
from udamlf.runs.launch import apart
from udamlf.runs.plan import plan
from udamlf.selection.base import build, label_images
from udamlf.stages.pseudo_label import selector_part
from udamlf.training.measure import Arrays, Label, measure_step


def measured_steps(config: Config) -> Iterator[str]:
    """A line for every training of a method: what one of its steps took, each in a fresh process."""
    yield f"{config.method.name} with profile {config.profile.name}, {config.profile.precision}, on noise"
    for step in plan(config):
        if step.stage in ("warmup", "pretrain", "self_train"):
            yield f"{step}: {apart(_measured, config, step.round, step.stage == 'pretrain')}"


def labels_of(config: Config, round: int) -> Label | None:
    """How a round labels one frame with its selector; None where it has none."""
    if round == 0 or config.method.round_at(round).selector is None:
        return None

    def label(model: SegmentationModel, frame: Sample) -> tuple[Arrays, Arrays]:
        selector = build(selector_part(config, round), config.space, round)
        selector.prepare([frame.label])
        if selector.observes_network:
            with evaluating(model):
                images = torch.from_numpy(frame.image[None]).to(next(model.parameters()).device)
                selector.observe_network(model(model.normalise(images)), 0)
        protocol = config.labelling(round)
        list(label_images(selector, 1, config.seed, lambda _: label_scores(model, frame.image, protocol)))
        soft = decode_soft_label(selector.soft_label(0), config.space.num_classes) if selector.stores_soft else None
        return selector.publish().arrays, {} if soft is None else {"soft": soft.numpy()}

    return label


def _measured(config: Config, round: int, pretraining: bool) -> str:
    batch = (config.pretraining(round) if pretraining else config.training(round)).batch
    measured = measure_step(config, round, pretraining, labels_of(config, round))
    return f"{measured} ({batch.source} + {batch.target} images)"
