"""A sample on its way to the network, and the hooks through which an objective takes part in preparing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from udamlf.data.augment.geometry import Geometry
from udamlf.data.augment.weak_view import WeakView


class Cut(NamedTuple):
    """How a crop was cut from a frame of size ``frame_hw`` (pixels)."""

    frame_hw: tuple[int, int]
    geometry: Geometry | WeakView


@dataclass
class View:
    """One sample on its way to the network.

    Attributes:
        image: uint8 RGB [H, W, 3].
        label: uint8 [H, W] train ids, all IGNORE where the sample has no label.
        maps: further label-like maps [H, W] that follow the geometry (nearest neighbour).
        images: further views [H, W, 3] uint8 RGB that no geometry touches: the whole frame, the strong view of a crop.
        arrays: further arrays that no geometry touches: soft labels of the whole frame, cells of a strong view.
        cut: how the crop came from the frame; None for a whole frame.
    """

    image: np.ndarray
    label: np.ndarray
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    images: dict[str, np.ndarray] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    cut: Cut | None = None


class SampleHooks:
    """How an objective prepares samples; the defaults change nothing. Every hook is pure given its ``rng``."""

    def pick(self, domain: str, index: int, rng: np.random.Generator) -> tuple[int, int | None]:
        """Position of the sample to read instead of ``index`` and the class it was drawn for, handed to ``accept``."""
        return index, None

    def before_geometry(self, domain: str, view: View, rng: np.random.Generator, read: Callable[[int], View]) -> View:
        """Change a whole frame before it is cropped (copy-paste); ``read`` gives other frames of the same domain."""
        return view

    def place(self, domain: str, view: View, geometry: Geometry, rng: np.random.Generator) -> Geometry:
        """Move the box that was drawn for a crop of ``view`` (mining), its size kept."""
        return geometry

    def accept(self, domain: str, view: View, drawn: int | None) -> bool:
        """Whether a crop shows enough of the class it was ``drawn`` for; False draws another crop of the frame."""
        return True

    def after_geometry(self, domain: str, view: View, rng: np.random.Generator) -> View:
        """Add views of a finished crop (weak/strong)."""
        return view
