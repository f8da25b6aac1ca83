"""Choose, once, the target images that every round uses: those of the highest class-balanced score (cbst.md 3)."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from udamlf.common.ahead import ahead
from udamlf.common.files import write_json
from udamlf.common.progress import tracked
from udamlf.config.schema import TARGET, Config
from udamlf.data.splits import SUBSET, check_subset
from udamlf.evaluation.predict import label_scores, probabilities
from udamlf.models.base import NETWORKS
from udamlf.stages.labelling import labelling_network, labelling_reads
from udamlf.stages.stage import BaseStage, Declaration, Job, previous_training


def class_balanced_score(probabilities: Tensor) -> float:
    """Mean over the predicted classes of the mean confidence of their pixels, of probabilities float32 [C, H, W]."""
    confidence, label = probabilities.flatten(1).max(0)
    counts = torch.bincount(label, minlength=len(probabilities))
    # Not bincount's weights, which a GPU adds up in any order.
    sums = torch.stack([confidence[label == c].sum(dtype=torch.float64) for c in range(len(probabilities))])
    present = counts > 0
    return float((sums[present] / counts[present]).mean())


def highest(scores: Sequence[float], top_k: int) -> list[int]:
    """Positions of the ``top_k`` highest scores, ascending; of equal scores the first ones."""
    return sorted(np.argsort(-np.asarray(scores), kind="stable")[:top_k].tolist())


class Stage(BaseStage):
    """Publishes ``target_subset.json``: every image's score by the input "generator", and the subset."""

    once = True

    def rounds(self, config: Config) -> Iterable[int]:
        return (1,) if config.method.target_subset and config.method.rounds else ()

    def declare(self, config: Config, round: int) -> Declaration:
        subset = config.method.target_subset
        assert subset is not None
        reads = {**labelling_reads(config, round), "subset": subset.model_dump()}
        inputs = {"generator": previous_training(config, 1)}
        return Declaration(inputs, reads, {TARGET: False}, [(NETWORKS, config.backbone(0))])

    def run(self, job: Job) -> None:
        subset, protocol = job.config.method.target_subset, job.config.labelling(job.round)
        assert subset is not None
        frames, dataset = job.data.samples(TARGET), job.data.dataset(TARGET)
        check_subset(subset.top_k, len(frames))
        job.log_split(TARGET, "target")
        network = labelling_network(job, job.inputs["generator"])
        scores: dict[str, float] = {}
        images = ahead(dataset.read_image, frames, job.config.profile.workers)
        for frame, image in tracked(zip(frames, images, strict=True), "choosing target images", len(frames)):
            values = probabilities(label_scores(network, image, protocol), protocol)
            scores[frame.name] = class_balanced_score(values)
        chosen = [frames[index].name for index in highest(list(scores.values()), subset.top_k)]
        write_json(job.out / SUBSET, {**subset.model_dump(), "images": chosen, "scores": scores})
