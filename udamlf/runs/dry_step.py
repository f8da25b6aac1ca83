"""What a training's step needs: one is done, on noise, in a process of its own."""

import math
import time
from collections.abc import Iterator

import torch

from udamlf.config.schema import TARGET, Config
from udamlf.data.pseudo_labels import decode_soft_label
from udamlf.data.sample import Sample
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.predict import evaluating, label_scores, probabilities
from udamlf.models.base import SegmentationModel
from udamlf.models.numerics import numerics
from udamlf.runs.launch import in_fresh_process
from udamlf.runs.plan import data_root, plan
from udamlf.selection.base import build, label_images
from udamlf.stages.pseudo_label import selector_part
from udamlf.training.loop import is_of_memory
from udamlf.training.measure import Arrays, Label, measure_step


def measured_steps(config: Config) -> Iterator[str]:
    """A line for every training of a method: what one of its steps took, each in a fresh process, and how long the
    whole training takes here; at the end the hours of the chain, with labelling where the data are at hand."""
    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    yield f"{config.method.name} with profile {config.profile.name}, {config.profile.precision}, on noise, on {where}"
    images = len(ScenarioData(config, data_root(config)).samples(TARGET)) if config.data_root else 0
    images = min(images, subset.top_k) if (subset := config.method.target_subset) else images
    hours, labelling = 0.0, 0.0
    for step in plan(config):
        pretraining = step.stage == "pretrain"
        training = config.pretraining(step.round) if pretraining else config.training(step.round)
        if step.stage in ("warmup", "pretrain", "self_train") and training.steps:
            text, training_h, label_s = in_fresh_process(_measured, config, step.round, pretraining)
            labels = f"; a frame is labelled in {label_s:.2f} s" if label_s else ""
            yield f"{step}: {text}{labels}"
            hours, labelling = hours + training_h, labelling + label_s * images / 3600
    more = f"labelling of {images} images {labelling:.2f} h" if images else "labelling not counted (give --data-root)"
    spent = "that do not all fit" if math.isnan(hours) else f"{hours:.2f} h"
    yield f"the chain: trainings {spent}, {more}; evaluation comes on top"


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
                output = model(model.normalise(images))
            selector.observe_network(output, 0)
            if selector.observes_source:
                selector.observe_source(output, frame.label)
        protocol = config.labelling(round)
        scores = probabilities(label_scores(model, frame.image, protocol), protocol)
        list(label_images(selector, 1, config.seed, lambda _: scores))
        soft = decode_soft_label(selector.soft_label(0), config.space.num_classes) if selector.stores_soft else None
        return selector.publish().arrays, {} if soft is None else {"soft": soft.numpy()}

    return label


def _measured(config: Config, round: int, pretraining: bool) -> tuple[str, float, float]:
    """A training's step in words, the training's hours (nan: it does not fit), seconds in which a frame is labelled."""
    training = config.pretraining(round) if pretraining else config.training(round)
    label, label_s = labels_of(config, round), [0.0]

    def timed(model: SegmentationModel, frame: Sample) -> tuple[Arrays, Arrays]:
        assert label is not None
        label(model, frame)  # the first one also starts the GPU's libraries
        began = time.perf_counter()
        arrays = label(model, frame)
        label_s.append(time.perf_counter() - began)
        return arrays

    try:
        with numerics(config.profile.precision, config.profile.deterministic):
            measured = measure_step(config, round, pretraining, timed if label else None)
    except RuntimeError as error:
        if not is_of_memory(error):
            raise
        return "does not fit into the memory of this GPU", math.nan, 0.0
    batch, steps = training.batch, int(str(training.steps))
    hours = measured.seconds * steps / 3600
    text = f"{measured} ({batch.source} + {batch.target} images), {steps} steps: {hours:.2f} h"
    return text, hours, label_s[-1]
