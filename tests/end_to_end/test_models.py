"""A chain's checkpoint in use, as docs/models.md shows it: files, registry, server; runs recorded and repeated."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import socket
import subprocess
import urllib.error
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import cv2
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

import udamlf
from tests.end_to_end.conftest import BIN, UDAMLF, Place, wait_for
from udamlf.runs.launch import PROJECT_ROOT

DOCS = (PROJECT_ROOT / "docs" / "models.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```bash\n(.*?)```", DOCS, re.S) for line in block.splitlines()]
SCRIPTS = re.findall(r"```python\n(.*?)```", DOCS, re.S)


@pytest.fixture(scope="module")
def call(place: Place) -> Iterator[Callable[..., str]]:
    """What a udamlf command prints, with the exit code that is expected; the document's scripts run in its folder."""

    def run(*arguments: str, code: int = 0) -> str:
        done = place.call(UDAMLF, *arguments)
        shown = done.stdout + done.stderr
        assert done.returncode == code, shown
        return shown

    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.environment.items():
            patch.setenv(name, value)
        patch.chdir(place.folder)
        yield run
        mlflow.set_tracking_uri(None)  # this process goes on with other tests


@pytest.fixture(scope="module")
def chain(place: Place, call: Callable[..., str]) -> str:
    """A chain of a warm-up and its evaluation, measured by MLflow meanwhile; the document's pictures beside it."""
    measured = ["--system-metrics"] if find_spec("psutil") else []
    command = place.chain("source_only", "--no-references", *measured)
    done = place.call(*command, MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL="0.1")
    assert done.returncode == 0, done.stderr
    images = sorted((place.world / "cityscapes").rglob("*leftImg8bit.png"))[:3]
    for image, name in zip(images, ("street.png", "photos/0.png", "photos/1.png"), strict=True):
        (place.folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(image, place.folder / name)
    pixels = [cv2.imread(str(image)) for image in images * 2]
    height, width = pixels[0].shape[:2]
    video = cv2.VideoWriter("drive.avi", cv2.VideoWriter.fourcc(*"MJPG"), 5, (width, height))
    for frame in pixels:
        video.write(frame)
    video.release()
    return str(place.runs(stage="chain")[0].info.run_id)


@pytest.fixture(scope="module")
def used(chain: str, call: Callable[..., str]) -> dict[str, str]:
    """What each command of the document but the server prints, by its first words."""
    words = [shlex.split(command.replace("RUN", chain)) for command in COMMANDS]
    return {" ".join(each[1:3]): call(*each[1:]) for each in words if each[0] == "udamlf"}


@pytest.fixture(scope="module")
def address(place: Place, used: dict[str, str]) -> Iterator[str]:
    """The document's server, on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (command,) = (c for c in COMMANDS if c.startswith("mlflow models serve"))
    server = place.start(*shlex.split(command.replace("mlflow", str(BIN / "mlflow"), 1).replace("5001", str(port))))

    def answers() -> bool:
        try:
            return bool(urlopen(f"http://127.0.0.1:{port}/ping").status == 200)
        except OSError:
            assert server.poll() is None, server.communicate()[0]
            return False

    try:
        wait_for(answers, 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=30)


def mask(path: Path) -> np.ndarray:
    """The pixels of a written PNG, colours as RGB."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, path
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def test_predict_writes_masks_of_files_folders_and_videos(place: Place, used: dict[str, str]) -> None:
    """At the input's own size; a registered model and its run say the same; the colours are those of the labels."""
    out = place.folder / "masks"
    names = ["street", "photos/0", "photos/1", *(f"drive/{n:06d}" for n in range(6))]
    written = {p.relative_to(out).as_posix() for p in out.rglob("*.*")}
    assert written == {"classes.json"} | {
        f"{kind}/{name.removeprefix('photos/')}.{suffix}"
        for name in names
        for kind, suffix in (("labels", "png"), ("colour", "png"), ("overlay", "jpg"))
    }
    labels = mask(out / "labels" / "street.png")
    assert labels.shape == cv2.imread(str(place.folder / "street.png")).shape[:2]
    palette = np.array(json.loads((out / "classes.json").read_text())["colours"])
    assert (mask(out / "colour" / "street.png") == palette[labels]).all()
    assert (mask(place.folder / "again" / "labels" / "street.png") == labels).all()


def test_what_cannot_be_read_is_named_and_the_rest_is_done(place: Place, chain: str, call: Callable[..., str]) -> None:
    whole, folder = (place.folder / "drive.avi").read_bytes(), place.folder / "damaged"
    folder.mkdir()
    (folder / "cut.avi").write_bytes(whole[: len(whole) // 2])
    (folder / "cut.png").write_bytes((place.folder / "street.png").read_bytes()[:3000])
    shutil.copy(place.folder / "street.png", folder / "whole.png")
    arguments = ["predict", "--run-id", chain, "--out", "some", "damaged", "nowhere.png"]
    assert "would both become damaged/cut.png" in call(*arguments, code=2) and not (place.folder / "some").exists()
    (folder / "cut.png").rename(folder / "half.png")
    said = call(*arguments, code=2)
    assert re.search(r"3 bad files\n.*cut.avi: \d of 6 frames\n.*half.png.*\nnowhere.png is missing", said)
    assert (place.folder / "some" / "labels" / "whole.png").is_file()


def test_a_server_answers_what_predict_writes(place: Place, used: dict[str, str], address: str) -> None:
    """The document's request; content, path and pixels of a file give one answer; a damaged file is refused."""
    labels = mask(place.folder / "masks" / "labels" / "street.png")
    script = SCRIPTS[1].replace("http://127.0.0.1:5001", address)
    subprocess.run([str(BIN / "python"), "-c", script], cwd=place.folder, check=True)
    assert (mask(place.folder / "street.mask.png") == mask(place.folder / "masks" / "colour" / "street.png")).all()

    def ask(row: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"dataframe_records": [row]}).encode()
        answer = urlopen(Request(f"{address}/invocations", body, {"Content-Type": "application/json"}))
        return dict(json.load(answer)["predictions"][0])

    file = place.folder / "street.png"
    content = base64.b64encode(file.read_bytes()).decode()
    for row in ({"image": content}, {"path": str(file)}, {"pixels": mask(file).tolist()}):
        answer = ask(row)
        assert (np.array(answer["class_map"]) == labels).all()
        assert np.array(answer["confidence"]).shape == labels.shape and 0 < np.array(answer["confidence"]).max() <= 1
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        ask({"image": content[:400]})
    assert b"cannot decode the image" in refused.value.read()


def test_the_library_takes_paths_contents_and_arrays(
    place: Place, chain: str, used: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.folder / "street.png"
    forms = [str(file), file.read_bytes(), mask(file)]
    found = udamlf.predict(forms, model="models:/streets@champion")
    assert all((each.class_map == mask(place.folder / "masks" / "labels" / "street.png")).all() for each in found)
    assert all((each.confidence == found[0].confidence).all() for each in found)
    exec(SCRIPTS[0].replace("RUN", chain), {})
    assert len(capsys.readouterr().out.split()) == 2


def test_a_model_has_its_scores_and_is_stored_and_registered_once(
    place: Place, used: dict[str, str], call: Callable[..., str]
) -> None:
    """A second registration moves the alias to the same version. MLflow itself can load it."""
    client = MlflowClient(place.uri)
    (model,) = client.search_logged_models(["0"])
    first = place.runs(stage="evaluate")[-1]
    assert ("miou/16", first.data.metrics["miou/16"]) in [(m.key, m.value) for m in model.metrics]
    folder, is_local = place.artifacts(model.artifact_location), place.uri.startswith("sqlite")
    assert not is_local or (folder / "networks" / "0" / "model.safetensors").stat().st_nlink == 2
    assert {p.suffix for p in folder.rglob("*") if p.is_file()} == {"", ".json", ".safetensors"}
    assert "mlflow models serve -m models:/streets@champion" in used["register --run-id"]
    assert "models:/streets/1\n" in call("register", "--run-id", model.source_run_id, "--name", "streets")
    assert len(client.search_model_versions("name='streets'")) == 1
    mlflow.set_tracking_uri(place.uri)
    signature = mlflow.pyfunc.load_model(f"models:/{model.model_id}").metadata.signature
    assert signature.inputs.input_names() == ["image", "path", "pixels"]


def test_a_stage_records_where_it_ran_and_what_it_said(place: Place, chain: str) -> None:
    """Beside the manifest, on which later keys depend; the machine's load where it is asked for."""
    (warmup,) = place.runs(stage="warmup")
    folder = place.artifacts(warmup.info.artifact_uri)
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["torch"] and environment["threads"]["torch"] == 1 and environment["precision"] == "float32"
    assert "mlflow==" in (folder / "requirements.txt").read_text()
    assert f"warmup 0 of run {warmup.info.run_id}" in (folder / "log.txt").read_text()
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    there = {p.relative_to(folder).as_posix() for p in folder.glob("checkpoint/*")}
    assert set(listed) == there | {"checkpoint/model.safetensors"}, "a server has the weights with the model"
    assert ("system/cpu_utilization_percentage" in warmup.data.metrics) == bool(find_spec("psutil"))


def test_a_chain_is_repeated_and_told_apart(place: Place, chain: str, used: dict[str, str]) -> None:
    """Only what the changed value concerns is done again."""
    assert used[f"diff {chain}"] == "nothing differs\n"
    shown = used[f"rerun {chain}"].partition(f"unlike run {chain}:\n")[2]
    assert "  profile.evaluation.flip: False (profile miniature) -> True (--set)" in shown
    assert re.search(r"^results\n(  iou.*\n)*  miou: [\d.]+ -> [\d.]+ \([+-]", shown, re.M)
    assert len(place.runs(stage="warmup")) == 1 and len(place.runs(stage="evaluate")) == 2
    assert f"udamlf rerun {chain} --set" in place.runs(stage="chain")[0].data.tags["mlflow.note.content"]
