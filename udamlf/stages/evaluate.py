"""Score a training on the reported split, and at home, and audit the pseudo-labels it learnt from: the one stage of a
chain that reads target labels. Nothing it publishes is an input of a stage that trains."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file, write_json
from udamlf.config.schema import SOURCE_VAL, TARGET, Config
from udamlf.data.dataset import Frame
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.evaluation.score import Score, audit, evaluate
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS, Ensemble, SegmentationModel, device
from udamlf.report.examples import write_examples
from udamlf.report.figures import confusion_figure, predictions_figure
from udamlf.stages.stage import BaseStage, Declaration, Job, Need, previous_training

EXAMPLES = 4


class Stage(BaseStage):
    """Scores the input "training", together with the input "other" where the round is an ensemble, and audits the input
    "labels", the pseudo-labels of the same round.

    Where the scenario has labelled source frames that nobody trains on (``source_val``), they are scored too: what the
    adaptation costs at home. Publishes ``evaluation/evaluation.json``, ``evaluation/confusion.npz``, figures, and
    ``examples/<split>/``: pictures of the split's first images, and of the first labelled ones of the audit.
    """

    partial = True

    def rounds(self, config: Config) -> Iterable[int]:
        return range(config.method.rounds + 1)

    def declare(self, config: Config, round: int) -> Declaration:
        profile, split = config.profile, config.report_split
        inputs = {"training": previous_training(config, round + 1)}
        if round and config.method.round_at(round).selector:
            inputs["labels"] = Need("pseudo_label", round)
        if round and config.method.round_at(round).ensemble:
            inputs["other"] = previous_training(config, round)
        splits = {split: True} | ({SOURCE_VAL: True} if SOURCE_VAL in config.scenario.splits else {})
        reads = {
            "subsets": dict(config.space.subsets),
            "split": split,
            "evaluation": {name: config.protocol(name).model_dump() for name in splits},
            "audit": profile.audit and "labels" in inputs,
        }
        splits |= {TARGET: True} if reads["audit"] else {}
        return Declaration(inputs, reads, splits, [(NETWORKS, config.backbone(round))])

    def run(self, job: Job) -> None:
        config, split, training = job.config, job.config.report_split, job.inputs["training"]
        if job.round and config.method.round_at(job.round).ensemble and "other" not in job.inputs:
            raise UserError("an ensemble without its other network", "inputs training=RUN_ID other=RUN_ID")
        members = [job.inputs[name].path / "checkpoint" for name in ("training", "other") if name in job.inputs]
        networks = [checkpoint.load(folder, config.space) for folder in members]
        model = (Ensemble(*networks) if len(networks) > 1 else networks[0]).to(device())
        examples: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []

        def keep(frame: Frame, image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
            if len(examples) < EXAMPLES:
                examples.append((frame.name, image, truth, prediction))
            if job.predictions is not None:
                job.data.dataset(split).write_prediction(job.predictions, frame, prediction, config.space)

        score = _score(job, model, split, keep)
        metrics = score.metrics() | _audit(job)
        home = _score(job, model, SOURCE_VAL) if split != SOURCE_VAL and job.data.has(SOURCE_VAL) else None
        if home is not None:
            metrics |= {f"source/{name}": value for name, value in home.metrics().items()}
        job.log.log_metrics(metrics, job.round)
        at_home = {} if home is None else {"source": home.to_json()}
        result = {**score.to_json(), "run_id": training.run_id, "metrics": metrics, **at_home}
        folder, figures = job.out / "evaluation", job.out / "figures"
        write_json(folder / "evaluation.json", result)
        _write_confusion(folder / "confusion.npz", score, home)
        named = [{"image": image, "truth": truth, "prediction": map} for _, image, truth, map in examples]
        write_examples(job.out / "examples" / split, named, config.space)
        predictions_figure(examples, config.space, job.data.kind, figures / "predictions.png")
        confusion_figure(score.confusion, config.space, job.data.kind, figures / "confusion.png")


def _score(job: Job, model: SegmentationModel, split: str, watch: Any = None) -> Score:
    frames, dataset, config = job.data.samples(split, True), job.data.dataset(split), job.config
    job.log_split(split, "evaluation")
    return evaluate(model, dataset, frames, config.space, split, config.protocol(split), watch)


def _write_confusion(path: Path, score: Score, home: Score | None) -> None:
    """int64 [C, C] of each split under its name, rows = truth."""
    matrices = {each.split: each.confusion for each in (score, home) if each is not None}
    with atomic_file(path) as temporary, open(temporary, "wb") as handle:
        np.savez_compressed(handle, allow_pickle=False, **matrices)


def _audit(job: Job) -> dict[str, float]:
    published = job.inputs.get("labels")
    if published is None or not job.config.profile.audit:
        return {}
    labels = PseudoLabels(published.path / "pseudo_labels", job.config.space.name)
    dataset, frames, space = job.data.dataset(TARGET), job.data.samples(TARGET), job.config.space
    examples = [
        {"image": dataset.read_image(f), "truth": dataset.read_label(f, space), "labels": labels.label(f.name)}
        for f in [frame for frame in frames if frame.label is not None and frame.name in labels][:EXAMPLES]
    ]
    write_examples(job.out / "examples" / TARGET, examples, space)
    return audit(labels, dataset, frames, space)
