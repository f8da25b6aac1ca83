"""Configurations: every shipped one resolves, every wrong one is refused by name, and a step's key is what it reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.test_config_refused import refused
from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.config import reading
from udamlf.config.compose import CONFIGS, available, resolve
from udamlf.config.schema import Config

FILES = sorted(CONFIGS.glob("*/*.yaml"))


# --- shipped files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", available("profiles"))
@pytest.mark.parametrize("method", available("methods"))
@pytest.mark.parametrize("scenario", available("scenarios"))
def test_every_shipped_combination_resolves(scenario: str, method: str, profile: str) -> None:
    """With every round's training, labelling and backbone; but a network of its own with a profile that has another."""
    own = resolve(scenario, method, "paper").profile.model != resolve(scenario, "source_only", "paper").profile.model
    if profile == "dinov2" and own:
        with pytest.raises(UserError, match=r"dinov2 has a network of its own, and so has .*profiles\.paper"):
            resolve(scenario, method, profile)
        assert resolve(scenario, method, profile, overrides=["profile.model={name: compact}"]).profile.model.name
        return
    config = resolve(scenario, method, profile)
    for number in range(config.method.rounds + 1):
        training = config.training(number)
        assert isinstance(training.steps, int) and isinstance(training.optimiser.lr, float)
        assert config.backbone(number).name
    assert config.flat()["profile.name"] == profile


@pytest.mark.parametrize("method", available("methods"))
def test_what_is_logged_can_be_read_back(method: str) -> None:
    """The YAML artifact of a run is the configuration."""
    config = resolve("gta2city", method)
    assert Config.model_validate(yaml.safe_load(config.to_yaml())) == config


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_says_what_it_is(path: Path) -> None:
    """The header: what it is, then Source, Command, Result and Cost, in this order; the command names the file; the
    name inside is the file's."""
    text = path.read_text(encoding="utf-8")
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert text.startswith("# ") and len(header.splitlines()[0]) > 10
    places = [header.find(f"\n# {word}:") for word in ("Source", "Command", "Result", "Cost")]
    assert -1 not in places and places == sorted(places)
    kind = path.parent.name.removesuffix("s")
    assert re.search(rf"udamlf run .*--{kind} {path.stem}\b", header)
    assert yaml.safe_load(text)["name"] == path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_command_in_a_header_resolves(path: Path) -> None:
    """The exact command of the header is a valid one."""
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# Command:"))
    words = line.split("udamlf run", 1)[1].split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    named = {key.removeprefix("--").replace("-", "_"): value for key, value in pairs if key != "--set"}
    resolve(**named, overrides=[value for key, value in pairs if key == "--set"])


@pytest.mark.parametrize("method", available("methods"))
def test_a_method_names_profiles_that_exist(method: str) -> None:
    """Values for a profile that is misspelt would be left out without a word."""
    tree = yaml.safe_load((CONFIGS / "methods" / f"{method}.yaml").read_text(encoding="utf-8"))
    named = [name.partition("/") for name in tree.get("profiles", {})]
    assert {profile for profile, _, _ in named} <= set(available("profiles"))
    scenarios = {scenario for _, _, scenario in named if scenario} | set(tree.get("scenarios", {}))
    assert scenarios <= set(available("scenarios"))


@pytest.mark.parametrize("profile", available("profiles"))
def test_a_profile_names_scenarios_that_exist(profile: str) -> None:
    tree = yaml.safe_load((CONFIGS / "profiles" / f"{profile}.yaml").read_text(encoding="utf-8"))
    assert set(tree.get("scenarios", {})) <= set(available("scenarios"))


def test_a_profile_s_values_for_a_scenario_give_way_to_a_method_s(tmp_path: Path) -> None:
    """They hold for every method that says nothing itself, and for the profiles that extend it; --set wins over all."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: miniature\nname: mine\ntitle: mine\n"
        "scenarios: {syn2city: {evaluation.size_hw: [64, 64], warmup.batch.target: 2}}\n"
    )
    plain, method = resolve("syn2city", "st", str(path)), resolve("syn2city", "advent", str(path))
    assert plain.profile.evaluation.size_hw == (64, 64) and plain.profile.warmup.batch.target == 2
    assert method.profile.evaluation.size_hw == (64, 64) and method.profile.warmup.batch.target == 4
    assert resolve("gta2city", "st", str(path)).profile.evaluation.size_hw == (128, 256)
    asked = resolve("syn2city", "st", str(path), overrides=("profile.evaluation.size_hw=[32,64]",))
    assert asked.profile.evaluation.size_hw == (32, 64)
    path.write_text(path.read_text().replace("evaluation.size_hw", "evaluation.sise_hw"))
    with pytest.raises(UserError, match="sise_hw"):
        resolve("syn2city", "st", str(path))


def test_a_value_set_in_an_anchored_block_is_set_there_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: miniature\nname: mine\ntitle: mine\nwarmup.augmentation: &crops {flip: 0.25}\n"
        "round.augmentation: *crops\nround.augmentation.flip: 0.75\n"
    )
    config = resolve("gta2city", "source_only", str(path), overrides=("profile.warmup.augmentation.jitter_source=0.1",))
    warmup, round = config.profile.warmup.augmentation, config.profile.round.augmentation
    assert (warmup.flip, round.flip) == (0.25, 0.75) and (warmup.jitter_source, round.jitter_source) == (0.1, 0.0)


# --- merging ---------------------------------------------------------------------------------------------------------


def test_overrides_reach_into_blocks_and_win_over_the_method_s_profile_values() -> None:
    """Order: files, the method's values for the profile, --rounds, --set."""
    plain = resolve("gta2city", "st")
    assert plain.method.rounds == 3  # the profile's value; the file says 6
    assert plain.method.round_at(1).selector.params["portion"][0] == 0.4
    changed = resolve(
        "gta2city",
        "st",
        rounds=2,
        overrides=[
            "method.round.selector.portion=0.5",
            "method.round.objective.entropy=0.25",
            "profile.round.optimiser.betas=[0.8,0.9]",
            "profile.round.augmentation.crop_hw=[64,64]",
            "profile.warmup.schedule.kind=poly",
        ],
    )
    assert changed.method.rounds == 2
    assert changed.method.round_at(1).selector.params["portion"] == 0.5
    assert changed.method.round_at(1).objective.params["pool"] == "domains"  # the rest of the block stays
    assert changed.method.round_at(1).objective.params["entropy"] == 0.25
    assert changed.training(1).optimiser.betas == (0.8, 0.9)
    assert changed.training(1).augmentation.crop_hw == (64, 64)
    assert changed.training(0).schedule.kind == "poly"
    assert resolve("gta2city", "st", rounds=2, overrides=["method.rounds=5"]).method.rounds == 5


def test_a_method_may_extend_another(tmp_path: Path) -> None:
    """Its fields and dotted keys replace the other's; its blocks are applied after the other's of the same name."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: cbst\nname: mine\ntitle: mine\nround.objective.entropy: 0.5\n"
        "profiles: {miniature: {profile.round.steps: 11}}\nadapted: {miniature: {method.round.selector.portion: 0.7}}\n"
    )
    mine, cbst = resolve("gta2city", str(path)), resolve("gta2city", "cbst")
    assert mine.method.name == "mine" and mine.method.warmup == cbst.method.warmup
    assert mine.method.round_at(1).selector.params["portion"] == 0.7 and mine.training(1).steps == 11
    assert mine.method.rounds == cbst.method.rounds == 3  # the profile's value for the extended method holds
    assert mine.method.round_at(1).objective.params["entropy"] == 0.5


def test_what_extends_itself_or_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {path}\nname: mine\ntitle: mine\n")
    assert "extends itself" in refused(method=str(path))
    path.write_text("extends: cbts\nname: mine\ntitle: mine\n")
    assert "'cbst'" in refused(method=str(path))
    path.write_text("extends: cbst\nname: mine\ntitle: mine\nrond.objective.pool: pixels\n")
    assert "rond.objective.pool" in refused(method=str(path))
    path.write_text("extends: cbst\nround.objective.pool: pixels\n")
    assert "without a `name`" in refused(method=str(path))  # it would pass for cbst in every table
    path.write_text("extends: cbst\nname: mine\ntitle: mine\n1: pixels\n")
    assert "'1'" in refused(method=str(path))


def test_a_relative_path_that_is_extended_starts_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("extends: cbst\nname: base\ntitle: base\nround.objective.entropy: 0.5\n")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: base.yaml\nname: mine\ntitle: mine\n")
    assert resolve("gta2city", str(path)).method.round_at(1).objective.params["entropy"] == 0.5


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("method.round.source=source", "method.round"),  # would train without a source
        ("method.round.target=labels", "method.round"),
        ("method.round.target=labels_hard", "method.round"),
        ("method.round.target=labels.hrad", "easy | hard"),
        ("method.round.selector=null", "'easy' of the target without a `selector`"),
        ("method.round.selector={name: global, portion: 0.5}", "publishes no part 'easy'"),
    ],
)
def test_a_part_of_the_target_is_one_that_the_round_s_selector_publishes(override: str, said: str) -> None:
    assert said in refused(method="intrada", overrides=(override,))


def test_without_the_profile_the_method_s_own_values_hold(tmp_path: Path) -> None:
    """A profile that the method does not name leaves the published values."""
    path = tmp_path / "other.yaml"
    path.write_text((CONFIGS / "profiles" / "miniature.yaml").read_text().replace("name: miniature", "name: other"))
    config = resolve("gta2city", "st", str(path))
    assert config.method.rounds == 6
    assert config.method.round_at(1).selector.params["portion"][0] == 0.15


def test_a_round_s_budget_takes_both_forms_of_overrides() -> None:
    """A file writes ``batch.target: 0`` in ``training``, --set makes nested blocks; the later one wins, key by key."""
    adabn = resolve("gta2city", "adabn")
    assert (adabn.training(1).batch.source, adabn.training(1).batch.target) == (4, 0)
    changed = resolve("gta2city", "adabn", overrides=["method.round.training.batch.source=2"])
    assert (changed.training(1).batch.source, changed.training(1).batch.target) == (2, 0)
    assert changed.training(1).optimiser == adabn.training(1).optimiser


@given(st.lists(st.integers(), min_size=1), st.integers(1, 20))
def test_the_last_entry_of_a_list_repeats(values: list[int], round: int) -> None:
    assert per_round(values, round) == values[min(round, len(values)) - 1]
    assert per_round(tuple(values), round) == per_round(values, round)
    assert per_round(values[0], round) == values[0]


def test_budgets_may_differ_by_round() -> None:
    config = resolve(
        "gta2city",
        "cbst",
        overrides=["profile.round.optimiser.lr=[1e-3,5e-4]", "profile.round.steps=[10,20]", "method.rounds=4"],
    )
    assert [config.training(n).optimiser.lr for n in (1, 2, 3, 4)] == [1e-3, 5e-4, 5e-4, 5e-4]
    assert [config.training(n).steps for n in (1, 2, 3, 4)] == [10, 20, 20, 20]


def test_rounds_may_be_described_one_by_one() -> None:
    """A list of rounds is overridden by number, from 1, or all at once; the last one repeats."""
    config = resolve("gta2city", "proda", overrides=["method.round.1.start=initial", "method.rounds=5"])
    assert config.method.round_at(1).start == "initial"
    assert config.method.round_at(5) == config.method.round_at(3)
    assert "1..3" in refused(method="proda", overrides=("method.round.9.start=initial",))
    assert "1..3" in refused(method="proda", overrides=("method.round.4={objective: {name: supervised}}",))
    whole = resolve("gta2city", "proda", overrides=["method.round.2={objective: {name: supervised}}"])
    assert [whole.method.round_at(n).objective.name for n in (1, 2, 3)] == ["proda", "supervised", "distillation"]


def test_a_configuration_is_frozen() -> None:
    config = resolve("gta2city", "st")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_an_installation_without_the_project_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As `pip install .` makes one: the configurations, MLproject and the entry points are no part of a wheel."""
    monkeypatch.setattr(reading, "CONFIGS", tmp_path)
    with pytest.raises(UserError, match=r"without its project[^$]*pip install -e"):
        reading.table("label_spaces")
