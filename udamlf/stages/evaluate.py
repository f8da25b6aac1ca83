"""Score every training of a chain on the reported list, and audit its pseudo-labels: the one stage of a chain that
reads target labels. Nothing it publishes is an input of a stage that trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from udamlf.data.dataset import DataSet, Sample
from udamlf.data.lists import ScenarioData
from udamlf.evaluation.audit import audit
from udamlf.evaluation.score import Score, evaluate
from udamlf.files import atomic_file, write_json
from udamlf.models import checkpoint
from udamlf.pseudo_labels import PseudoLabels
from udamlf.report.figures import Gallery, confusion_figure
from udamlf.stages.runner import Job
from udamlf.stages.train import device

SHOWN_IMAGES = 4
OnPrediction = Callable[[Sample, np.ndarray, np.ndarray, np.ndarray], None]


def run(job: Job) -> None:
    """Score the inputs "round0", "round1", ... (trainings) and audit "labels1", ... (pseudo-labels).

    Publishes ``evaluation/evaluation.json`` (every round), ``evaluation/confusion.npz`` and figures of the last round.
    """
    config = job.config
    data = job.data
    split = config.report_split
    samples = data.samples(split, True)
    job.run.log_dataset(split, data.digest(split), "evaluation", len(samples))
    job.run.set_tags({"uses_target_labels": "true"})
    rounds: list[dict[str, Any]] = []
    scores: list[Score] = []
    gallery = Gallery(config.space, data.kind, SHOWN_IMAGES)
    trained = sorted((int(n.removeprefix("round")), given) for n, given in job.inputs.items() if n.startswith("round"))
    for number, given in trained:
        model = checkpoint.load(given.path / "checkpoint", config.space).to(device())
        last = number == trained[-1][0]
        score = evaluate(
            model,
            data.dataset(split),
            samples,
            config.space,
            split,
            config.profile.evaluation,
            _keeper(job, gallery, data.dataset(split)) if last else None,
        )
        scores.append(score)
        metrics = score.metrics() | _audit(job, data, number)
        job.run.log_metrics(metrics, number)
        rounds.append({"round": number, "run_id": given.run_id, "metrics": metrics, **score.to_json()})
    folder = job.out / "evaluation"
    write_json(folder / "evaluation.json", {**scores[-1].to_json(), "rounds": rounds})
    with atomic_file(folder / "confusion.npz") as temporary, open(temporary, "wb") as handle:
        matrices = {f"round{r['round']}": s.confusion for r, s in zip(rounds, scores, strict=True)}
        np.savez_compressed(handle, allow_pickle=False, **matrices)
    gallery.save(job.out / "figures" / "predictions.png")
    confusion_figure(scores[-1].confusion, config.space, data.kind, job.out / "figures" / "confusion.png")


def _keeper(job: Job, gallery: Gallery, dataset: DataSet) -> OnPrediction:
    """Shows the first images; with the option "predictions" also writes every mask as the data set's test server
    wants it."""
    folder = job.options.get("predictions")

    def keep(sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
        gallery.add(sample, image, truth, prediction)
        if folder is not None:
            dataset.write_prediction(folder, sample, prediction, job.config.space)

    return keep


def _audit(job: Job, data: ScenarioData, number: int) -> dict[str, float]:
    given = job.inputs.get(f"labels{number}")
    if given is None or not job.config.profile.audit:
        return {}
    labels = PseudoLabels(given.path / "pseudo_labels", job.config.scenario.label_space)
    samples = data.samples("target_train")
    return audit(labels, data.dataset("target_train"), samples, job.config.space)
