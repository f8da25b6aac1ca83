"""Batches as a pure function of (seed, step): the position in the data is one integer.

A ``Stream`` turns (step, item) into one prepared sample of a domain; ``Batches`` stacks the samples of a step and reads
ahead in threads. The result does not depend on the number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from udamlf.config import Augmentation
from udamlf.data.augment.geometry import Geometry
from udamlf.data.augment.photometric import jitter
from udamlf.data.crops import training_crop
from udamlf.data.view import Cut, SampleHooks, View
from udamlf.errors import UserError
from udamlf.seeding import rng

MAX_CROP_ATTEMPTS = 10


@dataclass
class HostDomain:
    """A domain's part of a batch on the host: uint8 images [N, H, W, 3], uint8 maps [N, H, W], arrays [N, ...]."""

    images: Tensor
    labels: Tensor
    maps: dict[str, Tensor]
    views: dict[str, Tensor]
    index: list[int]
    arrays: dict[str, Tensor] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)


class Stream:
    """Endless, shuffled, augmented samples of one list.

    Every pass over the list is a fresh permutation; sample ``g`` of the training (g = step * batch + item) is entry
    ``g mod n`` of permutation ``g div n``.

    Args:
        domain: "source" or "target".
        read: position -> whole frame with its label (or pseudo-label).
        count: number of frames.
        hooks: the objective's part in preparing a sample.
    """

    def __init__(
        self,
        domain: str,
        read: Callable[[int], View],
        count: int,
        augmentation: Augmentation,
        jitter_strength: float,
        seed: int,
        hooks: SampleHooks,
    ) -> None:
        self.domain, self.read, self.count = domain, read, count
        self.augmentation, self.jitter_strength, self.seed, self.hooks = augmentation, jitter_strength, seed, hooks
        self._permutation = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return rng(self.seed, self.domain, "order", epoch).permutation(self.count)

    def sample(self, number: int) -> tuple[View, int]:
        """Sample ``number`` of the training and its position in the list."""
        draw = rng(self.seed, self.domain, "sample", number)
        index = int(self._permutation(number // self.count)[number % self.count])
        index, drawn = self.hooks.pick(self.domain, index, draw)
        frame = self.hooks.before_geometry(self.domain, self.read(index), draw, self.read)

        def place(geometry: Geometry) -> Geometry:
            return self.hooks.place(self.domain, frame, geometry, draw)

        for _ in range(MAX_CROP_ATTEMPTS):
            view = training_crop(frame, self.augmentation, draw, place)
            if self.hooks.accept(self.domain, view, drawn):
                break
        if self.jitter_strength > 0:
            view.image = jitter(view.image, draw, self.jitter_strength)
        return self.hooks.after_geometry(self.domain, view, draw), index


class Batches:
    """Iterates over the host batches of steps ``start``, ``start + 1``, ...

    Args:
        streams: domain -> (stream, images per batch).
        workers: threads; 0 prepares in the caller's thread. Two batches per thread are read ahead.
    """

    def __init__(self, streams: Mapping[str, tuple[Stream, int]], start: int, stop: int, workers: int) -> None:
        self.streams = {name: (stream, size) for name, (stream, size) in streams.items() if size > 0}
        self.start, self.stop, self.workers = start, stop, workers

    def at(self, step: int) -> dict[str, HostDomain]:
        """The batch of one step."""
        return {name: self._domain(stream, size, step) for name, (stream, size) in self.streams.items()}

    @staticmethod
    def _domain(stream: Stream, size: int, step: int) -> HostDomain:
        samples = [stream.sample(step * size + item) for item in range(size)]
        views = [view for view, _ in samples]

        def stack(arrays: list[np.ndarray]) -> Tensor:
            sizes = sorted({array.shape[:2] for array in arrays})
            if len(sizes) > 1:
                found = f"{stream.domain} images of several sizes in one batch: {sizes[0]} and {sizes[-1]}"
                raise UserError(found, "one size", "--set profile.frames_hw=[H,W], or a crop (augmentation.crop_hw)")
            return torch.from_numpy(np.stack(arrays))

        return HostDomain(
            images=stack([v.image for v in views]),
            labels=stack([v.label for v in views]),
            maps={name: stack([v.maps[name] for v in views]) for name in views[0].maps},
            views={name: stack([v.images[name] for v in views]) for name in views[0].images},
            index=[index for _, index in samples],
            arrays={name: stack([v.arrays[name] for v in views]) for name in views[0].arrays},
            cuts=[v.cut for v in views if v.cut is not None],
        )

    def __iter__(self) -> Iterator[tuple[int, dict[str, HostDomain]]]:
        steps = range(self.start, self.stop)
        if self.workers == 0:
            yield from ((step, self.at(step)) for step in steps)
            return
        with ThreadPoolExecutor(self.workers, thread_name_prefix="batches") as pool:
            ahead: deque[tuple[int, Future[dict[str, HostDomain]]]] = deque()
            try:
                for step in steps:
                    ahead.append((step, pool.submit(self.at, step)))
                    if len(ahead) > 2 * self.workers:
                        ready, future = ahead.popleft()
                        yield ready, future.result()
                while ahead:
                    ready, future = ahead.popleft()
                    yield ready, future.result()
            finally:
                for _, future in ahead:
                    future.cancel()
