"""Label the target: the previous network's probabilities go through the selector, label maps are published.

Every image is one forward pass of its own, so that the labels do not depend on a batch size. No probability map is
kept: a selector that needs the whole list first (CBST) sees it in a first pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from udamlf.data.dataset import DataSet, Sample
from udamlf.data.labels import IGNORE, LabelSpace
from udamlf.data.lists import ScenarioData
from udamlf.evaluation.prediction import scores
from udamlf.evaluation.protocol import EvalProtocol
from udamlf.models import checkpoint
from udamlf.models.base import Output, SegmentationModel
from udamlf.pseudo_labels import publish
from udamlf.selection import base as selection
from udamlf.stages.runner import Job
from udamlf.stages.train import device, reestimate


class Quality:
    """Per-class statistics of published labels, accumulated image by image; none of them needs a target label.

    Attributes:
        predicted, kept: int64 [C], pixels of each class in the argmax and among the published labels.
        confidence: float64 [C], summed score of the kept pixels.
    """

    def __init__(self, num_classes: int) -> None:
        self.predicted = np.zeros(num_classes, np.int64)
        self.kept = np.zeros(num_classes, np.int64)
        self.confidence = np.zeros(num_classes, np.float64)
        self.pixels = 0

    def add(self, probabilities: Tensor, label: np.ndarray) -> None:
        """Count one image: probabilities float32 [C, H, W], its published label uint8 [H, W]."""
        count = len(self.kept)
        top, predicted = (t.cpu().numpy().ravel() for t in probabilities.max(0))
        flat = label.ravel()
        self.predicted += np.bincount(predicted, minlength=count)
        self.kept += np.bincount(flat, minlength=IGNORE + 1)[:count]
        self.confidence += np.bincount(flat, weights=top, minlength=IGNORE + 1)[:count]
        self.pixels += label.size

    def metrics(self, space: LabelSpace, thresholds: np.ndarray) -> dict[str, float]:
        """``pl/...`` metrics: coverage and confidence in percent, thresholds as they are; a class without pixels has
        none."""
        result = {"pl/coverage": 100.0 * float(self.kept.sum()) / max(self.pixels, 1)}
        for c, name in enumerate(space.classes):
            if self.predicted[c]:
                result[f"pl/coverage/{name}"] = 100.0 * float(self.kept[c] / self.predicted[c])
            if self.kept[c]:
                result[f"pl/confidence/{name}"] = 100.0 * float(self.confidence[c] / self.kept[c])
            if np.isfinite(thresholds[c]):
                result[f"pl/threshold/{name}"] = float(thresholds[c])
        return result


class Labeller:
    """Probabilities of one target image after another; the last ``keep`` of them stay at hand.

    Args:
        selector: tells how many images it pools, and sees the network's own output if it wants to.
    """

    def __init__(
        self,
        model: SegmentationModel,
        protocol: EvalProtocol,
        dataset: DataSet,
        samples: list[Sample],
        selector: selection.Selector,
    ) -> None:
        self.model, self.protocol, self.selector = model, protocol, selector
        self.dataset, self.samples = dataset, samples
        self.recent: OrderedDict[int, Tensor] = OrderedDict()
        self.outputs: list[Output] = []
        if selector.observes_network:
            model.register_forward_hook(lambda module, images, output: self.outputs.append(output))

    def probabilities(self, index: int) -> Tensor:
        """float32 [C, H, W] at the labelling size."""
        image = self.dataset.read_image(self.samples[index])
        size = self.protocol.size_hw or (image.shape[0], image.shape[1])
        self.recent[index] = scores(self.model, image[None], self.protocol, output_hw=size)[0]
        while len(self.recent) > self.selector.group:
            self.recent.popitem(last=False)
        if self.outputs:
            # The first pass of an image is unmirrored and at the protocol's first size.
            self.selector.observe_network(self.outputs[0], index)
            self.outputs.clear()
        return self.recent[index]


def run(job: Job) -> None:
    """Label ``target_train`` with the input "generator"; publishes ``pseudo_labels/``."""
    config = job.config
    described = config.method.round_at(job.round)
    assert described.selector is not None
    # The first round is labelled by the warm-up, which has no middle and no teacher.
    variant = described.generator if job.round > 1 else "last"
    model = checkpoint.load(job.inputs["generator"].path / "checkpoint", config.space, variant)
    model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = ScenarioData(config)
    samples = data.samples("target_train")
    job.run.log_dataset("target_train", data.digest("target_train"), "target", len(samples))
    if "labelling" in described.reestimate_bn:
        reestimate(model, data.frames("target_train", config.profile.frames_hw, with_labels=False))
    selector = selection.build(described.selector.name, described.selector.params, config.space, job.round)
    quality = Quality(config.space.num_classes)
    protocol = config.labelling(job.round)
    labeller = Labeller(model, protocol, data.dataset("target_train"), samples, selector)
    order: list[str] = []
    positions: dict[str, int] = {}

    def labels() -> Iterator[tuple[str, np.ndarray]]:
        for index, label in selection.label_images(selector, len(samples), config.seed, labeller.probabilities):
            quality.add(labeller.recent.pop(index), label)
            order.append(samples[index].name)
            positions[samples[index].name] = index
            yield samples[index].name, label

    def finish() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        description = {
            "label_space": config.scenario.label_space,
            "selector": described.selector.model_dump() if described.selector else None,
            "round": job.round,
            "order": order,
            "protocol": protocol.model_dump(),
            "generator": job.inputs["generator"].run_id,
            "quality": quality.metrics(config.space, selector.thresholds()),
        }
        return description, selector.extras()

    def soft(name: str) -> np.ndarray:
        return selector.soft_label(positions[name])

    manifest = publish(job.out / "pseudo_labels", labels(), finish, soft if selector.stores_soft else None)
    job.run.log_metrics(manifest["quality"], job.round)
