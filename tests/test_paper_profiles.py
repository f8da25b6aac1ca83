"""The published budgets: every method has one, and its numbers follow the published rules."""

from __future__ import annotations

import math

import pytest

from tests.selection.helpers import Rising
from udamlf.common.rounds import per_round
from udamlf.config.budget import BatchSize
from udamlf.config.compose import available, resolve
from udamlf.config.schema import Config
from udamlf.evaluation.predict import input_sizes
from udamlf.stages.images import source_picks
from udamlf.training.objective import OBJECTIVES
from udamlf.training.optimisers import lr_factor

PAPER = [name for name in available("profiles") if name.startswith("paper")]
GTA5, RELEASED, SYNTHIA, PICKED = 24966, 19984, 9400, 505


def two_passes(images: int) -> int:
    """Steps of two passes at batch 2, of which a last image without a second one is left out."""
    return 2 * (images // 2)


def paper(method: str, profile: str = "paper") -> Config:
    return resolve("gta2city", method, profile)


@pytest.mark.parametrize("profile", PAPER)
@pytest.mark.parametrize("method", available("methods"))
def test_every_method_has_a_whole_budget(method: str, profile: str) -> None:
    """Warm-up and every round resolve, on both synthetic scenarios; nothing of the miniature's network is left."""
    for scenario in ("gta2city", "syn2city"):
        config = resolve(scenario, method, profile)
        assert config.profile.model.name != "compact"
        for number in range(config.method.rounds + 1):
            training = config.training(number)
            assert isinstance(training.steps, int) and isinstance(training.optimiser.lr, float)


@pytest.mark.parametrize(
    ("scenario", "images", "first", "first_source"), [("gta2city", GTA5, 0.15, 0.03), ("syn2city", SYNTHIA, 0.20, 0.02)]
)
@pytest.mark.parametrize("method", ["st", "cbst", "cbst_sp"])
def test_cbst_follows_its_published_schedule(
    method: str, scenario: str, images: int, first: float, first_source: float
) -> None:
    """cbst.md 4.6 and 5: both portions rise, from other values on SYNTHIA; the rate falls by sqrt(2); two passes a
    round over the source and the 505 picked target images at batch 2, both domains in one list."""
    config = resolve(scenario, method, "paper")
    first_round = config.method.round_at(1)
    assert first_round.selector is not None and config.method.rounds == 6
    portion, source = Rising(initial=first, step=0.05, max=0.5), Rising(initial=first_source, step=0.0025, max=0.06)
    for r in range(1, 7):
        training = config.training(r)
        assert per_round(first_round.selector.params["portion"], r) == pytest.approx(portion.at(r))
        assert per_round(first_round.source_portion, r) == pytest.approx(source.at(r))
        assert training.optimiser.lr == pytest.approx(1e-4 * 0.5 ** ((r - 1) / 2), rel=1e-3)
        assert training.steps == two_passes(math.floor(images * source.at(r)) + PICKED)
        assert training.batch == BatchSize(source=1, target=1, mixed=True)
    assert config.method.target_subset is not None and config.method.target_subset.top_k == PICKED
    assert config.training(0).steps == (46800 if scenario == "gta2city" else 50 * (SYNTHIA // 16))
    assert config.training(1).loss_stride == 8 and config.training(1).augmentation.cbst_length == 2048
    assert first_round.source_policy == "cumulative"
    assert first_round.objective.params.get("mining") == (None if method == "st" else "cbst")


@pytest.mark.parametrize("method", ["crst_mrkld", "crst_mrent", "crst_lrent"])
def test_crst_follows_its_published_schedule(method: str) -> None:
    """cbst.md 10: three trainings at a constant rate, portions from 0.20, fresh source picks, only the target mined; as
    many picks as of the released list of 19,984 images, and the 505 target images of CBST; three scales and flip."""
    config = paper(method)
    first_round = config.method.round_at(1)
    assert first_round.selector is not None and config.method.rounds == 3 and first_round.source_policy == "random"
    assert [per_round(first_round.selector.params["portion"], r) for r in (1, 2, 3)] == [0.20, 0.25, 0.30]
    assert {config.training(r).optimiser.lr for r in (1, 2, 3)} == {5e-5}
    for r, portion in enumerate((0.03, 0.0325, 0.035), 1):
        picks = len(source_picks(GTA5, per_round(first_round.source_portion, r), 3, r, "random"))
        assert picks == math.floor(RELEASED * portion) and config.training(r).steps == two_passes(picks + PICKED)
    assert config.method.target_subset is not None and config.method.target_subset.top_k == PICKED
    assert config.training(1).batch == BatchSize(source=1, target=1, mixed=True)
    assert config.profile.evaluation.flip and config.profile.evaluation.scales == (0.9, 1.0, 1.2)
    assert input_sizes(config.labelling(1), (1024, 2048)) == [(922, 1843)]
    assert first_round.objective.params["mining"] == "crst"
    alphas = first_round.objective.params.get("lrent"), first_round.selector.params.get("soft_alpha")
    assert alphas == ((0.25, 0.25) if method == "crst_lrent" else (None, None))


@pytest.mark.parametrize("method", ["crst_mrkld", "crst_mrent", "crst_lrent"])
def test_crst_on_synthia_has_four_trainings(method: str) -> None:
    """cbst.md 10: five rounds of which the last only evaluates, portions from 0.20, source from 0.02."""
    config = resolve("syn2city", method, "paper")
    source = config.method.round_at(1).source_portion
    assert config.method.rounds == 4
    for r in range(1, 5):
        assert config.training(r).steps == two_passes(math.floor(SYNTHIA * per_round(source, r)) + PICKED)


@pytest.mark.parametrize("method", ["advent", "minent", "intrada"])
def test_advent_stops_at_120000_of_250000_steps(method: str) -> None:
    """advent.md 5: poly over 250,000 steps, one image of each domain, backbone tensors visited as often as released."""
    config = paper(method)
    trainings = [config.training(r) for r in range(config.method.rounds + 1)]
    for training in trainings:
        assert training.steps == 120000 and (training.batch.source, training.batch.target) == (1, 1)
        assert lr_factor(training.schedule, 60000, 120000) == pytest.approx((1 - 60000 / 250000) ** 0.9, rel=1e-5)
        assert (training.optimiser.lr, training.optimiser.visits) == (2.5e-4, "exact")
    assert config.profile.frames_interpolation == "bicubic" and config.profile.evaluation.average == "output"
    assert config.profile.model.params["multi_level"] is True


def test_iast_and_hiast_have_three_trainings_of_their_own_budgets() -> None:
    """adversarial-warmup.md 5 and 6, iast.md 1 and hiast.md 1: steps, images a batch and the backbone's rate of the
    source-only training, the adversarial one and the rounds, on both cards; the affine part is frozen after the first.
    """
    trainings = {
        (method, profile): [
            (t.steps, t.batch.source, t.batch.target, t.optimiser.lr)
            for t in (paper(method, profile).training(r) for r in range(5))
        ]
        for method in ("iast", "hiast")
        for profile in ("paper", "paper_t4")
    }
    first = [(24936, 8, 0, 1e-5), (24940, 4, 4, 2e-6)]
    rates = (3e-6, 2.5e-6, 2e-6)
    assert trainings["iast", "paper"] == [*first, *((6234, 0, 8, rate) for rate in rates)]
    first_t4 = [(99760, 2, 0, 1e-5), (99764, 1, 1, 2e-6)]
    assert trainings["iast", "paper_t4"] == [*first_t4, *((24940, 0, 2, rate) for rate in rates)]
    sizes = [paper("iast").labelling(r).size_hw for r in (2, 3, 4)]
    assert sizes == [(640, 1280), (768, 1536), (768, 1536)]
    assert trainings["hiast", "paper"] == [*first, *((8000, 0, 6, rate) for rate in (3e-6, 2e-6, 1e-6))]
    assert trainings["hiast", "paper_t4"][:2] == first_t4
    assert [steps * target for steps, _, target, _ in trainings["hiast", "paper_t4"][2:]] == [48000] * 3
    for method in ("iast", "hiast"):
        frozen = [paper(method).training(r).freeze_bn_affine for r in range(5)]
        assert frozen == [False, True, True, True, True]
        assert [s.generator for s in paper(method).method.round][1] == "last"  # the adversarial training labels


@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_the_adversarial_weight_is_the_scenario_s(method: str) -> None:
    """adversarial-warmup.md 6: 0.05 on GTA5, 0.001 on SYNTHIA; --set wins over both."""

    def weight(scenario: str, *overrides: str) -> float:
        config = resolve(scenario, method, "paper", overrides=overrides)
        return config.method.round_at(1).objective.params["weight"]

    assert [weight(scenario) for scenario in ("gta2city", "syn2city")] == [0.05, 0.001]
    assert weight("syn2city", "method.round.1.objective.weight=0.01") == 0.01


@pytest.mark.parametrize("profile", ["paper", "paper_t4"])
@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_the_discriminator_ends_at_a_thousandth_of_the_head_s_rate(method: str, profile: str) -> None:
    """adversarial-warmup.md 4, 6 and 9: 2e-8, also on one T4 (the release's 3e-8 on SYNTHIA is of its two)."""
    ends = {}
    for scenario in ("gta2city", "syn2city"):
        objective = resolve(scenario, method, profile).method.round_at(1).objective
        optimiser = OBJECTIVES.params(objective).discriminator_optimiser
        ends[scenario] = optimiser.lr * optimiser.floor
    assert ends == pytest.approx({"gta2city": 2e-8, "syn2city": 2e-8})


def test_proda_has_no_regulariser_on_synthia() -> None:
    kl = {
        s: resolve(s, "proda", "paper").method.round_at(1).objective.params.get("kl") for s in ("gta2city", "syn2city")
    }
    assert kl == {"gta2city": None, "syn2city": 0.0}


@pytest.mark.parametrize("profile", PAPER)
@pytest.mark.parametrize("method", available("methods"))
def test_published_budgets_report_splits_whose_labels_are_public(method: str, profile: str) -> None:
    """Cityscapes' test labels are with its server; Oxford RobotCar has no test list."""
    for scenario in ("gta2city", "syn2city", "city2robotcar"):
        assert resolve(scenario, method, profile).report_split == "target_dev"


def test_iast_on_synthia_and_robotcar() -> None:
    """iast.md 1 and 3.4: epochs are passes over 9,400 images; three T4 images see two whole cosine cycles."""
    synthia, t4 = (resolve("syn2city", "iast", name) for name in ("paper", "paper_t4"))
    assert (synthia.training(0).steps, synthia.training(1).steps) == (9400, 9400) and synthia.training(2).steps == 2350
    assert synthia.training(0).augmentation.of("source").crop_height_range == (341, 640)
    assert synthia.training(0).augmentation.of("target").crop_height_range == (341, 1000)
    assert (t4.training(2).steps, t4.training(2).batch.target) == (18798, 3)
    robotcar = resolve("city2robotcar", "hiast", "paper")
    assert robotcar.training(2).augmentation.crop_hw == (768, 1024) and robotcar.training(2).batch.target == 6


@pytest.mark.parametrize("profile", PAPER)
@pytest.mark.parametrize("method", available("methods"))
def test_no_frame_of_robotcar_or_its_source_is_distorted(method: str, profile: str) -> None:
    """1280x960 from 2048x1024: frames, labels and scores keep their shape (to half a pixel in a hundred), crops take a
    box of their own."""
    config = resolve("city2robotcar", method, profile)
    native = {"target_train": (960, 1280), "target_dev": (960, 1280), "source_train": (1024, 2048)}
    sizes = [(split, config.frames(split)[0] or native[split]) for split in ("source_train", "target_train")]
    for split, size in (("target_dev", native["target_dev"]), ("source_val", native["source_train"])):
        sizes += [(split, hw) for hw in input_sizes(config.protocol(split), size)]
    for number in range(1, config.method.rounds + 1):
        sizes += [("target_train", hw) for hw in input_sizes(config.labelling(number), native["target_train"])]
    for split, (height, width) in sizes:
        assert width / height == pytest.approx(2 if split.startswith("source") else 4 / 3, rel=5e-3), split


def test_advent_s_source_frames_have_the_released_size() -> None:
    """advent.md 5: GTA5 at 1280x720, SYNTHIA at 1280x760; Cityscapes at 1024x512. online-ema.md 2: GTA5 at 1280x704."""
    for method, height in (("advent", 720), ("intrada", 720), ("ema_mix", 704), ("daformer", 704)):
        for scenario, size in (("gta2city", (height, 1280)), ("syn2city", (760, 1280))):
            config = resolve(scenario, method, "paper")
            assert config.frames("source_train")[0] == size and config.frames("target_train")[0] == (512, 1024)


def test_a_source_only_training_freezes_nothing() -> None:
    """adversarial-warmup.md 1.4: the source-only stage has ordinary BatchNorm. ProDA's warm-up freezes the statistics
    too, its rounds nothing (proda.md 1)."""
    frozen = {m for m in available("methods") if paper(m).training(0).freeze_bn_affine}
    assert frozen == {"proda"}
    assert {m for m in available("methods") if paper(m).training(0).freeze_bn_statistics} == {"proda"}
    rounds = [paper("proda").training(n) for n in (1, 2, 3)]
    assert not any(r.freeze_bn_affine or r.freeze_bn_statistics for r in rounds)
