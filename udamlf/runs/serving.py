"""A trained network in use: an image in, its classes out. Also the module that MLflow loads and serves as a model of
flavor pyfunc: in a model's folder are safetensors, JSON and YAML, and no code; what runs is this package."""

from __future__ import annotations

import base64
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import mlflow
import numpy as np
import PIL.Image
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.types.schema import AnyType, Array, ColSpec, DataType, ParamSchema, ParamSpec, Schema

from udamlf.common.errors import UserError
from udamlf.config.budget import EvalProtocol
from udamlf.config.labels import find_space, space_tag
from udamlf.config.schema import Config
from udamlf.data.raster import IMAGE_MODES, read_rgb
from udamlf.evaluation.predict import probabilities, scores
from udamlf.models import checkpoint
from udamlf.models.base import device
from udamlf.report.figures import colour
from udamlf.runs.tags import MODEL, NETWORKS, PRUNED
from udamlf.runs.tracker import Tracker, local_folder

# uint8 RGB [H, W, 3], an image of Pillow, the content of an image file, or its path
Image = np.ndarray | PIL.Image.Image | bytes | str | os.PathLike[str]
_INPUTS: dict[str, Any] = {"image": DataType.binary, "path": DataType.string, "pixels": AnyType()}
_MAPS: dict[str, Any] = {"class_map": DataType.long, "confidence": DataType.float, "colour_mask": Array(DataType.long)}
SIGNATURE = ModelSignature(
    Schema([ColSpec(kind, name, required=False) for name, kind in _INPUTS.items()]),
    Schema([ColSpec(Array(Array(kind)), name) for name, kind in _MAPS.items()]),
    ParamSchema([ParamSpec("png", DataType.boolean, False)]),
)


class Prediction(NamedTuple):
    """What a network says of an image, at the image's own size."""

    class_map: np.ndarray  # uint8 [H, W]: train ids, positions in ``classes``
    confidence: np.ndarray  # float32 [H, W], 0..1: probability of that class
    colour_mask: np.ndarray  # uint8 RGB [H, W, 3]: its colour
    classes: tuple[str, ...]


def read_image(image: Image) -> np.ndarray:
    """uint8 RGB [H, W, 3]. UserError: no whole image file, an array of another kind, or another object."""
    if isinstance(image, (bytes, str, os.PathLike)):
        return read_rgb(BytesIO(image) if isinstance(image, bytes) else Path(image))
    if isinstance(image, PIL.Image.Image) and image.mode in IMAGE_MODES:
        image = np.asarray(image.convert("RGB"))
    if not isinstance(image, np.ndarray):
        expected = "a path, the content of a file, an array uint8 RGB [height, width, 3], or an 8-bit image of Pillow"
        raise UserError(f"an image of type {type(image).__name__}", expected)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise UserError(f"an array {image.dtype} {list(image.shape)}", "uint8 RGB [height, width, 3]")
    return image


class Segmenter:
    """The mean of networks, in checkpoint folders, used as ``use`` says."""

    def __init__(self, folders: Sequence[Path], use: Mapping[str, Any]) -> None:
        self.space, self.protocol = find_space(use["label_space"]), EvalProtocol(**use["protocol"])
        self.model = checkpoint.load_mean(folders, self.space).to(device())

    def __call__(self, image: Image) -> Prediction:
        """UserError: see ``read_image``."""
        values = scores(self.model, read_image(image)[None], self.protocol)[0]
        classes = values.argmax(0, keepdim=True)
        class_map = classes[0].byte().cpu().numpy()
        confidence = probabilities(values, self.protocol).gather(0, classes)[0].clamp(0, 1).cpu().numpy()
        return Prediction(class_map, confidence, colour(class_map, self.space), self.space.classes)

    def predict(self, table: Any, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """MLflow's call: a data frame with an ``image`` (content of a file), a ``path`` or ``pixels`` in each row. Of
        each row the maps of ``Prediction``, or with the parameter ``png`` text: PNG files in base64, the confidence in
        percent. MlflowException: a row has no usable image."""
        predictions = []
        try:
            for row in table.to_dict("records"):
                (image,) = (value for value in row.values() if value is not None and not isinstance(value, float))
                predictions.append(self(np.array(image, np.uint8) if isinstance(image, list) else image)._asdict())
        except (UserError, ValueError, OverflowError) as error:
            raise MlflowException.invalid_parameter_value(f"a row without one image: {error}") from error
        as_text = (params or {}).get("png")
        return [{name: _png(row[name]) if as_text else row[name] for name in _MAPS} for row in predictions]

    def get_raw_model(self) -> Segmenter:
        """For ``PyFuncModel.get_raw_model``."""
        return self


def _png(values: np.ndarray) -> str:
    pixels = values[..., ::-1] if values.ndim == 3 else values if values.dtype == np.uint8 else np.rint(100 * values)
    return base64.b64encode(cv2.imencode(".png", pixels.astype(np.uint8))[1].tobytes()).decode()


def segmenter_config(config: Config) -> dict[str, Any]:
    """What a ``Segmenter`` takes of a run's configuration, as plain values."""
    protocol = config.protocol(config.report_split).model_dump(mode="json")
    return {"label_space": space_tag(config.scenario.label_space), "protocol": protocol}


def _load_pyfunc(path: str, model_config: Mapping[str, Any]) -> Segmenter:
    """MLflow's entry: the networks in ``path``."""
    return Segmenter(sorted(Path(path).iterdir()), model_config)


def load_model(uri: str) -> Segmenter:
    """The model at an MLflow address (``models:/NAME@ALIAS``, a folder). UserError: there is none, or another kind."""
    try:
        loader = Model.load(uri).flavors.get("python_function", {}).get("loader_module")
        if loader != __name__:  # which might run code from its folder
            raise UserError(f"{uri} is a model of {loader}", "a model of a udamlf run", "udamlf register --run-id RUN")
        return mlflow.pyfunc.load_model(uri).get_raw_model()
    except (MlflowException, OSError) as error:
        raise UserError(f"no model {uri!r}: {error}", "models:/NAME@ALIAS, models:/NAME/VERSION or a folder") from error


def log_model(tracker: Tracker, run_id: str, networks: Sequence[Path], config: Config, round: int) -> str:
    """The LoggedModel of a run's checkpoint (of several: of their mean), made if there is none yet; its id. In a local
    store its files are links to the runs' own, so that they lie once."""
    run, client, method = tracker.get(run_id), tracker.client, config.method.name
    if MODEL in run.data.tags:
        return str(run.data.tags[MODEL])
    tags = {"scenario": config.scenario.name, "method": method, "seed": str(config.seed), "round": str(round)}
    where = run.info.experiment_id, f"{method}-r{round}", run_id
    logged = client.create_logged_model(*where, tags, model_type="segmenter")
    colours = [bytes(rgb).hex() for rgb in config.space.palette]
    metadata = {"classes": list(config.space.classes), "colours": colours}
    model = Model(run_id=run_id, model_id=logged.model_id, signature=SIGNATURE, metadata=metadata)
    mlflow.pyfunc.add_to_model(model, __name__, data=NETWORKS, model_config=segmenter_config(config))
    with tempfile.TemporaryDirectory() as temporary:
        local = local_folder(logged.artifact_location)
        folder = local or Path(temporary)
        for number, network in enumerate(networks):
            place = folder / NETWORKS / str(number)
            place.mkdir(parents=True)
            for file in (checkpoint.FILES["last"], checkpoint.META):
                try:
                    os.link(network / file, place / file)
                except OSError:  # another file system, or one without links
                    shutil.copy(network / file, place / file)
        model.save(str(folder / "MLmodel"))
        if local is None:
            client.log_model_artifacts(logged.model_id, temporary)
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, round)])
    client.set_tag(run_id, MODEL, logged.model_id)
    return str(logged.model_id)


def register_version(tracker: Tracker, model_id: str, name: str, alias: str, tags: Mapping[str, str]) -> str:
    """The version of a registered model that is a LoggedModel, made if there is none yet, under an alias (empty:
    none); its address. UserError: a name or an alias that MLflow refuses."""
    if alias and (not re.fullmatch(r"[\w-]{1,255}", alias) or re.fullmatch(r"latest|v\d+", alias, re.I)):
        # MLflow would refuse it once there is a version.
        raise UserError(f"the alias {alias!r}", "letters, digits, - and _, neither latest nor a version's v1")
    try:
        versions, source = tracker.client.search_model_versions(f"name={name!r}"), f"models:/{model_id}"
        known = [version for version in versions if version.source == source]
        number = (known or [mlflow.register_model(source, name, tags=dict(tags))])[0].version
        if alias:
            tracker.client.set_registered_model_alias(name, alias, number)
    except MlflowException as error:
        raise UserError(f"cannot register {name!r} {alias}: {error.message}", "words with - and _") from error
    return f"models:/{name}@{alias}" if alias else f"models:/{name}/{number}"


def checkpoint_waste(tracker: Tracker, run: Any) -> tuple[int, Callable[[], None]]:
    """Bytes of a run's checkpoint, and what deletes it, the content of its LoggedModel too; the run then tells it."""
    places = [f"{run.info.artifact_uri}/checkpoint"]
    with suppress(MlflowException):  # somebody has deleted it, or there is none
        places += [tracker.client.get_logged_model(run.data.tags.get(MODEL, "")).artifact_location]
    repositories = [get_artifact_repository(uri) for uri in places]

    def below(repository: Any, path: str | None = None) -> int:
        entries = repository.list_artifacts(path)
        return sum(below(repository, entry.path) if entry.is_dir else entry.file_size for entry in entries)

    def delete() -> None:
        tracker.client.set_tag(run.info.run_id, PRUNED, "true")
        for repository in repositories:
            repository.delete_artifacts()

    # The model of a local store is links.
    return sum(map(below, repositories[:1] if local_folder(places[0]) else repositories)), delete
