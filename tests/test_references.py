"""Published and adapted recipes, and references that are matched to a method by construction."""

from __future__ import annotations

from typing import Any

import pytest

from udamlf.common.errors import UserError
from udamlf.config.compose import available, resolve
from udamlf.config.references import control, network, reference
from udamlf.config.schema import Config
from udamlf.runs.plan import Request
from udamlf.runs.recipes import differences, listing, recipe_text

METHODS = [name for name in available("methods") if resolve("gta2city", name).method.role == "method"]


def steps(config: Config) -> int:
    """Steps of all trainings after the warm-up, pre-trainings counted."""
    rounds = range(1, config.method.rounds + 1)
    pre = [config.pretraining(n).steps for n in rounds if config.method.round_at(n).pretraining]
    return sum([*(config.training(n).steps for n in rounds), *pre])


@pytest.mark.parametrize("profile", ["miniature", "paper", "paper_t4"])
@pytest.mark.parametrize("method", METHODS)
def test_a_control_is_matched_by_construction(method: str, profile: str) -> None:
    """Network, warm-up, protocol and splits are the method's; so are, round by round, steps, rates, schedule and images
    in a batch, and all of these are of the source."""
    config = resolve("gta2city", method, profile)
    matched = control(config)
    assert matched.profile.model == config.profile.model and matched.scenario == config.scenario
    assert matched.profile.evaluation == config.profile.evaluation and matched.seed == config.seed
    assert steps(matched) == steps(config)
    if not config.method.rounds:  # the method is its warm-up
        assert matched.training(0).steps == config.training(0).steps
        assert matched.training(0).batch.source == sum(config.training(0).batch.model_dump().values())
        assert matched.method.warmup.objective.name == "supervised"
        return
    assert matched.method.warmup == config.method.warmup and matched.training(0) == config.training(0)
    assert matched.method.rounds == config.method.rounds
    for number in range(1, config.method.rounds + 1):
        theirs, ours = config.training(number), matched.training(number)
        assert (ours.batch.source, ours.batch.target) == (theirs.batch.source + theirs.batch.target, 0)
        changed = {"batch", "steps"}
        assert ours.model_dump(exclude=changed) == theirs.model_dump(exclude=changed)
        settings = matched.method.round_at(number)
        assert settings.selector is None and settings.reestimate_bn == ("after",) and settings.source_portion == 1


def test_methods_of_one_budget_share_their_control() -> None:
    st, iast, proda = (control(resolve("gta2city", name)) for name in ("st", "iast", "proda"))
    assert st == iast and st != proda


def test_a_reference_has_no_control() -> None:
    for name in ("source_only", "adabn", "oracle"):
        with pytest.raises(UserError, match="a reference itself"):
            control(resolve("gta2city", name))


def test_a_control_is_asked_for_with_its_method() -> None:
    asked = Request("gta2city", "control", of="best", seed=3)
    assert asked.resolve() == control(resolve("gta2city", "best", seed=3))
    assert "--method control --of best" in asked.command()
    with pytest.raises(UserError, match="--method control"):
        Request("gta2city", "control").resolve()


def test_source_only_takes_the_network_and_protocol_of_the_method_it_is_matched_to() -> None:
    """At the published budget ST has a network of its own; beside DeepLabV2's its gain would mean nothing. In the
    miniature all methods share one source_only, an auxiliary head that only trains notwithstanding."""
    overrides = ("profile.model.weights=null",)
    matched = Request("gta2city", "source_only", "paper", of="st", overrides=overrides).resolve()
    st = Request("gta2city", "st", "paper", overrides=overrides).resolve()
    assert network(matched) == network(st) == "resnet38" and network(resolve("gta2city", "iast", "paper")) != "resnet38"
    assert matched.profile.evaluation == st.profile.evaluation and matched.training(0) == st.training(0)
    base = resolve("gta2city", "source_only")
    assert reference(base, resolve("gta2city", "proda")) == base


@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_references_have_the_classes_of_the_method(method: str) -> None:
    """IAST's and HIAST's networks have 19 outputs on SYNTHIA, of which 16 and 13 are scored; a gain over one of 16
    outputs would be over another task."""
    config = resolve("syn2city", method, "paper")
    assert (config.space.num_classes, list(config.space.subsets)) == (19, ["16", "13"])
    assert reference(resolve("syn2city", "source_only", "paper"), config).space is config.space
    assert control(config).space is config.space
    assert resolve("syn2city", method).space.num_classes == resolve("syn2city", "st", "paper").space.num_classes == 16


def test_a_reference_of_a_method_without_a_warm_up_is_trained() -> None:
    """ema_mix starts from ImageNet at the published budget: its source_only takes the steps of its round."""
    matched = Request("gta2city", "source_only", "paper", of="ema_mix").resolve()
    assert matched.training(0).steps == 40000 and matched.training(0).batch.target == 0


def test_references_of_one_network_and_protocol_are_one() -> None:
    of_advent, of_minent = (Request("gta2city", "source_only", "paper", of=m).resolve() for m in ("advent", "intrada"))
    assert of_advent == of_minent


def test_only_a_reference_is_matched_to_a_method() -> None:
    with pytest.raises(UserError, match="--of with method iast"):
        Request("gta2city", "iast", of="st").resolve()


def test_a_control_reads_no_target_image_whatever_is_overridden() -> None:
    overrides = ("method.round.1.training.batch.target=2", "method.round.3.training.batch={source: 1, target: 1}")
    asked = Request("gta2city", "control", of="iast", recipe="published", overrides=overrides).resolve()
    assert [asked.training(number).batch.target for number in range(1, 5)] == [0] * 4


def test_what_extends_a_publication_is_not_published() -> None:
    assert resolve("gta2city", "crst_mrent").recipe is None and resolve("gta2city", "crst_lrent").recipe == "adapted"


def test_both_recipes_of_a_method_have_one_budget() -> None:
    """An adapted recipe changes objective, selector, warm-up, generator, start and BatchNorm; network, protocol and the
    steps of a training are the same. ST's and CBST's rounds are cut to three, IAST's and HIAST's lose the adversarial
    training."""
    for method in METHODS:
        published, adapted = (resolve("gta2city", method, recipe=name) for name in ("published", "adapted"))
        assert published.profile.evaluation == adapted.profile.evaluation
        assert network(published) == network(adapted)
        left_out = published.method.rounds - adapted.method.rounds if method in ("iast", "hiast") else 0
        for number in range(1, adapted.method.rounds + 1):
            assert published.training(number + left_out).steps == adapted.training(number).steps
        if published.recipe != adapted.recipe:
            assert differences(published, adapted), "an adapted recipe that adapts nothing"


@pytest.mark.parametrize("profile", ["paper", "paper_8gb", "paper_t4"])
def test_at_the_published_budget_every_recipe_is_the_published_one(profile: str) -> None:
    for method in METHODS:
        config = resolve("gta2city", method, profile)
        assert config.recipe == ("published" if config.method.publication else None)
        assert config == resolve("gta2city", method, profile, recipe="published")


def test_a_recipe_is_shown_with_what_was_adapted() -> None:
    def text(**changes: Any) -> str:
        asked = Request("gta2city", "iast", **changes)
        return recipe_text(asked.configuration(), Request("gta2city", "iast", recipe="published").configuration())

    adapted, published = text(), text(recipe="published")
    assert "adapted recipe (Mei et al., ECCV 2020)" in adapted and "published recipe" in published
    assert "method.round.2.objective.entropy: 3.0 -> 1.0" in adapted and "->" not in published
    assert (
        "method.round.1.objective: adversarial -> self_training" in adapted
        and "method.round.4: self_training -> -" in adapted
    )


def test_the_listing_has_a_line_for_everything_shipped() -> None:
    lines = {line.split()[0] for line in listing().splitlines() if line.startswith("  ")}
    assert lines == {*available("scenarios"), *available("methods"), *available("profiles")}
