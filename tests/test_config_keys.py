"""What of a configuration is part of a stage's key."""

from __future__ import annotations

from typing import Any

import pytest

from udamlf.config.compose import resolve
from udamlf.stages.stage import stage

STAGES = ("warmup", "pseudo_label", "self_train", "evaluate")


def changed_stages(*overrides: str, method: str = "cbst", **changes: Any) -> set[str]:
    """Stages whose part of the configuration differs from the plain one's, in round 2."""
    plain, other = resolve("gta2city", method), resolve("gta2city", method, **changes, overrides=overrides)
    rounds = {"warmup": 0}
    return {
        s
        for s in STAGES
        if stage(s).declare(plain, rounds.get(s, 2)).reads != stage(s).declare(other, rounds.get(s, 2)).reads
    }


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("profile.evaluation.flip=true", {"evaluate"}),
        ("profile.evaluation.size_hw=[64,128]", {"evaluate"}),
        ("profile.report=target_dev", {"evaluate"}),
        ("profile.audit=false", {"evaluate"}),
        ("profile.workers=0", set()),
        ("profile.title=other", set()),
        ("method.title=other", set()),
        ("scenario.title=other", set()),
        ("profile.warmup.steps=3", {"warmup"}),
        ("method.warmup.objective={name: adversarial, width: 4}", {"warmup"}),
        ("profile.round.steps=3", {"self_train"}),
        ("profile.round.optimiser.lr=[1e-3,5e-4]", {"self_train"}),
        ("profile.round.optimiser.lr=[1e-3,3e-3]", set()),  # round 2 trains at 3e-3 either way
        ("method.round.training.steps=3", {"self_train"}),
        ("method.round.objective.entropy=0.5", {"self_train"}),
        ("method.round.selector.portion=0.5", {"pseudo_label"}),
        ("profile.labelling.flip=false", {"pseudo_label"}),
        ("profile.model.aux=true", {"warmup", "self_train"}),
        ("profile.frames_hw=[64,128]", {"warmup", "self_train"}),
        ("profile.precision=bfloat16", {"warmup", "self_train"}),
    ],
)
def test_a_key_depends_on_what_the_stage_reads(override: str, stages: set[str]) -> None:
    """Anything else is reused: evaluating at another size never trains again."""
    assert changed_stages(override) == stages


def test_a_key_depends_on_the_seed() -> None:
    assert changed_stages(seed=3) == {"warmup", "pseudo_label", "self_train"}


def test_more_rounds_leave_the_earlier_ones_as_they_are() -> None:
    """Two rounds now, a third one tomorrow: the first two are reused."""
    two, three = (resolve("gta2city", "cbst", rounds=n) for n in (2, 3))
    assert all(stage(s).declare(two, n).reads == stage(s).declare(three, n).reads for s in STAGES for n in (1, 2))


def test_methods_with_the_same_warm_up_share_its_key() -> None:
    parts = [
        stage("warmup").declare(resolve("gta2city", name), 0).reads for name in ("source_only", "adabn", "iast", "cbst")
    ]
    assert all(part == parts[0] for part in parts)
    assert stage("warmup").declare(resolve("gta2city", "oracle"), 0).reads != parts[0]


def test_a_run_without_a_profile_takes_the_scenarios() -> None:
    """day2dusk is real images of another shape: the miniature's frame size would distort them."""
    assert resolve("gta2city", "st").profile.name == "miniature"
    assert resolve("day2dusk", "st").profile.name == "camvid"
    assert resolve("day2dusk", "st").profile.frames_hw == (180, 240)


def test_a_profile_that_extends_another_takes_the_methods_values_of_it() -> None:
    camvid, miniature = resolve("day2dusk", "iast"), resolve("gta2city", "iast")
    assert camvid.method == miniature.method
    assert camvid.profile.round.batch == miniature.profile.round.batch
    assert camvid.profile.round.steps != miniature.profile.round.steps
