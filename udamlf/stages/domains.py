"""Which images a training reads: labelled ones ("source"), and unlabelled or pseudo-labelled ones ("target")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from udamlf.config import Config, Round, per_round
from udamlf.data.frames import FrameStore
from udamlf.data.labels import IGNORE
from udamlf.data.lists import ScenarioData
from udamlf.data.resize import resize_label
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.pseudo_labels import PseudoLabels
from udamlf.selection.schedule import source_picks
from udamlf.selection.soft_labels import decode_soft_label


@dataclass(frozen=True)
class Images:
    """Images of one domain.

    Attributes:
        list_name: the scenario's list they come from.
        count: how many.
        read: position 0 .. count - 1 -> whole frame with its label.
        label: position -> the label alone.
    """

    list_name: str
    count: int
    read: Callable[[int], View]
    label: Callable[[int], np.ndarray]

    def only(self, positions: Sequence[int] | np.ndarray) -> Images:
        """The images at ``positions``, in that order."""
        chosen = [int(position) for position in positions]
        return Images(
            self.list_name, len(chosen), lambda index: self.read(chosen[index]), lambda index: self.label(chosen[index])
        )

    def class_pixels(self, num_classes: int) -> np.ndarray:
        """int64 [count, C]: pixels of each class in each label."""
        labels = (self.label(index).ravel() for index in range(self.count))
        return np.stack([np.bincount(label, minlength=IGNORE + 1)[:num_classes] for label in labels]).astype(np.int64)


def labelled_images(frames: FrameStore, list_name: str) -> Images:
    """All frames of a list with their labels."""
    return Images(list_name, len(frames), lambda index: View(frames.image(index), frames.label(index)), frames.label)


def unlabelled_images(frames: FrameStore, list_name: str) -> Images:
    """All frames of a list; their labels are IGNORE, whether there are any or not."""

    def label(index: int) -> np.ndarray:
        return np.full(frames.image(index).shape[:2], IGNORE, np.uint8)

    return Images(list_name, len(frames), lambda index: View(frames.image(index), label(index)), label)


def target_images(frames: FrameStore, labels: PseudoLabels | None, num_classes: int) -> Images:
    """All target frames with their pseudo-labels, resized to the frame (nearest); all IGNORE where there is none. Soft
    labels come along as the array "soft", float32 [C, h, w] on the grid they are stored on."""

    names = frames.names

    def read(index: int) -> View:
        image, name = frames.image(index), names[index]
        size = (image.shape[0], image.shape[1])
        label = np.full(size, IGNORE, np.uint8) if labels is None or name not in labels else labels.label(name)
        view = View(image, resize_label(label, size, "pillow"))
        if labels is not None and labels.has_soft:
            view.arrays["soft"] = decode_soft_label(labels.soft(name), num_classes).numpy()
        return view

    return Images("target_train", len(frames), read, lambda index: read(index).label)


def picked_source(source: Images, described: Round, round: int, seed: int) -> Images | None:
    """The source images of a round: ``source_portion`` of them (CBST); None for a portion of 0.

    Raises:
        UserError: a portion above 0 that is less than one image.
    """
    portion = per_round(described.source_portion, round)
    if portion == 1:
        return source
    picks = source_picks(source.count, portion, seed, round, described.source_policy)
    if portion > 0 and len(picks) == 0:
        found = f"source_portion {portion} of {source.count} images, which is less than one image"
        raise UserError(found, f"0, or at least {1 / source.count:.4f}", "--set method.round.source_portion=1.0")
    return source.only(picks) if len(picks) else None


def easy_and_hard(target: Images, labels: PseudoLabels | None) -> tuple[Images, Images | None]:
    """IntraDA's domains: the easy split with its pseudo-labels, and the hard one, None when every image is easy.

    Args:
        target: all target images with the pseudo-labels of the easy split.
        labels: what a selector that ranks images has published.

    Raises:
        UserError: there is no ranking, or no easy image.
    """
    if labels is None or "easy" not in labels.extras:
        raise UserError("`labelled: easy_target` without a ranking of the target", "selector: {name: entropy_ranking}")
    easy, hard = labels.extras["easy"], labels.extras["hard"]
    if len(easy) == 0:
        found = f"none of the {target.count} target images is in the easy split, so nothing has a label"
        raise UserError(found, "at least one easy image", "--set method.round.selector.easy_share=1.0")
    return target.only(easy), target.only(hard) if len(hard) else None


def training_images(
    config: Config, data: ScenarioData, round: int, labelled: str | None, labels: PseudoLabels | None, with_target: bool
) -> tuple[Images | None, Images | None, FrameStore | None]:
    """Labelled and unlabelled images of the warm-up (round 0) or of a round, and all target frames.

    Args:
        labelled: list of the labelled images; None for none.
        labels: pseudo-labels of ``target_train``.
        with_target: whether target frames are read at all.
    """
    described = config.method.round_at(round) if round else None
    splits_target = described is not None and described.labelled == "easy_target"
    source = None
    if labelled and not splits_target:
        source = labelled_images(data.frames(labelled, with_labels=True), labelled)
        source = picked_source(source, described, round, config.seed) if described else source
    frames = data.frames("target_train", with_labels=False) if with_target or splits_target else None
    target = target_images(frames, labels, config.space.num_classes) if frames is not None else None
    if splits_target and target is not None:
        easy, hard = easy_and_hard(target, labels)
        return easy if labelled else None, hard, frames
    return source, target, frames


def pretraining_images(config: Config, data: ScenarioData) -> tuple[Images, Images]:
    """Images of both domains for a self-supervised training, whose label files are not even opened."""
    source, target = (
        unlabelled_images(data.frames(name, with_labels=False), name) for name in ("source_train", "target_train")
    )
    return source, target
