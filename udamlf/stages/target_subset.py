"""Choose, once, the target images that every round uses: those of the highest class-balanced score (cbst.md 3)."""

from __future__ import annotations

from udamlf.data.lists import SUBSET
from udamlf.evaluation.prediction import label_scores
from udamlf.files import write_json
from udamlf.selection.class_balanced_score import class_balanced_score, highest
from udamlf.stages.pseudo_label import labelling_network
from udamlf.stages.runner import Job


def run(job: Job) -> None:
    """Score ``target_train`` with the input "generator"; publishes ``target_subset.json``: every image's score, and the
    chosen ones."""
    config, data = job.config, job.data
    subset, protocol = config.method.target_subset, config.labelling(job.round)
    assert subset is not None
    samples, dataset = data.samples("target_train"), data.dataset("target_train")
    subset.check(len(samples))
    job.run.log_dataset("target_train", data.digest("target_train"), "target", len(samples))
    network = labelling_network(job, job.inputs["generator"])
    found_scores: dict[str, float] = {}
    for sample in samples:
        probabilities = label_scores(network, dataset.read_image(sample), protocol)
        found_scores[sample.name] = class_balanced_score(probabilities)
    chosen = [samples[index].name for index in highest(list(found_scores.values()), subset.top_k)]
    write_json(job.out / SUBSET, {**subset.model_dump(), "images": chosen, "scores": found_scores})
