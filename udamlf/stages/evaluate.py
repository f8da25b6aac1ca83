"""Score a training on the reported split, and at home, read validators off the target without labels, and audit the
pseudo-labels it learnt from: the one stage of a chain that reads target labels. Nothing it publishes is an input of a
stage that trains."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.common.files import write_json
from udamlf.common.progress import tracked
from udamlf.common.seeding import rng
from udamlf.config.schema import SOURCE_VAL, TARGET, Config
from udamlf.data.colour import jitter
from udamlf.data.dataset import Frame
from udamlf.data.pseudo_labels import PseudoLabels, write_arrays
from udamlf.evaluation.calibration import CONFIDENCE, expected_calibration_error, sample
from udamlf.evaluation.cost import inference_cost
from udamlf.evaluation.predict import label_scores, probabilities
from udamlf.evaluation.score import Score, audit, evaluate
from udamlf.evaluation.validators import validators
from udamlf.models import checkpoint
from udamlf.models.base import NETWORKS, SegmentationModel, device
from udamlf.report.figures import confusion_figure, predictions_figure, reliability_figure, write_examples
from udamlf.stages.stage import BaseStage, Declaration, Job, Need, previous_training

EXAMPLES = 4


class Stage(BaseStage):
    """Scores the input "training", together with the input "other" where the round is an ensemble, and audits the input
    "labels", the pseudo-labels of the same round. Labelled source frames that nobody trains on (``source_val``) are
    scored too: what the adaptation costs at home. Publishes ``evaluation/``, figures, and ``examples/<split>/``."""

    partial = True

    def rounds(self, config: Config) -> Iterable[int]:
        return 0, *config.method.round_numbers

    def declare(self, config: Config, round: int) -> Declaration:
        profile, split = config.profile, config.report_split
        inputs = {"training": previous_training(config, round + 1)}
        if round and config.method.round_at(round).selector:
            inputs["labels"] = Need("pseudo_label", round)
        if config.ensemble(round):
            inputs["other"] = previous_training(config, round)
        splits = {split: True} | ({SOURCE_VAL: True} if SOURCE_VAL in config.scenario.splits else {})
        audited = profile.audit and "labels" in inputs
        reads = {
            "subsets": dict(config.space.subsets),
            "split": split,
            "evaluation": {name: config.protocol(name).model_dump() for name in splits},
            "audit": audited,
            "validators": config.protocol(TARGET).model_dump() if profile.validators else None,
            "tf32": profile.precision == "tf32",
        }
        splits |= {TARGET: audited or split == TARGET} if audited or profile.validators else {}
        return Declaration(inputs, reads, splits, [(NETWORKS, config.backbone(round))])

    def run(self, job: Job) -> None:
        config, split = job.config, job.config.report_split
        if config.ensemble(job.round) and "other" not in job.inputs:
            raise UserError("an ensemble without its other network", "inputs training=RUN_ID other=RUN_ID")
        members = [job.inputs[name].path / "checkpoint" for name in ("training", "other") if name in job.inputs]
        model = checkpoint.load_mean(members, config.space).to(device())
        examples: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = []

        def keep(frame: Frame, image: np.ndarray, truth: np.ndarray, prediction: np.ndarray) -> None:
            if len(examples) < EXAMPLES:
                examples.append((frame.name, image, truth, prediction))
            if job.predictions is not None:
                job.data.dataset(split).write_prediction(job.predictions, frame, prediction, config.space)

        score = _score(job, model, split, keep)
        metrics = score.metrics() | _validators(job, model) | _audit(job)
        result, confusions = score.to_json(), {split: score.confusion}
        if split != SOURCE_VAL and job.data.has(SOURCE_VAL):
            home = _score(job, model, SOURCE_VAL)
            metrics |= {f"source/{name}": value for name, value in home.metrics().items()}
            result["source"], confusions[SOURCE_VAL] = home.to_json(), home.confusion
        image = job.data.dataset(split).read_image(job.data.samples(split, True)[0])
        cost = inference_cost(model, image, config.protocol(split))
        job.log.log_metrics({**metrics, **cost}, job.round)
        folder, figures = job.out / "evaluation", job.out / "figures"
        write_json(folder / "evaluation.json", {**result, "run_id": job.inputs["training"].run_id, "metrics": metrics})
        write_arrays(folder / "confusion.npz", confusions)  # int64 [C, C], rows = truth
        named = [{"image": image, "truth": truth, "prediction": map} for _, image, truth, map in examples]
        write_examples(job.out / "examples" / split, named, config.space)
        predictions_figure(examples, config.space, job.data.kind, figures / "predictions.png")
        confusion_figure(score.confusion, config.space, job.data.kind, figures / "confusion.png")


def _score(job: Job, model: SegmentationModel, split: str, watch: Callable[..., None] = lambda *_: None) -> Score:
    frames, dataset, config = job.data.samples(split, True), job.data.dataset(split), job.config
    job.log_split(split, "evaluation")
    shown = tracked(frames, f"{job.title}, scoring {split}", len(frames))
    return evaluate(model, dataset, shown, config.space, split, config.protocol(split), watch, config.profile.workers)


def _validators(job: Job, model: SegmentationModel) -> dict[str, float]:
    """On a sample of the target's training images, whose labels are not read."""
    if not job.config.profile.validators:
        return {}
    frames, dataset, protocol = sample(job.data.samples(TARGET)), job.data.dataset(TARGET), job.config.protocol(TARGET)
    job.log_split(TARGET, "validators", len(frames))

    def predicted(image: np.ndarray) -> Tensor:
        return probabilities(label_scores(model, image, protocol), protocol).clamp(0, 1)

    def views() -> Iterator[tuple[Tensor, Tensor]]:
        for frame in tracked(frames, f"{job.title}, validators", len(frames)):
            image = dataset.read_image(frame)
            yield predicted(image), predicted(jitter(image, rng(0, "validators", frame.name), 1.0))

    return validators(views())


def _audit(job: Job) -> dict[str, float]:
    published = job.inputs.get("labels")
    if published is None or not job.config.profile.audit:
        return {}
    labels = PseudoLabels(published.path / "pseudo_labels", job.config.space)
    dataset, frames, space = job.data.dataset(TARGET), job.data.samples(TARGET), job.config.space
    examples = [
        {"image": dataset.read_image(f), "truth": dataset.read_label(f, space), "labels": labels.label(f.name)}
        for f in [frame for frame in frames if frame.label is not None and frame.name in labels][:EXAMPLES]
    ]
    write_examples(job.out / "examples" / TARGET, examples, space)
    with np.load(published.path / "pseudo_labels" / CONFIDENCE, allow_pickle=False) as stored:
        watched = tracked(frames, f"{job.title}, audit", len(frames))
        metrics, table = audit(labels, dataset, watched, space, stored)
    if table.any():
        metrics["pl/ece"] = expected_calibration_error(table)
        reliability_figure(table, metrics["pl/ece"], job.data.kind, job.out / "figures" / "reliability.png")
    return metrics
