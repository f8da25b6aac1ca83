"""The real network: one whole optimiser step of every distinct training of the shipped methods with
DeepLabV2-ResNet-101 on 1024x512 crops, losses and gradients finite. A minute each on a CPU, up to 20 GB: -m slow."""

from __future__ import annotations

import pytest

from udamlf.config.compose import available, resolve
from udamlf.config.schema import Config
from udamlf.runs.dry_step import labels_of
from udamlf.training.measure import measure_step


def full_size(method: str) -> Config:
    """The published configuration on one image of each domain that a step asks for; ResNet-38 gives way."""
    published = resolve("gta2city", method, "paper").profile
    model = {name: value for name, value in published.model.params.items() if name != "weights"}
    name = "deeplabv2" if published.model.name == "resnet38" else published.model.name
    changes = [
        f"profile.model={ {'name': name, **model} }",
        "profile.frames_hw=[512,1024]",
        "profile.precision=float32",
    ]
    for part in ("warmup", "round"):
        batch = getattr(published, part).batch
        changes.append(f"profile.{part}.augmentation={ {'crop_hw': [512, 1024]} }")
        changes += [f"profile.{part}.batch.{d}={min(1, getattr(batch, d))}" for d in ("source", "target")]
    return resolve("gta2city", method, "paper", overrides=changes)


def distinct_trainings() -> dict[tuple[str, int], Config]:
    """(method, round) of every training that no earlier one of the list equals in network, objective and batch."""
    trainings: dict[str, tuple[str, int, Config]] = {}
    for method in available("methods"):
        config = full_size(method)
        for number in range(config.method.rounds + 1):
            objective = config.method.round_at(number).objective if number else config.method.warmup.objective
            same = f"{config.backbone(number)} {objective} {config.training(number).batch}"
            trainings.setdefault(same, (method, number, config))
    return {(method, number): config for method, number, config in trainings.values()}


@pytest.mark.slow
def test_a_step_with_the_published_network(subtests: pytest.Subtests) -> None:
    for (method, round), config in distinct_trainings().items():
        with subtests.test(method=method, round=round):
            measured = measure_step(config, round, label=labels_of(config, round))
            assert measured.weight_bytes > 4 * 42_000_000
            print(f"{method}, round {round}: {measured}")
