"""What works here: versions, devices, environment managers, disk, data sets. Imports neither torch nor mlflow."""

import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import distributions
from itertools import product
from typing import Any

from udamlf.common.errors import UserError, masked
from udamlf.common.files import cache_folder
from udamlf.common.progress import progress
from udamlf.config.schema import SOURCE, SOURCE_VAL, TARGET
from udamlf.data.check import check_classes, look, shared_images
from udamlf.data.splits import ScenarioData
from udamlf.runs.launch import gpus, managers
from udamlf.runs.plan import Request, data_root, plan, splits_of
from udamlf.runs.store import store_uri, work_root
from udamlf.stages.stage import WITH_WEIGHTS

_PACKAGES = ("udamlf", "torch", "mlflow", "numpy", "opencv-python", "pydantic", "safetensors")
_LEARNT = {SOURCE: "labels", TARGET: "images, without labels,"}
SAMPLED_LABELS = 16


def report() -> Iterator[str]:
    """Lines on the machine."""
    yield f"python {platform.python_version()} on {platform.platform()}"
    for name in _PACKAGES:
        yield f"{name} {next((package.version for package in distributions(name=name)), 'is not installed')}"
    yield f"devices: {', '.join(f'GPU {gpu}' for gpu in gpus()) or 'CPU, as nvidia-smi shows no GPU'}"
    yield ""
    for name, missing in managers().items():
        option = f"--env-manager {name}"
        yield f"{option}: {missing}" if missing else f"mlflow run . -e self_train -P scenario=syn2city {option}"
    yield ""
    yield f"tracking store: {masked(store_uri())}"
    for purpose, path in (("work in progress", work_root(store_uri())), ("cache", cache_folder())):
        free_gib = shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free / 2**30
        yield f"{purpose}: {path}, {free_gib:.1f} GiB free"


def look_at(scenario: str, folder: str | None, decode: int | None) -> Iterator[tuple[str, list[str]]]:
    """For a scenario and every split of it a text, and a line for each bad file; ``folder``: of the data sets (none:
    the embedded miniature), ``decode``: of how many labels the classes are counted (None: of all)."""
    config = Request(scenario, "source_only", data_root=folder).configuration()
    check_classes(config)
    data = ScenarioData(config, data_root(config))
    yield f"{config.scenario.name} ({data.kind}, {data.root})", []
    required = (SOURCE, TARGET, config.report_split)
    for split in dict.fromkeys((*config.scenario.splits, *required)):
        try:
            if split not in required and not data.has(split):
                yield f"{split}: not there", []
                continue
            with progress(split) as watch:
                findings = look(data, split, decode, watch)
        except UserError as error:
            yield f"{split}: {error}", [error.message]
            continue
        text = f"{split}: {findings.images} images, {findings.labels} with label"
        yield f"{text}\n  {findings.histogram(config.space)}" if findings.decoded else text, findings.bad
    for split, (learnt, what) in product(dict.fromkeys((config.report_split, SOURCE_VAL)), _LEARNT.items()):
        with suppress(UserError):  # one of them is missing, which is told above
            if split != learnt and (both := shared_images(data, split, learnt)):
                text = f"{len(both)} images of {split}, e.g. {both[0]}, are in {learnt} too, whose {what} are learnt"
                yield text, [text] if learnt == SOURCE else []


def is_absent(scenario: str, folder: str | None) -> bool:
    """Whether no data set of a scenario is in the folder (none: the miniature has none of it)."""
    config = Request(scenario, "source_only", data_root=folder).configuration()
    with suppress(UserError):
        root = data_root(config)
        return not any((root / split.dataset).is_dir() for split in config.scenario.splits.values())
    return True


def cache_data(request: dict[str, Any]) -> Iterator[str]:
    """Decode and keep the frames that the trainings of a chain read; a line for each of their splits."""
    config = Request(**request).resolve()
    data = ScenarioData(config, data_root(config))
    trainings = [step for step in plan(config) if step.stage in WITH_WEIGHTS]
    for split, labelled in splits_of(config, trainings).items():
        frames = data.frames(split, labelled)
        size = "their own size" if frames.size is None else "{1}x{0}".format(*frames.size)
        yield f"{split}: {len(frames)} frames at {size} in {cache_folder() / 'frames'}"
