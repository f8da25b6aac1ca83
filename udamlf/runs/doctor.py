"""What works here: versions, devices, environment managers, disk, data sets; and what a training's step needs."""

import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distributions

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from udamlf.common.errors import UserError
from udamlf.common.files import cache_folder
from udamlf.config.schema import SOURCE, TARGET, Config
from udamlf.data.check import look
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
            lines, bad = _split(data, split, SAMPLED_LABELS)
            more = [f"  bad files: {len(bad)}, e.g. {bad[0]}", f"  udamlf data check {name}"] if bad else []
            yield from (f"  {line}" for line in [*lines, *more])


def check_data(scenario: str, folder: str | None) -> Iterator[tuple[list[str], list[str]]]:
    """For every split of a scenario the lines on it, and a line for each of its bad files."""
    config = Request(scenario, "source_only", data_root=folder).resolve()
    data = ScenarioData(config, data_root(config))
    yield [f"{config.scenario.name} ({data.kind}, {data.root})"], []
    for split in config.scenario.splits:
        with _bar(split) as watch:
            yield _split(data, split, None, watch)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar in a terminal; the function takes how much is done, and of how much."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _split(
    data: ScenarioData, split: str, decode: int | None, watch: Callable[[int, int], None] = lambda done, of: None
) -> tuple[list[str], list[str]]:
    """Number of images, how often each class occurs in ``decode`` labels (None: all), and the bad files. A split that
    no training and no report needs may be absent."""
    scenario, needed = data.config.scenario, split in (SOURCE, TARGET, data.config.report_split)
    try:
        if not data.has(split) and not needed:
            ref = scenario.splits[split]
            return [f"{split}: no split {ref.split!r} of {ref.dataset}"], []
        findings = look(data, split, decode, watch)
    except UserError as error:
        return [f"{split}: {error}"], [error.message]
    lines = [f"{split}: {findings.images} images, {findings.labels} with label"]
    return lines + ([f"  {findings.histogram(data.config.space)}"] if findings.decoded else []), findings.bad


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
