"""Odd targets: one image, nothing kept, smaller than the crop, a class that never occurs. Every method that labels the
target goes through a round of it and leaves finite weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.in_process import InProcess, small
from udamlf.common.errors import UserError
from udamlf.config.labels import IGNORE
from udamlf.config.schema import Config
from udamlf.data.pseudo_labels import PseudoLabels
from udamlf.miniature import Frames, generate
from udamlf.models import checkpoint

METHODS = ("st", "cbst", "cbst_sp", "crst_lrent", "crst_mrkld", "crst_mrent", "iast", "hiast", "proda", "ema_mix")
# What each selector is told for it to keep no pixel at all.
NOTHING_KEPT = {"st": "portion=0.0", "cbst": "portion=0.0", "iast": "alpha=0.0", "hiast": "alpha=0.0"}


@pytest.fixture(scope="module")
def lonely_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One target image to adapt to, of which half of the classes are missing as in any single frame."""
    root = tmp_path_factory.mktemp("lonely") / "world"
    generate(
        root,
        seed=11,
        frames=Frames(source_train=4, source_val=1, target_train=1, target_val=1, target_test=1),
        workers=1,
    )
    return root


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    return InProcess(tmp_path_factory.mktemp("lonely_chains"))


def finished(chains: InProcess, config: Config) -> PseudoLabels | None:
    """One round of the method: its weights are finite; its pseudo-labels."""
    done = chains.run(config, evaluate=False)
    _, state = checkpoint.read_state(done["self_train 1"].path / "checkpoint", config.space)
    assert all(bool(torch.isfinite(value).all()) for value in state.values() if value.is_floating_point())
    labels = done.get("pseudo_label 1")
    return PseudoLabels(labels.path / "pseudo_labels") if labels else None


@pytest.mark.parametrize("method", METHODS)
def test_one_target_image(method: str, lonely: InProcess, lonely_world: Path) -> None:
    """It is labelled and trained on; HIAST finds donors of the classes it shows, if any."""
    labels = finished(lonely, small(method, lonely_world, rounds=1))
    assert labels is None or len(labels.names) == 1


@pytest.mark.parametrize("method", ["cbst", "crst_lrent"])
def test_one_list_of_both_domains(method: str, lonely: InProcess, lonely_world: Path) -> None:
    """Released CBST and CRST draw a batch of two from four source images and a target one, also without the target."""
    mixed = ("profile.round.batch={source: 1, target: 1, mixed: true}", "method.round.objective.pool=pixels")
    finished(lonely, small(method, lonely_world, *mixed, rounds=1))
    with pytest.raises(UserError, match=r"batch\.mixed"):
        small("hiast", lonely_world, *mixed[:1])


def test_intrada_s_one_image_is_easy_or_nothing_is(lonely: InProcess, lonely_world: Path) -> None:
    """0.67 of one image is none: the message names the share, and another one works."""
    with pytest.raises(UserError, match=r"easy_share=0.67"):
        finished(lonely, small("intrada", lonely_world))
    finished(lonely, small("intrada", lonely_world, "method.round.selector.easy_share=1.0"))


def test_labels_of_another_size_than_the_network_s_input(lonely: InProcess, lonely_world: Path) -> None:
    """CBST labels at the frame's own size what its network sees smaller; the training resizes them to its frames."""
    larger = small("cbst", lonely_world, "profile.labelling.output_hw=[80,144]", rounds=1)
    labels = finished(lonely, larger)
    assert labels is not None and {labels.label(name).shape for name in labels.names} == {(80, 144)}


@pytest.mark.parametrize("method", NOTHING_KEPT)
def test_nothing_is_confident_enough(method: str, chains: InProcess, tiny_world: Path) -> None:
    """Label maps without a single label: the target's losses are zero, the other terms train on."""
    override = f"method.round.selector.{NOTHING_KEPT[method]}"
    labels = finished(chains, small(method, tiny_world, override, rounds=1))
    assert labels is not None
    kept = sum(int(np.sum(labels.label(name) != IGNORE)) for name in labels.names)
    if method in ("st", "cbst"):
        assert kept == 0
    else:  # IAST's quantile of nothing is the largest confidence: at most those pixels reach it
        assert kept < 0.02 * len(labels.names) * 64 * 128


@pytest.mark.parametrize("method", ["iast", "hiast", "ema_mix"])
def test_a_target_smaller_than_the_crop(method: str, chains: InProcess, tiny_world: Path) -> None:
    """What lies outside the frame is ignored."""
    finished(chains, small(method, tiny_world, "profile.round.augmentation.crop_hw=[96,160]", rounds=1))


@pytest.mark.parametrize("method", ["cbst", "iast", "hiast"])
def test_a_class_that_the_target_never_shows(method: str, lonely: InProcess, lonely_world: Path) -> None:
    """Its threshold stays at its start (IAST) or is missing (CBST); it has no coverage, and nothing is said of it."""
    labels = finished(lonely, small(method, lonely_world, rounds=1))
    assert labels is not None
    seen = {name.rpartition("/")[2] for name in labels.manifest["quality"] if name.startswith("pl/coverage/")}
    config = small(method, lonely_world, rounds=1)
    assert seen < set(config.space.classes)
    assert not any(f"pl/confidence/{name}" in labels.manifest["quality"] for name in set(config.space.classes) - seen)
