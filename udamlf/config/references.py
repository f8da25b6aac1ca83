"""What a gain is measured from: the source alone, and the control that is matched to a method by construction."""

from typing import Any

from udamlf.common.errors import UserError
from udamlf.config.budget import Training
from udamlf.config.parts import Part
from udamlf.config.schema import Config, Method, Round, Warmup

_SUPERVISED = Part(name="supervised")
# Options of a network that a score does not depend on: heads that only train, and where training starts.
_OF_TRAINING = ("aux", "multi_level", "weights", "head_lr_scale", "bn_clr")


def network(config: Config) -> str:
    """The network that is scored, in a word or two: its name and the options that a score depends on."""
    options = {k: v for k, v in config.profile.model.params.items() if k not in _OF_TRAINING}
    return " ".join([config.profile.model.name, *(f"{name}={value}" for name, value in options.items())])


def control(config: Config) -> Config:
    """The control of a method: its network, warm-up, protocol and, round by round, its steps, rates and schedule, a
    pre-training counted with its round; but every image is of the source, as many as the method takes of both domains,
    with the source's photometric augmentation; then BatchNorm statistics are those of the target.

    The control of a method without rounds trains its warm-up on the labelled source alone. What is not matched exists
    on the target only: strong views, class mixing, copy-paste, sampling of rare classes, a teacher.

    Raises:
        UserError: the configuration is a baseline's or an oracle's.
    """
    method, profile = config.method, config.profile
    if method.role != "method":
        raise UserError(f"a control of {method.name}, which is a reference itself", "a method that adapts")
    rounds = tuple(_control_round(config, number) for number in range(1, method.rounds + 1))
    warmup = method.warmup
    if not rounds:
        warmup = Warmup(objective=_SUPERVISED)
        profile = profile.model_copy(update={"warmup": _on_source(profile.warmup)})
        rounds = (Round(objective=_SUPERVISED, reestimate_bn=("after",), training={"steps": 0, "batch.target": 0}),)
    matched = Method(name="control", title="control", role="baseline", warmup=warmup, rounds=len(rounds), round=rounds)
    return config.model_copy(update={"method": matched, "profile": profile, "recipe": None})


def _control_round(config: Config, number: int) -> Round:
    settings, training = config.method.round_at(number), config.training(number)
    steps = training.steps
    assert isinstance(steps, int)
    if settings.pretraining:
        pretraining = config.pretraining(number).steps
        assert isinstance(pretraining, int)
        steps += pretraining
    batch: dict[str, Any] = {"batch.source": training.batch.source + training.batch.target, "batch.target": 0}
    changes = {**settings.training, "steps": steps, **batch}
    return Round(objective=_SUPERVISED, reestimate_bn=("after",), training=changes)


def _on_source(training: Training) -> Training:
    batch = training.batch
    images = batch.model_copy(update={"source": batch.source + batch.target, "target": 0})
    return training.model_copy(update={"batch": images})


def reference(base: Config, config: Config) -> Config:
    """A reference method ``base`` (source_only, adabn) for a run of ``config``: as it is, or, where the method's
    network, classes, protocol or frames are others than the profile's, with these and the budget of the method's
    warm-up."""
    same_protocol = all(base.protocol(s) == config.protocol(s) for s in base.scenario.splits)
    if network(base) == network(config) and base.scenario == config.scenario and same_protocol:
        return base
    warmup = config.profile.warmup
    batch = warmup.batch.model_copy(update={"target": 0})
    profile = config.profile.model_copy(update={"warmup": warmup.model_copy(update={"batch": batch})})
    return base.model_copy(update={"profile": profile, "scenario": config.scenario})
