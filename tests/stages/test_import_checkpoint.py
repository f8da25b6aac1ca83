"""A released file in the warm-up's place: what is published, and rounds that go on from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import released_files as files
from tests.in_process import InProcess, small
from udamlf.common.errors import UserError
from udamlf.common.files import digest_file
from udamlf.data.dataset import SHIPPED
from udamlf.evaluation.predict import label_scores
from udamlf.models import checkpoint, released
from udamlf.runs import plan as keys
from udamlf.runs.plan import Request, plan
from udamlf.stages.stage import stage


@pytest.mark.parametrize("kind", files.KINDS)
def test_every_kind_is_imported_scored_and_gives_the_files_own_probabilities(
    kind: str, tiny_world: Path, tmp_path: Path
) -> None:
    """The published checkpoint predicts what the file's network does; evaluate scores it as round 0."""
    path = files.released_file(tmp_path, kind)
    config = small("source_only", tiny_world, start=str(path))
    chain = InProcess(tmp_path / "chain")
    results = chain.run(config)
    assert list(results) == ["import_checkpoint", "evaluate 0"]
    given = results["import_checkpoint"]
    report = json.loads((given.path / "import.json").read_text(encoding="utf-8"))
    assert (report["file"], report["sha256"], report["outputs"]) == (path.name, digest_file(path), 19)
    notes = chain.notes[given.run_id]
    assert (notes.tags["sha256"], notes.splits) == (report["sha256"], [])
    model, origin = checkpoint.load(given.path / "checkpoint", config.space), released.read(path).build().eval()
    dataset = SHIPPED["cityscapes"]
    image = dataset.read_image(dataset.samples(tiny_world, "val")[0])
    for protocol in (config.profile.evaluation, config.profile.labelling):
        assert torch.equal(label_scores(model, image, protocol), label_scores(origin, image, protocol))
    score = json.loads((results["evaluate 0"].path / "evaluation/evaluation.json").read_text(encoding="utf-8"))
    assert score["miou"]["19"] is not None


def test_a_method_that_is_only_a_warm_up_cannot_start_from_a_file(tiny_world: Path, tmp_path: Path) -> None:
    """Its row would show the file's score under the method's name."""
    path = files.released_file(tmp_path, "iast")
    with pytest.raises(UserError, match="--start with advent, which has no rounds"):
        small("advent", tiny_world, start=str(path))


@pytest.mark.parametrize(
    ("kind", "method", "overrides"),
    [
        ("advent", "st", ()),
        ("iast", "hiast", ()),
        ("crst", "entropy_only", ()),
        ("proda_bn_clr", "ema_mix", ("method.round.objective.feature_distance=0.0",)),
        ("cbst", "cbst", ("method.target_subset.top_k=2",)),
    ],
)
def test_rounds_go_on_from_the_file_whatever_network_the_profile_has(
    kind: str, method: str, overrides: tuple[str, ...], chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """On the 16 classes of syn2city, to which the file's 19 outputs are cut: labels and trainings are its network's,
    and every stage is as in a chain with a warm-up."""
    path = files.released_file(tmp_path, kind)
    options = {"scenario": "syn2city", "rounds": 1, "start": str(path)}
    config = small(method, tiny_world, *overrides, **options)
    plain = plan(small(method, tiny_world, *overrides, scenario="syn2city", rounds=1))
    assert [str(s).replace("warmup", "import_checkpoint") for s in plain] == [str(step) for step in plan(config)]
    results = InProcess(tmp_path / "chain").run(config, evaluate=False)
    first, last = (results[name].path / "checkpoint" for name in ("import_checkpoint", "self_train 1"))
    network, before = checkpoint.read_state(first, config.space)
    trained, after = checkpoint.read_state(last, config.space)
    assert trained.name == network.name and network.params.items() <= trained.params.items()
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    changes = [float((after[n].float() - before[n].float()).abs().max()) for n in before if n.endswith("weight")]
    assert np.median(changes) < 0.1, "two steps of a training that began with the file's weights"


def test_a_network_of_the_profile_keeps_what_the_file_does_not_say(tiny_world: Path, tmp_path: Path) -> None:
    """Initial weights of a later pre-training, a head's learning rate are the profile's, where the network is too."""
    path = str(files.released_file(tmp_path, "advent"))
    request = Request("gta2city", "intrada", "paper", data_root=str(tiny_world), start=path)
    model = request.resolve().profile.model
    assert model.model_dump() == {
        "name": "deeplabv2", "variant": "advent", "multi_level": True, "depth": 101, "width": 4, "weights": "imagenet",
    }  # fmt: skip
    other = Request("gta2city", "st", "paper", data_root=str(tiny_world), start=path).resolve()  # resnet38 there
    assert "weights" not in other.profile.model.params


def test_the_key_is_the_files_content_and_the_classes_and_nothing_else(tiny_world: Path, tmp_path: Path) -> None:
    """A copy of the file, another method, profile or seed share one import; another file or label space do not."""

    def key(
        path: Path, scenario: str = "gta2city", method: str = "st", profile: str = "miniature", seed: int = 0
    ) -> str:
        config = Request(scenario, method, profile, seed, data_root=str(tiny_world), start=str(path)).resolve()
        return keys.key_of(keys.key_parts(config, "import_checkpoint", 0, {}, lambda split, labelled: split))

    path = files.released_file(tmp_path, "advent")
    copy = Path(shutil.copy(path, tmp_path / "copy.pth"))
    same = {key(path), key(copy), key(path, method="intrada"), key(path, profile="paper"), key(path, seed=3)}
    other = files.write(tmp_path / "other.pth", files.content("advent", seed=1))
    assert len(same) == 1
    assert len(same | {key(other), key(path, "syn2city")}) == 3


def test_a_chain_from_a_file_reads_no_source_for_it(tiny_world: Path, tmp_path: Path) -> None:
    path = str(files.released_file(tmp_path, "crst"))
    config = small("st", tiny_world, start=path)
    assert stage("import_checkpoint").declare(config, 0).splits == {}
    assert stage("warmup").rounds(config) == ()
    assert config.to_yaml().count(path) == 1
    assert f"--start {path}" in Request("gta2city", "st", start=path).command()


@pytest.mark.parametrize("problem", ["backbone", "sixteen", "absent"])
def test_a_file_that_cannot_start_a_chain_is_refused_before_it_begins(problem: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    if problem == "backbone":
        files.write(path, {n: t for n, t in files.state("crst").items() if not n.startswith("layer5.")})
    if problem == "sixteen":
        files.write(path, files.content("crst", 16))
    expected = {"backbone": "--set profile.model.weights=", "sixteen": "16 outputs", "absent": "No such file"}[problem]
    with pytest.raises(UserError, match=expected):
        Request("gta2city", "st", start=str(path)).resolve()


def test_another_file_may_label_the_first_round(tiny_world: Path, tmp_path: Path) -> None:
    """HIAST's release has a pair: the labels are one file's, the weights that are trained the other's."""
    first, second = (files.write(tmp_path / f"{seed}.pth", files.content("iast", seed=seed)) for seed in (0, 1))
    options = {"rounds": 1, "start": str(first)}
    runs = {
        name: InProcess(tmp_path / name).run(small("hiast", tiny_world, *extra, **options), evaluate=False)
        for name, extra in {"alone": (), "pair": (f"method.labeller={second}",)}.items()
    }
    other = small("hiast", tiny_world, rounds=1, start=str(second))
    runs["other"] = InProcess(tmp_path / "other").run(other, evaluate=False)
    archive = "pseudo_labels/labels.zip"
    labels = {name: (run["pseudo_label 1"].path / archive).read_bytes() for name, run in runs.items()}
    assert labels["pair"] == labels["other"] != labels["alone"]
    config = small("hiast", tiny_world, f"method.labeller={second}", **options)
    folders = [run["import_checkpoint"].path / "checkpoint" for run in runs.values()]
    alone, pair, _ = (checkpoint.read_state(folder, config.space)[1] for folder in folders)
    assert all(torch.equal(alone[name], pair[name]) for name in alone)
    with pytest.raises(UserError, match=r"method\.labeller without --start"):
        small("hiast", tiny_world, f"method.labeller={second}", rounds=1)
    with pytest.raises(UserError, match=r"the network of 0\.pth"):
        small("hiast", tiny_world, f"method.labeller={files.released_file(tmp_path, 'crst')}", **options)
