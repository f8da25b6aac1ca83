"""What works here: versions, devices, environment managers, disk, data sets. Imports neither torch nor mlflow."""

import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from typing import Any

from udamlf.common.errors import UserError, masked
from udamlf.common.files import cache_folder
from udamlf.common.progress import progress
from udamlf.config.schema import SOURCE, TARGET
from udamlf.data.check import look
from udamlf.data.splits import ScenarioData
from udamlf.runs.launch import gpus, managers
from udamlf.runs.plan import Request, data_root, opened, plan
from udamlf.runs.store import store_uri, work_root
from udamlf.stages.stage import WITH_WEIGHTS

_PACKAGES = ("udamlf", "torch", "mlflow", "numpy", "opencv-python", "pydantic", "safetensors")
SAMPLED_LABELS = 16


def report() -> Iterator[str]:
    """Lines on the machine."""
    yield f"python {platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        yield f"{name} {next((package.version for package in distributions(name=name)), 'is not installed')}"
    yield f"devices: {', '.join(f'GPU {gpu}' for gpu in gpus()) or 'CPU only'}"
    yield ""
    for name, missing in managers().items():
        option = f"--env-manager {name}"
        yield f"{option}: {missing}" if missing else f"mlflow run . -e self_train -P scenario=syn2city {option}"
    yield ""
    yield f"tracking store: {masked(store_uri())}"
    for purpose, path in (("work in progress", work_root(store_uri())), ("cache", cache_folder())):
        free_gib = shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free / 2**30
        yield f"{purpose}: {path}, {free_gib:.1f} GiB free"


def report_data(scenarios: list[str], folder: str | None) -> Iterator[str]:
    """Lines on the data sets in ``folder`` (none: the embedded miniature, generated if need be)."""
    for name in scenarios:
        data = _data(name, folder)
        yield from ("", f"{name} ({data.kind}, {data.root})")
        for split in data.config.scenario.splits:
            lines, bad = _split(data, split, SAMPLED_LABELS)
            more = [f"  bad files: {len(bad)}, e.g. {bad[0]}", f"  udamlf data check {name}"] if bad else []
            yield from (f"  {line}" for line in [*lines, *more])


def check_data(scenario: str, folder: str | None) -> Iterator[tuple[list[str], list[str]]]:
    """For every split of a scenario the lines on it, and a line for each of its bad files."""
    data = _data(scenario, folder)
    yield [f"{data.config.scenario.name} ({data.kind}, {data.root})"], []
    for split in data.config.scenario.splits:
        with progress(split) as watch:
            yield _split(data, split, None, watch)


def _data(scenario: str, folder: str | None) -> ScenarioData:
    config = Request(scenario, "source_only", data_root=folder).configuration()
    return ScenarioData(config, data_root(config))


def cache_data(request: dict[str, Any]) -> Iterator[str]:
    """Decode and keep the frames that the trainings of a chain read; a line for each of their splits."""
    config = Request(**request).resolve()
    data = ScenarioData(config, data_root(config))
    trainings = [step for step in plan(config) if step.stage in WITH_WEIGHTS]
    for split, labelled in opened(config, trainings).items():
        frames = data.frames(split, labelled)
        size = "their own size" if frames.size is None else "{1}x{0}".format(*frames.size)
        yield f"{split}: {len(frames)} frames at {size} in {cache_folder() / 'frames'}"


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
