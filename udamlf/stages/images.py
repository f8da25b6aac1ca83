"""Which images a training reads: labelled ones ("source"), and unlabelled or pseudo-labelled ones ("target")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from udamlf.common.errors import UserError
from udamlf.common.rounds import per_round
from udamlf.config.labels import IGNORE
from udamlf.config.schema import LABELS_PREFIX, TARGET, Config, Round
from udamlf.data.geometry import resize_label
from udamlf.data.pseudo_labels import PseudoLabels, decode_soft_label
from udamlf.data.sample import Sample
from udamlf.data.splits import ScenarioData


@dataclass(frozen=True)
class Images:
    """Images of one domain, of a split of the scenario."""

    split: str
    count: int
    read: Callable[[int], Sample]  # position 0 .. count - 1 -> whole frame with its label
    label: Callable[[int], np.ndarray]  # position -> the label alone

    def only(self, positions: Sequence[int] | np.ndarray) -> Images:
        at = [int(position) for position in positions]
        return Images(self.split, len(at), lambda index: self.read(at[index]), lambda index: self.label(at[index]))

    def class_pixels(self, num_classes: int) -> np.ndarray:
        """int64 [count, C]: pixels of each class in each label."""
        labels = (self.label(index).ravel() for index in range(self.count))
        return np.stack([np.bincount(label, minlength=IGNORE + 1)[:num_classes] for label in labels]).astype(np.int64)


Domains = dict[str, Images]
""""source" and "target"; a domain without images is left out."""


def labelled_images(data: ScenarioData, split: str) -> Images:
    frames = data.frames(split, with_labels=True)
    return Images(split, len(frames), lambda index: Sample(frames.image(index), frames.label(index)), frames.label)


def unlabelled_images(data: ScenarioData, split: str = TARGET, labels: PseudoLabels | None = None) -> Images:
    """All frames of a split with their pseudo-labels or IGNORE, and as "soft" soft labels float32 [C, h, w]."""
    frames = data.frames(split, with_labels=False)
    names, num_classes = frames.names, data.config.space.num_classes

    def read(index: int) -> Sample:
        image, name = frames.image(index), names[index]
        size = (image.shape[0], image.shape[1])
        label = np.full(size, IGNORE, np.uint8) if labels is None or name not in labels else labels.label(name)
        sample = Sample(image, resize_label(label, size, "pillow"))
        if labels is not None and labels.has_soft:
            sample.arrays["soft"] = decode_soft_label(labels.soft(name), num_classes).numpy()
        return sample

    return Images(split, len(frames), read, lambda index: read(index).label)


def round_splits(config: Config, round: int) -> dict[str, bool]:
    """Splits that the training of round 1, 2, ... has a use for -> whether with their labels."""
    settings, training = config.method.round_at(round), config.training(round)
    from_target, trains = settings.source.startswith(LABELS_PREFIX), bool(training.steps)
    source, target = trains and training.batch.source > 0, trains and training.batch.target > 0
    target = target or bool(settings.reestimate_bn) or (source and from_target)
    source = source and not from_target and per_round(settings.source_portion, round) > 0
    return ({TARGET: False} if target else {}) | ({settings.source: True} if source else {})


def round_domains(config: Config, data: ScenarioData, round: int, labels: PseudoLabels | None) -> Domains:
    """Images of the training of round 1, 2, ... UserError: a part that was not published, or nothing to learn from."""
    settings, training, splits = config.method.round_at(round), config.training(round), round_splits(config, round)
    batch, domains = training.batch, Domains()
    if not training.steps:
        return domains
    from_target = settings.source.startswith(LABELS_PREFIX)
    target = unlabelled_images(data, TARGET, labels) if batch.target or from_target else None
    if batch.source and target is not None and from_target:
        source = _part(target, labels, settings.source)
        if not source.count:
            message = f"{settings.source} holds none of the {target.count} target images, so nothing has a label"
            raise UserError(message, "at least one image", f"other parameters than {settings.selector}")
        domains["source"] = source
    elif settings.source in splits:
        domains["source"] = picked_source(labelled_images(data, settings.source), settings, round, config.seed)
    if batch.target and target is not None:
        part = target if settings.target == TARGET else _part(target, labels, settings.target)
        domains |= {"target": part} if part.count else {}
    return domains


def _part(target: Images, labels: PseudoLabels | None, name: str) -> Images:
    key = name.removeprefix(LABELS_PREFIX)
    if labels is None or key not in labels.extras:
        raise UserError(f"the run of the labels has no part {name}", "a run of this round's selector")
    return target.only(labels.extras[key])


def source_picks(count: int, portion: float, seed: int, round: int = 1, policy: str = "cumulative") -> np.ndarray:
    """The source images of a round: ``floor(count * portion)`` distinct indices, int64, in drawn order (cbst.md 4.6).
    ``cumulative`` picks are a prefix of one permutation; for ``random`` ones the seed rises by one a round (CRST;
    cbst.md 10)."""
    # The legacy generator, of 32-bit seeds, is part of the published method.
    generator = np.random.RandomState((seed + (round - 1 if policy == "random" else 0)) % 2**32)
    return generator.choice(count, int(np.floor(count * portion)), replace=False)


def picked_source(source: Images, settings: Round, round: int, seed: int) -> Images:
    """The source images of a round: ``source_portion`` of them (CBST). UserError: less than one image, but not 0."""
    if (portion := per_round(settings.source_portion, round)) == 1:
        return source
    picks = source_picks(source.count, portion, seed, round, settings.source_policy)
    if portion > 0 and len(picks) == 0:
        message = f"source_portion {portion} of {source.count} images, which is less than one image"
        raise UserError(message, f"0, or at least {1 / source.count:.4f}", "--set method.round.source_portion=1.0")
    return source.only(picks)
