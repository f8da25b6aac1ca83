"""Batches as a pure function of (seed, step), whatever the number of threads: a position in the data is one integer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from udamlf.common.ahead import ahead
from udamlf.common.errors import UserError
from udamlf.common.seeding import rng
from udamlf.config.budget import Augmentation
from udamlf.config.labels import IGNORE
from udamlf.data.colour import jitter, random_brightness_contrast
from udamlf.data.geometry import (
    MEAN_COLOUR,
    Geometry,
    cut_box,
    cut_image,
    cut_label,
    draw_geometry,
    resize_image,
    resize_label,
)
from udamlf.data.mixing import paste
from udamlf.data.sample import Cut, Domain, Sample

MAX_CROP_ATTEMPTS = 10
Place = Callable[[Geometry], Geometry]
Frames = tuple[Callable[[int], Sample], int]
"""How a split's frames are read by their positions, and how many there are."""
Donor = tuple[Sample, Sequence[int]]
"""A frame, and the classes whose pixels it gives away."""


class Draw:
    """A training sample of ``domain`` ("source" or "target") in the making, a function of its own generator ``rng``:
    ``index`` is its frame's position in the split, which ``prepare`` may change, ``read`` gives the frame at any;
    ``domains`` are all of the training."""

    def __init__(self, stream: Stream, index: int, rng: np.random.Generator) -> None:
        self.domain, self.read, self.augmentation = stream.domain, stream.read, stream.augmentation.of(stream.domain)
        self.index, self.rng, self.domains = index, rng, stream.domains

    def crop(
        self, frame: Sample, place: Place = lambda box: box, accept: Callable[[Sample], bool] = lambda crop: True,
        donor: Donor | None = None,
    ) -> Sample:  # fmt: skip
        """A random crop of ``frame`` with the training's augmentation. ``place`` moves the box that was drawn (mining;
        not a weak view's), its size kept; a crop that ``accept`` refuses is drawn again, after ten of them without
        asking; the ``donor``'s pixels are pasted first, though only where the crop is."""
        frame_hw = (frame.image.shape[0], frame.image.shape[1])
        for attempt in range(MAX_CROP_ATTEMPTS + 1):
            geometry = draw_geometry(self.rng, frame_hw, self.augmentation)
            if geometry.resized_hw is None:
                geometry = place(geometry)
            base, pasted, chance = frame, donor, self.augmentation.brightness_contrast
            if chance > 0:  # before the box is resized, as released: clipped values are resized to others
                change = random_brightness_contrast(self.rng, chance)
                base = replace(frame, image=change(frame.image))
                pasted = donor and (replace(donor[0], image=change(donor[0].image)), donor[1])
            image, label = _cut(base, geometry) if pasted is None else _pasted_cut(base, *pasted, geometry)
            maps = {name: cut_label(values, geometry) for name, values in frame.maps.items()}
            crop = Sample(image, label, maps, dict(frame.images), dict(frame.arrays), Cut(frame_hw, geometry))
            if attempt == MAX_CROP_ATTEMPTS or accept(crop):
                break
        strength = getattr(self.augmentation, f"jitter_{self.domain}")
        if strength > 0:
            crop.image = jitter(crop.image, self.rng, strength)
        return crop


def _cut(frame: Sample, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    return cut_image(frame.image, geometry), cut_label(frame.label, geometry)


def _pasted_cut(
    frame: Sample, donor: Sample, classes: Sequence[int], geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    hw, g = (frame.label.shape[0], frame.label.shape[1]), geometry
    donor = Sample(resize_image(donor.image, hw, "bilinear"), resize_label(donor.label, hw))
    if g.resized_hw is None:  # of a weak view, whose filter reaches beyond the crop, the whole frame
        box, g = replace(g, flip=False), replace(g, top=0, left=0)
        frame, donor = (
            Sample(cut_box(s.image, box, MEAN_COLOUR), cut_box(s.label, box, IGNORE)) for s in (frame, donor)
        )
    pasted = paste(frame.image, frame.label, donor.image, donor.label, classes)
    return _cut(Sample(pasted.image, pasted.label), g)


def plain(draw: Draw) -> Sample:
    """A random crop of the drawn frame: how a sample is prepared where an objective says nothing else."""
    return draw.crop(draw.read(draw.index))


@lru_cache(maxsize=8)
def _order(seed: int, domain: str, epoch: int, count: int) -> np.ndarray:
    return rng(seed, domain, "order", epoch).permutation(count)


@dataclass(frozen=True)
class Stream:
    """Endless, shuffled, augmented samples of a split of ``count`` frames: every pass is a fresh permutation."""

    domain: str
    read: Callable[[int], Sample]  # position -> whole frame with its label or pseudo-label
    count: int
    augmentation: Augmentation
    seed: int
    prepare: Callable[[Draw], Sample] = plain  # the objective's way from a draw to a sample
    domains: Mapping[str, Frames] = field(default_factory=dict)  # every one of the training

    def sample(self, number: int, index: int | None = None) -> tuple[Sample, int]:
        """Sample ``number`` of the training and its position in the split, that of its own order or ``index``."""
        if index is None:
            index = int(_order(self.seed, self.domain, number // self.count, self.count)[number % self.count])
        draw = Draw(self, index, rng(self.seed, self.domain, "sample", number))
        return self.prepare(draw), draw.index


class Batches:
    """Iterates over the host batches of steps ``start`` to ``stop`` - 1 of {domain: (stream, images per batch)}, which
    ``workers`` threads (0: the caller's) read ahead. ``mixed``: a batch is as large as those of all domains, drawn
    from one list of all frames, every pass of it a fresh permutation; a domain of which it holds none is left out."""

    def __init__(
        self, streams: Mapping[str, tuple[Stream, int]], start: int, stop: int, workers: int, mixed: bool = False
    ) -> None:
        self.streams = {name: (stream, size) for name, (stream, size) in streams.items() if size > 0}
        self.steps, self.workers = range(start, stop), workers
        self.mixed = mixed
        self.frames = [(name, index) for name, (stream, _) in self.streams.items() for index in range(stream.count)]

    def at(self, step: int) -> dict[str, Domain]:
        if not self.mixed:
            return {
                name: self._domain([stream.sample(step * size + item) for item in range(size)])
                for name, (stream, size) in self.streams.items()
            }
        size, seed = sum(size for _, size in self.streams.values()), next(iter(self.streams.values()))[0].seed
        samples, count = {name: list[tuple[Sample, int]]() for name in self.streams}, len(self.frames)
        for number in range(step * size, (step + 1) * size):
            name, index = self.frames[_order(seed, "mixed", number // count, count)[number % count]]
            samples[name].append(self.streams[name][0].sample(number, index))
        return {name: self._domain(drawn) for name, drawn in samples.items() if drawn}

    @staticmethod
    def _domain(drawn: Sequence[tuple[Sample, int]]) -> Domain:
        samples, index = zip(*drawn, strict=True)
        first = samples[0]
        return Domain(
            images=_stack([s.image for s in samples]),
            labels=_stack([s.label for s in samples]),
            maps={name: _stack([s.maps[name] for s in samples]) for name in first.maps},
            views={name: _stack([s.images[name] for s in samples]) for name in first.images},
            index=list(index),
            arrays={name: _stack([s.arrays[name] for s in samples]) for name in first.arrays},
            cuts=[s.cut for s in samples if s.cut is not None],
        )

    def __iter__(self) -> Iterator[tuple[int, dict[str, Domain]]]:
        return zip(self.steps, ahead(self.at, self.steps, self.workers), strict=True)


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    sizes = sorted({array.shape[:2] for array in arrays})
    if len(sizes) > 1:
        message = f"images of several sizes in one batch: {sizes[0]} and {sizes[-1]}"
        raise UserError(message, "one size", "--set profile.frames_hw=[H,W], or a crop (augmentation.crop_hw)")
    stacked = torch.from_numpy(np.stack(arrays))
    # Only from pinned memory does a copy to the GPU run beside its work; a loader's thread pays for it.
    return stacked.pin_memory() if torch.cuda.is_available() else stacked
