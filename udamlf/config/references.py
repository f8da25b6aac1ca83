"""What a gain is measured from: the source alone, and the control that is matched to a method by construction."""

from collections.abc import Iterable
from typing import Any

from udamlf.common.errors import UserError
from udamlf.config.parts import Part, flatten
from udamlf.config.schema import Config, Method, Round, Warmup

SOURCE_ONLY = "source_only"
CONTROL = "control"  # the name of the method that is matched to another
_SUPERVISED = Part(name="supervised")
# Options of a network that a score does not depend on: heads that only train, and where training starts.
_OF_TRAINING = ("aux", "multi_level", "weights", "head_lr_scale", "bn_clr")


def network(config: Config) -> str:
    """The network that is scored, in a word or two: its name and the options that a score depends on."""
    options = {k: v for k, v in config.profile.model.params.items() if k not in _OF_TRAINING}
    return " ".join([config.profile.model.name, *(f"{name}={value}" for name, value in options.items())])


def not_of_method(overrides: Iterable[str]) -> tuple[str, ...]:
    """The overrides, KEY=VALUE, that are not of the method alone: what it shares with its references."""
    return tuple(text for text in overrides if not text.strip().startswith(("method.", "rounds=")))


def control(config: Config) -> Config:
    """The matched control of a method: same network, warm-up, protocol and, round by round, the same steps (those of
    a pre-training included), rates, schedule and number of images, but all of them labelled ones of the source;
    afterwards BatchNorm statistics are re-estimated on the target. Of a method without rounds the warm-up itself learns
    the source alone. UserError: not a method. Not matched: strong views, mixing, mining and a teacher, which exist on
    the target only; that it always goes on from the training before; and its BatchNorm, re-estimated whether the
    method's is or not (balanced where that is)."""
    method, profile = config.method, config.profile
    if method.role != "method":
        raise UserError(f"a control of {method.name}, which is a reference itself", "a method that adapts")
    rounds = tuple(_control_round(config, number) for number in method.round_numbers)
    warmup = method.warmup
    if not rounds:
        warmup = Warmup(objective=_SUPERVISED)
        batch = profile.warmup.batch
        images = batch.model_copy(update={"source": batch.source + batch.target, "target": 0})
        profile = profile.model_copy(update={"warmup": profile.warmup.model_copy(update={"batch": images})})
        rounds = (Round(objective=_SUPERVISED, reestimate_bn=("after",), training={"steps": 0, "batch.target": 0}),)
    matched = Method(name=CONTROL, title=CONTROL, role="baseline", warmup=warmup, rounds=len(rounds), round=rounds)
    return config.model_copy(update={"method": matched, "profile": profile, "recipe": None})


def _control_round(config: Config, number: int) -> Round:
    settings, training = config.method.round_at(number), config.training(number)
    steps: list[Any] = [training.steps, *([config.pretraining(number).steps] if settings.pretraining else [])]
    batch: dict[str, Any] = {"batch.source": training.batch.source + training.batch.target, "batch.target": 0}
    # Flat, so that no nested block of an override comes after the batch.
    changes = {**dict(flatten(settings.training) if settings.training else ()), "steps": sum(steps), **batch}
    bn: dict[str, Any] = {"reestimate_bn": ("after",), "balanced_bn": settings.balanced_bn}
    return Round(objective=_SUPERVISED, **bn, training=changes)


def reference(base: Config, config: Config) -> Config:
    """A reference method ``base`` (source_only, adabn) for a run of ``config``: as it is, or, where the method's
    network, classes or protocol are others than the profile's, with these and the budget of the method's warm-up (of
    its rounds, where that takes no step). UserError: ``base`` is no reference."""
    if base.method.role == "method":
        raise UserError(f"--of with method {base.method.name}", "with control, or a baseline")
    same_protocol = all(base.protocol(s) == config.protocol(s) for s in base.scenario.splits)
    if network(base) == network(config) and base.scenario == config.scenario and same_protocol:
        return base
    training = config.profile.warmup if config.profile.warmup.steps else config.profile.round
    batch = training.batch.model_copy(update={"target": 0})
    budget: dict[str, Any] = {"warmup": training.model_copy(update={"batch": batch})}
    # What a reference does not read is as in every other one: references of one network and protocol are one row.
    budget |= {"round": base.profile.round, "labelling": base.profile.labelling}
    profile = config.profile.model_copy(update=budget)
    return base.model_copy(update={"profile": profile, "scenario": config.scenario})
