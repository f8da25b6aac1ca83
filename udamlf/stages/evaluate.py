"""Score every training of a chain on the reported split, and audit its pseudo-labels: the one stage of a chain that
reads target labels. Nothing it publishes is an input of a stage that trains."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, write_json
from udamlf.config.schema import TARGET, Config
from udamlf.data.dataset import Frame
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.evaluation.score import Score, audit, evaluate
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS, device
from udamlf.report.figures import confusion_figure, predictions_figure
from udamlf.stages.stage import BaseStage, Declaration, Job, Need, previous_training

EXAMPLES = 4


class Stage(BaseStage):
    """Scores the inputs "round0", "round1", ... (trainings) and audits "labels1", ... (pseudo-labels).

    Publishes ``evaluation/evaluation.json`` (every round), ``evaluation/confusion.npz`` and figures of the last round.
    """

    once = True
    partial = True

    def rounds(self, config: Config) -> Iterable[int]:
        return (config.method.rounds,)

    def declare(self, config: Config, round: int) -> Declaration:
        profile, inputs = config.profile, {"round0": previous_training(config, 1)}
        for number in range(1, config.method.rounds + 1):
            if config.method.round_at(number).selector:
                inputs[f"labels{number}"] = Need("pseudo_label", number)
            inputs[f"round{number}"] = Need("self_train", number)
        reads = {"subsets": dict(config.space.subsets), "split": config.report_split, "audit": profile.audit}
        splits = {config.report_split: True} | ({TARGET: True} if profile.audit else {})
        networks = [(NETWORKS, config.backbone(number)) for number in range(config.method.rounds + 1)]
        return Declaration(inputs, {**reads, "evaluation": profile.evaluation.model_dump()}, splits, networks)

    def run(self, job: Job) -> None:
        config, data, split = job.config, job.data, job.config.report_split
        frames, dataset = data.samples(split, True), data.dataset(split)
        job.log_split(split, "evaluation")
        examples: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []

        def keep(frame: Frame, image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
            if len(examples) < EXAMPLES:
                examples.append((frame.name, image, truth, prediction))
            if job.predictions is not None:
                dataset.write_prediction(job.predictions, frame, prediction, config.space)

        rounds = sorted(int(name.removeprefix("round")) for name in job.inputs if name.startswith("round"))
        if not rounds:
            raise UserError(f"inputs {', '.join(job.inputs)}: none of a training", "round0=RUN_ID")
        scores: dict[int, Score] = {}
        entries: list[dict[str, Any]] = []
        for number in rounds:
            training = job.inputs[f"round{number}"]
            model = checkpoint.load(training.path / "checkpoint", config.space).to(device())
            watch = keep if number == rounds[-1] else None
            scores[number] = evaluate(model, dataset, frames, config.space, split, config.profile.evaluation, watch)
            metrics = scores[number].metrics() | _audit(job, number)
            job.log.log_metrics(metrics, number)
            entry = {"round": number, "run_id": training.run_id, "metrics": metrics, **scores[number].to_json()}
            entries.append(entry)
        last = scores[rounds[-1]]
        write_json(job.out / "evaluation" / "evaluation.json", {**last.to_json(), "rounds": entries})
        with atomic_file(job.out / "evaluation" / "confusion.npz") as temporary, open(temporary, "wb") as handle:
            matrices = {f"round{number}": score.confusion for number, score in scores.items()}
            np.savez_compressed(handle, allow_pickle=False, **matrices)
        predictions_figure(examples, config.space, data.kind, job.out / "figures" / "predictions.png")
        confusion_figure(last.confusion, config.space, data.kind, job.out / "figures" / "confusion.png")


def _audit(job: Job, number: int) -> dict[str, float]:
    published = job.inputs.get(f"labels{number}")
    if published is None or not job.config.profile.audit:
        return {}
    labels = PseudoLabels(published.path / "pseudo_labels", job.config.scenario.label_space)
    return audit(labels, job.data.dataset(TARGET), job.data.samples(TARGET), job.config.space)
