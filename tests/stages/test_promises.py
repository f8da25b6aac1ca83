"""What the stages promise: same input, same bytes; nothing taken from target labels; the whole output or none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.in_process import InProcess, Notes, files, job_of, run_step, small
from tests.stages.test_methods import two_rounds
from udamlf.common.errors import UserError
from udamlf.config.references import control
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.data.splits import ScenarioData
from udamlf.models import checkpoint
from udamlf.runs.plan import Step, data_root, plan
from udamlf.stages import pseudo_label
from udamlf.stages.stage import Input, stage

LABEL_FOLDER = Path("cityscapes/gtFine/train")


@pytest.fixture(scope="module")
def poisoned_world(tmp_path_factory: pytest.TempPathFactory, tiny_world: Path) -> Path:
    """The tiny world whose target training labels are gone, every other one, or unreadable."""
    root = tmp_path_factory.mktemp("poisoned") / "world"
    shutil.copytree(tiny_world, root)
    labels = sorted((root / LABEL_FOLDER).rglob("*.png"))
    assert len(labels) == 4
    for index, path in enumerate(labels):
        if index % 2:
            path.unlink()
        else:
            path.write_bytes(b"not an image")
    return root


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    return InProcess(tmp_path_factory.mktemp("poisoned_chains"))


@pytest.mark.parametrize("method", ["st", "cbst", "iast", "hiast", "ema_mix", "adabn"])
def test_no_stage_but_evaluate_reads_target_labels(
    method: str, chains: InProcess, tiny_world: Path, poisoned: InProcess, poisoned_world: Path
) -> None:
    """Every file of every warm-up, labelling and training has the same bytes when the target's labels are missing or
    unreadable. It also shows that a second run gives the same bytes."""
    clean = chains.run(two_rounds(method, tiny_world), evaluate=False)
    blind = poisoned.run(two_rounds(method, poisoned_world), evaluate=False)
    assert clean.keys() == blind.keys()
    for step in clean:
        assert files(clean[step].path) == files(blind[step].path), step


def test_the_oracle_does_read_them(poisoned: InProcess, poisoned_world: Path) -> None:
    """The poison works: the one method that trains on target labels meets it."""
    with pytest.raises(UserError):
        poisoned.run(small("oracle", poisoned_world), evaluate=False)


@pytest.mark.parametrize("workers", [0, 3])
def test_loader_workers_do_not_matter(workers: int, chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    """The checkpoint of a HIAST round is the same file with 0, 1 and 3 workers."""
    reference = chains.run(two_rounds("hiast", tiny_world), evaluate=False)
    config = two_rounds("hiast", tiny_world, f"profile.workers={workers}")
    step = plan(config)[2]
    inputs = {name: reference[str(needed)] for name, needed in step.needs.items()}
    result, _ = run_step(config, step, inputs, tmp_path / "again")
    assert files(result.path) == files(reference[str(step)].path)


@pytest.mark.parametrize("method", ["cbst", "iast", "proda"])
def test_labels_do_not_depend_on_the_number_of_gpus(
    method: str, chains: InProcess, tiny_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels of a round are the same files where three devices (CPUs here) share its images, whether the selector
    sees them in any order, in its own, or sees the network's output too."""
    config = two_rounds(method, tiny_world)
    reference = chains.run(config, evaluate=False)
    step = next(step for step in plan(config) if step.stage == "pseudo_label")
    inputs = {name: reference[str(needed)] for name, needed in step.needs.items()}
    monkeypatch.setattr(pseudo_label, "devices", lambda: [torch.device("cpu")] * 3)
    result, _ = run_step(config, step, inputs, tmp_path / "shared")
    assert files(result.path) == files(reference[str(step)].path)


@pytest.mark.parametrize("generator", ["middle", "teacher"])
def test_a_killed_training_publishes_the_same_files(
    generator: str, chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """HIAST's round stopped after each of its four steps but the last, and continued: the published folder, with the
    weights of the middle or the teacher's, is that of an undisturbed round."""
    budget = (f"method.round.generator={generator}", "profile.round.steps=4", "method.rounds=1")
    config = small("hiast", tiny_world, *budget)
    undisturbed = chains.run(config, evaluate=False)
    step = next(step for step in plan(config) if step.stage == "self_train")
    inputs = {name: undisturbed[str(needed)] for name, needed in step.needs.items()}

    class Stopping(Notes):
        def should_stop(self) -> bool:
            return True

    work, out = tmp_path / "work", tmp_path / "out"
    for _ in range(4):
        out.mkdir()
        work.mkdir(exist_ok=True)
        with pytest.raises(KeyboardInterrupt):
            stage("self_train").run(job_of(config, step, inputs, out, work, Stopping(), "killed"))
        assert files(out) == {}
        shutil.rmtree(out)
    out.mkdir()
    stage("self_train").run(job_of(config, step, inputs, out, work, Notes(), "killed"))
    expected = files(undisturbed["self_train 1"].path)
    assert f"checkpoint/{generator}.safetensors" in expected
    assert files(out) == expected


def test_rounds_begin_where_the_file_that_a_chain_starts_from_ends(chains: InProcess, tiny_world: Path) -> None:
    """A released network is past IAST's adversarial training: round 2 is the first, labelled by the network itself,
    which has neither middle nor teacher; its control has as many rounds."""
    config = small("iast", tiny_world, "method.first_round=2", "method.rounds=3", "method.round.generator=middle")
    done = chains.run(config)
    assert list(done) == [
        *("warmup", "evaluate 0", "pseudo_label 2", "self_train 2", "evaluate 2"),
        *("pseudo_label 3", "self_train 3", "evaluate 3"),
    ]
    manifest = json.loads((done["pseudo_label 2"].path / "pseudo_labels" / "manifest.json").read_text())
    assert manifest["round"] == 2
    assert control(config).method.rounds == 2


def test_a_round_of_one_step_still_has_a_middle(chains: InProcess, tiny_world: Path) -> None:
    config = small("iast", tiny_world, "method.round.generator=middle", "profile.round.steps=1", "method.rounds=2")
    assert "self_train 2" in chains.run(config, evaluate=False)


# --- odd worlds ------------------------------------------------------------------------------------------------------


def world_with(tmp_path: Path, tiny_world: Path, targets: int) -> Path:
    """The tiny world with only the first ``targets`` target training images."""
    root = tmp_path / "world"
    shutil.copytree(tiny_world, root)
    names = [p.name.removesuffix("_leftImg8bit.png") for p in (root / "cityscapes/leftImg8bit/train").rglob("*.png")]
    (root / "cityscapes/lists").mkdir(exist_ok=True)
    (root / "cityscapes/lists/train.txt").write_text("\n".join(sorted(names)[:targets]))
    return root


@pytest.mark.parametrize("method", ["cbst", "hiast", "adabn"])
def test_one_target_image_is_enough(method: str, tiny_world: Path, tmp_path: Path) -> None:
    """IAST's pairs of images, batches of two and BatchNorm's batches of eight do with one."""
    root = world_with(tmp_path, tiny_world, targets=1)
    config = small(method, root, rounds=1)
    results = InProcess(tmp_path / "chain").run(config, evaluate=False)
    assert "self_train 1" in results


@pytest.mark.parametrize("method", ["st", "hiast", "ema_mix"])
def test_a_target_smaller_than_the_crop(method: str, chains: InProcess, tiny_world: Path) -> None:
    """Frames of 128x64 and crops of 144x96: the rest of a crop is ignored."""
    crop = ("profile.round.augmentation.crop_hw=[96,144]", "profile.warmup.augmentation.crop_hw=[96,144]")
    results = chains.run(small(method, tiny_world, *crop, rounds=1), evaluate=False)
    ((_, metrics),) = chains.notes[results["self_train 1"].run_id].metrics
    assert 0 < metrics["train/source_ce"] < 20


def test_a_class_that_never_appears(chains: InProcess, tiny_world: Path) -> None:
    """Classes without a pixel in the source labels, and classes that the network never predicts, are no threshold, no
    metric, no loss; precondition: the tiny world has both."""
    config = two_rounds("cbst", tiny_world)
    frames = ScenarioData(config, data_root(config)).frames("source_train", with_labels=True)
    in_source = {int(v) for i in range(len(frames)) for v in np.unique(frames.label(i))}
    assert set(range(config.space.num_classes)) - in_source
    labels = chains.run(config, evaluate=False)["pseudo_label 1"]
    published = PseudoLabels(labels.path / "pseudo_labels")
    thresholds = published.extras["thresholds"]
    never = [name for name, t in zip(config.space.classes, thresholds, strict=True) if np.isnan(t)]
    assert never
    assert not any(f"pl/threshold/{name}" in published.manifest["quality"] for name in never)


# --- damaged input ---------------------------------------------------------------------------------------------------


def truncated(tmp_path: Path, tiny_world: Path, pattern: str) -> Path:
    """The tiny world in which the third file of ``pattern`` has lost its second half."""
    root = tmp_path / "world"
    shutil.copytree(tiny_world, root)
    path = sorted(root.glob(pattern))[2]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return root


def of_stage(config: Config, stage: str) -> Step:
    return next(step for step in plan(config) if step.stage == stage)


@pytest.mark.parametrize(
    ("stage", "pattern"),
    [
        ("warmup", "gta5/images/*.png"),
        ("warmup", "gta5/labels/*.png"),
        ("pseudo_label", "cityscapes/leftImg8bit/train/*/*.png"),
        ("self_train", "cityscapes/leftImg8bit/train/*/*.png"),
        ("evaluate", "cityscapes/leftImg8bit/test/*/*.png"),
        ("evaluate", "cityscapes/gtFine/test/*/*.png"),
    ],
)
def test_a_truncated_file_is_named_and_nothing_is_published(
    stage: str, pattern: str, chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """In the middle of a list: a UserError with the file's name, and no file in the output folder."""
    reference = chains.run(two_rounds("cbst", tiny_world), evaluate=False)
    root = truncated(tmp_path, tiny_world, pattern)
    config = two_rounds("cbst", root)
    step = of_stage(config, stage)
    inputs = {name: reference[str(needed)] for name, needed in step.needs.items()}
    with pytest.raises(UserError, match=r"cannot decode .*\.png") as caught:
        run_step(config, step, inputs, tmp_path / "step")
    assert sorted(root.glob(pattern))[2].name in str(caught.value)
    assert files(tmp_path / "step" / "out") == {}


def test_a_checkpoint_of_another_scenario_is_refused(chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    """Sixteen classes do not continue nineteen."""
    warm = chains.run(two_rounds("cbst", tiny_world), evaluate=False)["warmup"]
    config = two_rounds("cbst", tiny_world, scenario="syn2city")
    with pytest.raises(UserError, match="cityscapes19"):
        run_step(config, of_stage(config, "pseudo_label"), {"generator": warm}, tmp_path / "labels")
    with pytest.raises(UserError, match="cityscapes19"):
        run_step(config, of_stage(config, "self_train"), {"start": warm}, tmp_path / "training")


def test_damaged_pseudo_labels_are_refused(chains: InProcess, tiny_world: Path, tmp_path: Path) -> None:
    config = two_rounds("cbst", tiny_world)
    reference = chains.run(config, evaluate=False)
    shutil.copytree(reference["pseudo_label 1"].path, tmp_path / "labels")
    archive = tmp_path / "labels/pseudo_labels/labels.zip"
    archive.write_bytes(archive.read_bytes()[:-1])
    inputs = {"start": reference["warmup"], "labels": Input("damaged", tmp_path / "labels", {})}
    with pytest.raises(UserError, match=r"labels\.zip is missing or damaged"):
        run_step(config, of_stage(config, "self_train"), inputs, tmp_path / "step")
    assert files(tmp_path / "step" / "out") == {}


# --- evaluate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["cbst", "adabn"])
def test_every_training_is_scored_on_the_target_and_at_home(method: str, chains: InProcess, tiny_world: Path) -> None:
    """On the reported split and on source_val; the confusion matrices give the same numbers; pseudo-labels are audited
    with the training that learnt from them."""
    config = two_rounds(method, tiny_world)
    results = chains.run(config)
    for number in range(config.method.rounds + 1):
        result = results[f"evaluate {number}"]
        published = json.loads((result.path / "evaluation/evaluation.json").read_text())
        assert published["split"] == "target_test" and published["images"] == 4
        assert published["source"]["split"] == "source_val"
        with np.load(result.path / "evaluation/confusion.npz") as confusions:
            for score in (published, published["source"]):
                confusion = confusions[score["split"]]
                for c, name in enumerate(config.space.classes):
                    union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
                    expected = 100 * confusion[c, c] / union if union else None
                    assert score["iou"][name] == (expected if expected is None else pytest.approx(expected))
        ((step, metrics),) = chains.notes[result.run_id].metrics
        assert step == number and metrics["source/miou/19"] == published["source"]["miou"]["19"]
        assert ("pl/precision" in metrics) == (method == "cbst" and number > 0)


def test_a_source_without_held_out_frames_is_not_scored(tiny_world: Path, tmp_path: Path) -> None:
    """GTA5 as released has no ``val`` split."""
    shutil.copytree(tiny_world, tmp_path / "world", symlinks=True)
    (tmp_path / "world/gta5/lists/val.txt").unlink()
    chains = InProcess(tmp_path / "chain")
    results = chains.run(small("source_only", tmp_path / "world"))
    ((_, metrics),) = chains.notes[results["evaluate 0"].run_id].metrics
    assert "miou/19" in metrics and not any(name.startswith("source/") for name in metrics)


def test_evaluate_writes_predictions_in_the_official_format(
    chains: InProcess, tiny_world: Path, tmp_path: Path
) -> None:
    """Label ids under the original names, one per image, the same mask that was scored."""
    config = two_rounds("adabn", tiny_world)
    step = plan(config)[-1]
    results = chains.run(config, evaluate=False)
    inputs = {name: results[str(needed)] for name, needed in step.needs.items()}
    _, notes = run_step(config, step, inputs, tmp_path / "step", predictions=tmp_path / "masks")
    samples = ScenarioData(config, data_root(config)).samples("target_test")
    assert sorted(p.name for p in (tmp_path / "masks").iterdir()) == sorted(s.image.name for s in samples)
    dataset = ScenarioData(config, data_root(config)).dataset("target_test")
    total = np.zeros((config.space.num_classes, 2), np.int64)  # hits and union
    for sample in samples:
        mask = dataset.train_ids(config.space)[dataset.labels.read(tmp_path / "masks" / sample.image.name)]
        truth = dataset.read_label(sample, config.space)
        valid = truth < config.space.num_classes
        for c in range(config.space.num_classes):
            total[c] += ((mask == c) & (truth == c)).sum(), (((mask == c) | (truth == c)) & valid).sum()
    last = dict(notes.metrics)[config.method.rounds]
    for c, name in enumerate(config.space.classes):
        if total[c, 1]:
            assert last[f"iou/{name}"] == pytest.approx(100 * total[c, 0] / total[c, 1])


def test_the_teacher_of_a_round_is_published(chains: InProcess, tiny_world: Path) -> None:
    """Objectives with an EMA teacher publish it beside the network."""
    config = two_rounds("ema_mix", tiny_world)
    given = chains.run(config, evaluate=False)["self_train 1"]
    teacher = checkpoint.load(given.path / "checkpoint", config.space, "teacher")
    student = checkpoint.load(given.path / "checkpoint", config.space)
    pairs = zip(teacher.parameters(), student.parameters(), strict=True)
    assert any(not torch.equal(mine, theirs) for mine, theirs in pairs)
