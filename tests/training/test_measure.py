"""A measured step: every shipped training takes one, and its memory counts what is known to be needed."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from udamlf.config.compose import available, resolve
from udamlf.runs import dry_step
from udamlf.runs.dry_step import labels_of
from udamlf.training.measure import Measured, measure_step

SMALL = ("profile.frames_hw=[64,128]", "profile.warmup.augmentation.crop_hw=[64,128]")


@pytest.mark.parametrize("method", available("methods"))
def test_every_shipped_training_takes_a_step(method: str) -> None:
    config = resolve("gta2city", method, overrides=SMALL[:1])
    for number in range(config.method.rounds + 1):
        measured = measure_step(config, number, label=labels_of(config, number))
        assert measured.peak_bytes >= 0 and measured.weight_bytes > 0 and measured.seconds > 0


def test_a_pretraining_takes_a_step_too() -> None:
    config = resolve("gta2city", "proda", overrides=SMALL[:1])
    assert measure_step(config, 2, pretraining=True).weight_bytes > 0


def test_labels_whose_selector_looks_at_the_source_are_measured_too() -> None:
    config = resolve("gta2city", "proda", overrides=[*SMALL[:1], "method.round.1.selector.name=soft_source"])
    assert measure_step(config, 1, label=labels_of(config, 1)).seconds > 0


FRESH = """
import sys
from udamlf.config.compose import resolve
from udamlf.training.measure import measure_step
print(measure_step(resolve("gta2city", "source_only", overrides=sys.argv[1:]), 0).peak_bytes)
"""


@pytest.mark.skipif(torch.cuda.is_available(), reason="the peak is the GPU's there")
def test_the_peak_of_a_fresh_process_follows_the_batch() -> None:
    """Activations of 16 crops of 128x256 need at least 2 MiB each more than those of one; four micro-batches less."""

    def peak(*overrides: str) -> int:
        size = ("profile.frames_hw=[128,256]", "profile.warmup.augmentation={crop_hw: [128, 256]}")
        command = [sys.executable, "-c", FRESH, *size, *overrides]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    one, many = peak("profile.warmup.batch.source=1"), peak("profile.warmup.batch.source=16")
    assert many - one > 15 * 2 * 2**20
    assert peak("profile.warmup.batch.source=16", "profile.micro_batch=4") < 0.7 * many


def test_a_step_is_measured_with_the_numerics_of_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own have TF32 in the convolutions of float32."""
    seen = []

    def measured(*arguments: object) -> Measured:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark))
        return Measured(0, 0, 1.0)

    monkeypatch.setattr(dry_step, "measure_step", measured)
    monkeypatch.setattr(dry_step, "in_fresh_process", lambda function, *arguments: function(*arguments))
    for changes in (("profile.precision=tf32",), ("profile.deterministic=true",)):
        list(dry_step.measured_steps(resolve("gta2city", "source_only", overrides=changes)))
    assert seen == [(True, True), (False, False)]


def test_a_training_that_does_not_fit_has_no_hours_and_neither_has_its_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_memory(*arguments: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(dry_step, "measure_step", short_of_memory)
    monkeypatch.setattr(dry_step, "in_fresh_process", lambda function, *arguments: function(*arguments))
    _, warmup, *_, chain = dry_step.measured_steps(resolve("gta2city", "st"))
    assert warmup == "warmup: does not fit into the memory of this GPU"
    assert chain.startswith("the chain: trainings that do not all fit, ")
