"""A server as MLflow's documentation starts one, with nothing set: its artifacts go through it, and no client sees its
folders. The store is the server's own; every client has only the address and its cache folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import folder_in_memory
from tests.end_to_end.conftest import UDAMLF, Place, default_server


@pytest.fixture(scope="module")
def host(tiny_world: Path) -> Iterator[Place]:
    """A place whose store is such a server."""
    with folder_in_memory() as folder, default_server(folder) as uri:
        (folder / "host").mkdir()
        yield Place(folder / "host", tiny_world, uri)


@pytest.fixture(scope="module")
def chain(host: Place) -> list[str]:
    """The command line of a chain that has been run once, with an empty cache."""
    command = host.chain("st", "--rounds", "1", "--no-references")
    done = host.call(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(" done") == 5, done.stderr
    return command


def artifacts(cache: Path) -> dict[str, bytes]:
    """Name below the cache -> content of every downloaded artifact."""
    files = [p for p in (cache / "artifacts").rglob("*") if p.is_file() and p.suffix != ".lock"]
    return {path.relative_to(cache).as_posix(): path.read_bytes() for path in files}


def test_a_chain_runs_and_its_runs_are_finished(host: Place, chain: list[str]) -> None:
    assert {run.info.status for run in host.runs()} == {"FINISHED"}
    assert {run.info.artifact_uri.split(":")[0] for run in host.runs()} == {"mlflow-artifacts"}


def test_weights_are_stored_once_with_the_model(host: Place, chain: list[str]) -> None:
    """The server's folder holds a training's weights once; its run has them from there, its model is whole."""
    weights = [path for path in (host.folder.parent / "server").rglob("*.safetensors")]
    assert len(weights) == len({run.data.tags["udamlf.model"] for run in host.runs(stage="self_train")}) + 1
    assert {path.parts[-3] for path in weights} == {"networks"}
    (trained,) = host.runs(stage="self_train")
    model = host.udamlf("register", "--run-id", trained.info.run_id, "--name", "once").split()[0]
    image = next(host.world.rglob("*leftImg8bit.png"))
    for source in (("--model", model), ("--run-id", trained.info.run_id)):
        host.udamlf("predict", *source, "--out", source[0].strip("-"), str(image))
    masks = [(host.folder / name / "labels" / f"{image.stem}.png").read_bytes() for name in ("model", "run-id")]
    assert masks[0] == masks[1]


def test_a_warm_cache_reuses_every_stage(host: Place, chain: list[str]) -> None:
    done = host.call(*chain)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reused") == 5 and len(host.runs(stage="self_train")) == 1


def test_another_hosts_empty_cache_reuses_every_stage_too(host: Place, chain: list[str], tmp_path: Path) -> None:
    done = host.call(*chain, UDAMLF_CACHE=str(tmp_path), UDAMLF_WORK=str(tmp_path / "work"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reused") == 5 and len(host.runs(stage="self_train")) == 1
    weights = [name for name in artifacts(tmp_path) if name.endswith("model.safetensors")]
    assert len(weights) == 2


def test_a_damaged_cache_is_mended_not_believed(host: Place, chain: list[str]) -> None:
    """A flipped byte in one file, another file gone, and the layout that an earlier version left behind."""
    cache = host.folder / "cache"
    before = artifacts(cache)
    weights = sorted(path for path in (cache / "artifacts").glob("*/checkpoint/model.safetensors"))
    content = bytearray(weights[0].read_bytes())
    content[-1] ^= 1
    weights[0].write_bytes(content)
    run = weights[1].parents[1]
    run.rename(run.with_name("moved"))
    (run / "artifacts").mkdir(parents=True)
    for entry in (run.with_name("moved")).iterdir():
        entry.rename(run / "artifacts" / entry.name)
    run.with_name("moved").rmdir()
    done = host.call(*chain)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reused") == 5, done.stderr
    assert artifacts(cache) == before


def test_a_checkpoint_of_the_server_can_be_evaluated(host: Place, chain: list[str]) -> None:
    (trained,) = host.runs(stage="self_train")
    shown = host.udamlf("evaluate", "--run-id", trained.info.run_id, "--split", "target_dev", "--format", "json")
    assert "16" in json.loads(shown)["miou"], "MLflow's client prints addresses, which are no JSON"


def test_what_nothing_needs_is_deleted_and_made_again_when_it_is_needed(host: Place, chain: list[str]) -> None:
    """The warm-up's weights go, those of the last training stay; the chain is done all the same, the warm-up cannot be
    scored, and a chain that scores it in another way trains it again and reuses the rest."""
    (warmup,), server = host.runs(stage="warmup"), host.folder.parent / "server"
    before = set(server.rglob("*.safetensors"))
    shown = host.udamlf("prune", "--keep", "last", "--yes")
    assert warmup.info.run_id in shown and "in 1 places" in shown
    assert len(before) - len(set(server.rglob("*.safetensors"))) == 1
    assert "in 0 places" in host.udamlf("prune", "--keep", "last")
    assert host.call(*chain).stderr.count("reused") == 5
    refused = host.call(UDAMLF, "evaluate", "--run-id", warmup.info.run_id)
    assert refused.returncode == 2 and "deleted by `udamlf prune`" in refused.stderr
    again = host.call(*chain, "--set", "profile.evaluation.flip=true")
    assert again.returncode == 0, again.stderr
    assert "warmup done" in again.stderr and "self_train 1 reused" in again.stderr
