"""A round that takes no source image asks for no source: its folder need not be there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.own import write_fields
from tests.in_process import small
from udamlf.common.errors import UserError
from udamlf.config.compose import resolve
from udamlf.config.schema import Config
from udamlf.data.splits import ScenarioData
from udamlf.runs.plan import Request, key_of, key_parts, plan, splits_of
from udamlf.stages.stage import stage

NO_SOURCE = "profile.round.batch.source=0"
TARGET_ONLY = {"target_train": False}


@pytest.fixture
def target(tmp_path: Path, tiny_world: Path) -> Path:
    """A data root with the target alone."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cityscapes").symlink_to(tiny_world / "cityscapes")
    return tmp_path / "data"


def keys_of(config: Config, root: Path) -> list[str]:
    """Key of every step but the warm-up, on the data in ``root``; inputs stand as their names."""
    digest = ScenarioData(config, root).digest
    steps = [step for step in plan(config) if step.stage != "warmup"]
    return [key_of(key_parts(config, s.stage, s.round, {name: name for name in s.needs}, digest)) for s in steps]


@pytest.mark.parametrize(
    ("method", "overrides"),
    [
        ("st", [NO_SOURCE]),
        ("st", ["method.round.source_portion=0"]),
        ("iast", [NO_SOURCE]),
        ("adabn", []),  # takes no step
        ("shot", []),
        ("intrada", ["method.warmup.objective={name: supervised}"]),  # learns from a part of the target
    ],
)
def test_no_step_after_the_warm_up_needs_the_source(target: Path, method: str, overrides: list[str]) -> None:
    config = small(method, target, *overrides)
    for step in plan(config):
        if step.stage in ("self_train", "pseudo_label"):
            assert stage(step.stage).declare(config, step.round).splits == TARGET_ONLY, str(step)
    assert len(keys_of(config, target)) == len(plan(config)) - 1  # none of them asks for the source's folder
    rounds = [step for step in plan(config) if step.stage != "warmup"]
    assert "source_train" not in splits_of(config, rounds) and "source_train" in splits_of(config, plan(config))


def test_a_round_that_takes_source_images_needs_them(target: Path) -> None:
    with pytest.raises(UserError, match="no data set gta5"):
        keys_of(small("st", target), target)


def test_a_pre_training_on_the_target_alone_needs_no_source(target: Path) -> None:
    config = small("proda", target)
    number = next(n for n in range(1, config.method.rounds + 1) if config.method.round_at(n).pretraining)
    assert stage("pretrain").declare(config, number).splits == {"source_train": False, **TARGET_ONLY}
    entry = f"method.round.{number}" if isinstance(config.method.round, tuple) else "method.round"
    override = f"{entry}.pretrain.training={json.dumps({'batch.source': 0})}"
    config = resolve("gta2city", "proda", data_root=str(target), overrides=[override])
    assert stage("pretrain").declare(config, number).splits == TARGET_ONLY


def test_a_training_opens_the_target_only_where_it_reads_it(target: Path) -> None:
    """So further target images leave the keys of source-only trainings as they are."""
    assert stage("warmup").declare(small("source_only", target), 0).splits == {"source_train": True}
    assert stage("warmup").declare(small("advent", target), 0).splits.keys() == {"source_train", "target_train"}
    assert stage("warmup").declare(small("oracle", target), 0).splits == {"target_train": True}
    control = Request("gta2city", "control", of="st", data_root=str(target)).resolve()
    assert stage("self_train").declare(control, 1).splits == {"source_train": True, **TARGET_ONLY}


# --- adding to a split ----------------------------------------------------------------------------------------------


def by_step(root: Path) -> dict[str, str]:
    """Step of a chain on the folder data set -> its key, by what it reads itself."""
    config = small("st", root, "profile.audit=false", scenario=str(root / "day2night.yaml"))
    data = ScenarioData(config, root)
    return {str(s): key_of(key_parts(config, s.stage, s.round, {}, data.digest)) for s in plan(config)}


def test_frames_added_to_a_split_change_only_what_reads_it_and_a_list_pins_a_split(tmp_path: Path) -> None:
    write_fields(tmp_path)
    fields, before = tmp_path / "fields", by_step(tmp_path)
    names = (fields / "lists" / "test.txt").read_text()
    (fields / "lists" / "test.txt").write_text(names + "night/004\n")
    masks = fields / "masks" / "night"
    (masks / "004.png").write_bytes((masks / "006.png").read_bytes())
    tested = by_step(tmp_path)
    assert {step for step in before if before[step] != tested[step]} == {
        step for step in before if step.startswith("evaluate")
    }

    images = fields / "images"
    (images / "night" / "new.png").write_bytes((images / "night" / "004.png").read_bytes())
    longer = by_step(tmp_path)
    assert {step for step in before if tested[step] != longer[step]} == {
        step for step in before if step.startswith(("pseudo_label", "self_train", "evaluate"))
    }, "the validators of an evaluation sample the target's training images"

    (fields / "lists" / "night.txt").write_text("".join(f"night/00{n}\n" for n in range(4, 8)))
    scenario = tmp_path / "day2night.yaml"
    scenario.write_text(scenario.read_text().replace("split: night/*", "split: night"))
    assert by_step(tmp_path) == tested, "the list names what was there before"


def test_a_further_split_of_the_scenario_changes_no_key(tmp_path: Path) -> None:
    scenario = write_fields(tmp_path)
    before = by_step(tmp_path)
    scenario.write_text(scenario.read_text().replace("splits:", "splits:\n  dusk: {dataset: fields, split: night/*}"))
    assert by_step(tmp_path) == before


def test_a_list_pins_an_official_split(tmp_path: Path, tiny_world: Path) -> None:
    """Without one the split is every image that is there, and more images are another split."""
    (tmp_path / "gta5" / "images").mkdir(parents=True)
    for image in (tiny_world / "gta5" / "images").glob("*.png"):
        (tmp_path / "gta5" / "images" / image.name).symlink_to(image)
    config = small("source_only", tmp_path)

    def digest() -> str:
        return ScenarioData(config, tmp_path).digest("source_train", False)

    def add(name: str) -> None:
        (tmp_path / "gta5" / "images" / name).write_bytes(image.read_bytes())

    names = sorted(path.stem for path in (tmp_path / "gta5" / "images").glob("*.png"))
    before = digest()
    add("90001.png")
    assert digest() != before
    (tmp_path / "gta5" / "lists").mkdir()
    (tmp_path / "gta5" / "lists" / "train.txt").write_text("\n".join(names))
    assert digest() == before
    add("90002.png")
    assert digest() == before
