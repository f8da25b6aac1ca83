"""What works here: versions, devices, environment managers, disk, data sets; and what a training's step needs."""

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import distributions

import numpy as np
import torch

from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder
from udamlf.config.labels import IGNORE
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import decode_soft_label
from udamlf.data.sample import Sample
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.predict import evaluating, label_scores
from udamlf.models.base import SegmentationModel
from udamlf.runs.launch import apart, gpus, managers
from udamlf.runs.plan import Request, data_root, plan
from udamlf.runs.tracker import store_uri, work_root
from udamlf.selection.base import build, label_images
from udamlf.stages.pseudo_label import selector_part
from udamlf.training.measure import Arrays, Label, measure_step

_PACKAGES = ("udamlf", "torch", "mlflow", "numpy", "opencv-python", "pydantic", "safetensors")
SAMPLED_LABELS = 16


def report(scenarios: list[str], folder: str | None) -> Iterator[str]:
    """Lines of the report on the data sets in ``folder`` (none: the embedded miniature, generated if need be)."""
    yield f"python {platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        yield f"{name} {next((package.version for package in distributions(name=name)), 'is not installed')}"
    yield f"devices: {', '.join(f'GPU {gpu}' for gpu in gpus()) or 'CPU only'}"
    yield ""
    for name, missing in managers().items():
        option = f"--env-manager {name}"
        yield f"{option}: {missing}" if missing else f"mlflow run . -e self_train -P scenario=syn2city {option}"
    yield ""
    yield f"tracking store: {store_uri()}"
    for purpose, path in (("work in progress", work_root(store_uri())), ("cache", cache_folder())):
        free_gib = shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free / 2**30
        yield f"{purpose}: {path}, {free_gib:.1f} GiB free"
    for name in scenarios:
        yield ""
        config = Request(name, "source_only", data_root=folder).resolve()
        data = ScenarioData(config, data_root(config))
        yield f"{name} ({data.kind}, {data.root})"
        for split in config.scenario.splits:
            try:
                yield from (f"  {line}" for line in _split(config, data, split))
            except UserError as error:
                yield f"  {split}: {error}"


def _split(config: Config, data: ScenarioData, split: str) -> Iterator[str]:
    """Number of images, and how often each class occurs in sampled labels."""
    frames = data.samples(split)
    labelled = [frame for frame in frames if frame.label is not None]
    yield f"{split}: {len(frames)} images, {len(labelled)} with label"
    if not labelled:
        return
    sampled = labelled[:: -(-len(labelled) // SAMPLED_LABELS)]
    labels = (data.dataset(split).read_label(frame, config.space).ravel() for frame in sampled)
    counts = np.sum([np.bincount(label, minlength=IGNORE + 1) for label in labels], axis=0)
    shares = 100.0 * counts / counts.sum()
    named = [f"{name} {shares[c]:.1f}" for c, name in enumerate(config.space.classes)]
    yield f"  % of pixels in {len(sampled)} labels: {', '.join(named)}, ignored {shares[IGNORE]:.1f}"


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
