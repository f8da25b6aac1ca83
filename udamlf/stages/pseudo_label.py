"""Label the target: the previous network's probabilities go through the selector, label maps are published.

Every image is one forward pass of its own, so that the labels do not depend on a batch size. No probability map is
kept: a selector that needs the whole list first (CBST) sees it in a first pass, which several processes may share
(``--shard i/n``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from udamlf.config import Part
from udamlf.data.dataset import DataSet, Sample
from udamlf.data.lists import ScenarioData
from udamlf.evaluation.prediction import label_scores
from udamlf.evaluation.protocol import EvalProtocol
from udamlf.models import checkpoint
from udamlf.models.base import Output, SegmentationModel
from udamlf.pseudo_labels import publish
from udamlf.selection import base as selection
from udamlf.selection.entropy_ranking import EntropyRanking
from udamlf.selection.quality import Quality
from udamlf.stages import shards
from udamlf.stages.ranking import publish_ranking
from udamlf.stages.runner import Input, Job
from udamlf.stages.source_prior import LIST as PRIOR_LIST
from udamlf.stages.source_prior import source_prior
from udamlf.stages.train import device, reestimate


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

    def image(self, index: int) -> np.ndarray:
        """uint8 RGB [H, W, 3] of its own size."""
        return self.dataset.read_image(self.samples[index])

    def probabilities(self, index: int) -> Tensor:
        """float32 [C, H, W] at the labelling size."""
        self.recent[index] = label_scores(self.model, self.image(index), self.protocol)
        while len(self.recent) > self.selector.group:
            self.recent.popitem(last=False)
        if self.outputs:
            # The first pass of an image is unmirrored and at the protocol's first size.
            self.selector.observe_network(self.outputs[0], index)
            self.outputs.clear()
        return self.recent[index]


def run(job: Job) -> None:
    """Label ``target_train`` with the input "generator"; publishes ``pseudo_labels/``.

    With the option "shard" it only observes that shard and publishes ``shard/``; with inputs "shard1", "shard2", ... it
    goes on from what these have seen.
    """
    config = job.config
    described = config.method.round_at(job.round)
    assert described.selector is not None
    name = described.selector.name
    data = job.data
    samples, dataset = data.samples("target_train"), data.dataset("target_train")
    job.run.log_dataset("target_train", data.digest("target_train"), "target", len(samples))
    new = _selectors(described.selector, data, job)
    given = {key: value.path for key, value in job.inputs.items() if key.startswith("shard")}
    selector = shards.merged(given, new, len(samples)) if given else new()
    network = labelling_network(job, job.inputs["generator"])
    labeller = Labeller(network, config.labelling(job.round), dataset, samples, selector)
    if "shard" in job.options:
        shards.check_mergeable(name, selector)
        shards.observe_shard(job.out, job.options["shard"], selector, len(samples), labeller.probabilities)
        return
    quality = Quality(config.space.num_classes, device())
    order: list[int] = []

    def labels() -> Iterator[tuple[str, np.ndarray]]:
        images = selection.label_images(selector, len(samples), config.seed, labeller.probabilities, bool(given))
        for index, label in images:
            quality.add(*selection.top1(labeller.recent.pop(index)), torch.from_numpy(label).to(device()))
            order.append(index)
            yield samples[index].name, label

    def finish() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        description = {
            "label_space": config.scenario.label_space,
            "selector": described.selector.model_dump() if described.selector else None,
            "round": job.round,
            "order": [samples[index].name for index in order],
            "protocol": config.labelling(job.round).model_dump(),
            "quality": quality.metrics(config.space, selector.thresholds()),
        }
        return description, selector.extras()

    def soft(name: str) -> np.ndarray:
        assert samples[order[-1]].name == name
        return selector.soft_label(order[-1])

    manifest = publish(job.out / "pseudo_labels", labels(), finish, soft if selector.stores_soft else None)
    job.run.log_metrics(manifest["quality"], job.round)
    if isinstance(selector, EntropyRanking):
        names = [sample.name for sample in samples]
        publish_ranking(job.out, selector, names, labeller.image, labeller.probabilities, config.space, data.kind)


def labelling_network(job: Job, given: Input) -> SegmentationModel:
    """The network that labels the target for the job's round, on its device.

    Args:
        given: the previous training.
    """
    config = job.config
    described = config.method.round_at(job.round)
    # The first round is labelled by the warm-up, which has no middle and no teacher.
    variant = described.generator if job.round > 1 else "last"
    model = checkpoint.load(given.path / "checkpoint", config.space, variant)
    model.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    if "labelling" in described.reestimate_bn:
        reestimate(model, job.data.frames("target_train", with_labels=False))
    return model


def _selectors(part: Part, data: ScenarioData, job: Job) -> Callable[[], selection.Selector]:
    """Builds fresh selectors of a round; a spatial prior from the source labels is computed once."""

    @lru_cache(maxsize=1)
    def prior() -> np.ndarray:
        samples = data.samples(PRIOR_LIST, True)
        job.run.log_dataset(PRIOR_LIST, data.digest(PRIOR_LIST), "prior", len(samples))
        return source_prior(data)

    def new() -> selection.Selector:
        selector = selection.build(part.name, part.params, job.config.space, job.round)
        if selector.needs_source_prior:
            selector.set_prior(prior())
        return selector

    return new
