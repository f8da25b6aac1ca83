"""What works here: versions, devices, environment managers, disk, data sets."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from udamlf.config import Config
from udamlf.data.labels import IGNORE
from udamlf.data.lists import ScenarioData
from udamlf.errors import UserError
from udamlf.files import cache_folder
from udamlf.launch import gpus, managers
from udamlf.resolve import resolve
from udamlf.tracking import store_uri, work_root

_PACKAGES = ("udamlf", "torch", "mlflow", "numpy", "opencv-python", "pydantic", "safetensors")
SAMPLED_LABELS = 16


def report(scenarios: list[str], data_root: str | None) -> Iterator[str]:
    """Lines of the report.

    Args:
        data_root: where the data sets are; none: the embedded miniature, which is generated if need be.
    """
    yield f"python {platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        yield f"{name} {_version(name)}"
    yield f"devices: {', '.join(f'GPU {gpu}' for gpu in gpus()) or 'CPU only'}"
    yield ""
    for name, missing in managers().items():
        option = f"--env-manager {name}"
        yield f"{option}: {missing}" if missing else f"mlflow run . -e self_train -P scenario=syn2city {option}"
    yield ""
    yield f"tracking store: {store_uri()}"
    for purpose, folder in (("work in progress", work_root(store_uri())), ("cache", cache_folder())):
        yield f"{purpose}: {folder}, {_free_gib(folder):.1f} GiB free"
    for name in scenarios:
        yield ""
        yield from _scenario(name, data_root)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is not installed"


def _free_gib(folder: Path) -> float:
    return shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free / 2**30


def _scenario(name: str, data_root: str | None) -> Iterator[str]:
    """Counts of every list, and how often each class occurs in sampled labels."""
    config = resolve(name, "source_only", data_root=data_root)
    try:
        data = ScenarioData(config)
    except UserError as error:
        yield f"{name}: {error}"
        return
    yield f"{name} ({data.kind}, {data.root})"
    for split in config.scenario.lists:
        try:
            yield from (f"  {line}" for line in _list(config, data, split))
        except UserError as error:
            yield f"  {split}: {error}"


def _list(config: Config, data: ScenarioData, split: str) -> Iterator[str]:
    samples = data.samples(split)
    labelled = [sample for sample in samples if sample.label is not None]
    yield f"{split}: {len(samples)} images, {len(labelled)} with label"
    if not labelled:
        return
    chosen = labelled[:: -(-len(labelled) // SAMPLED_LABELS)]
    counts = np.zeros(IGNORE + 1, np.int64)
    for sample in chosen:
        counts += np.bincount(data.dataset(split).read_label(sample, config.space).ravel(), minlength=IGNORE + 1)
    shares = 100.0 * counts / counts.sum()
    named = [f"{name} {shares[c]:.1f}" for c, name in enumerate(config.space.classes)]
    yield f"  % of pixels in {len(chosen)} labels: {', '.join(named)}, ignored {shares[IGNORE]:.1f}"


def dry_steps(config: Config, measure: bool) -> Iterator[str]:
    """A line for every training of a method: what one of its steps needs (see ``training.dry_step``)."""
    from udamlf.training.dry_step import dry_step

    yield f"{config.method.name} with profile {config.profile.name}, {config.profile.precision}"
    trainings = [(0, False)]
    for number in range(1, config.method.rounds + 1):
        described = config.method.round_at(number)
        trainings += [(number, True)] if described.pretrain and described.start == "initial" else []
        trainings.append((number, False))
    for number, pretraining in trainings:
        budget = config.pretraining(number) if pretraining else config.training(number)
        name = f"pretrain {number}" if pretraining else f"self_train {number}" if number else "warmup"
        images = f"{budget.batch.source} + {budget.batch.target} images"
        pieces = budget.batch.micro_batches(config.profile.micro_batch)
        cut = f" in {pieces} micro-batches" if pieces > 1 else ""
        yield f"{name}: {dry_step(config, number, pretraining, measure)} ({images}{cut})"
