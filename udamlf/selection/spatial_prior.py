"""CBST-SP's spatial prior: where in the frame each class occurs, counted over source labels (cbst.md, 4.4).

Counts are taken on a coarse grid (1/8 of the frame: 19 x 128 x 256 for Cityscapes), smoothed there, and every class
plane is normalised to sum to 1 over the frame. Only the shape of a plane matters, as thresholds scale with it.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from udamlf.errors import UserError
from udamlf.files import atomic_file

Size = tuple[int, int]
# The paper smooths with a 70 x 70 kernel at a width of 2048 and does not state sigma; 70/6 puts the edge at 3 sigma.
SIGMA_OF_WIDTH = 70 / 6 / 2048


class PriorCounts:
    """Class counts over label maps of any size, on one grid; counts of shards add up.

    Attributes:
        counts: int64 [C, h, w].
    """

    def __init__(self, num_classes: int, grid_hw: Size) -> None:
        self.counts = np.zeros((num_classes, *grid_hw), np.int64)

    def add(self, label: np.ndarray) -> None:
        """Count a label map uint8 [H, W] of train ids; ids outside the classes are not counted."""
        classes, h, w = self.counts.shape
        rows = np.arange(label.shape[0]) * h // label.shape[0]
        columns = np.arange(label.shape[1]) * w // label.shape[1]
        cell = rows[:, None] * w + columns
        valid = label < classes
        index = label[valid].astype(np.int64) * (h * w) + cell[valid]
        self.counts += np.bincount(index, minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: PriorCounts) -> None:
        """Add the counts of another shard."""
        self.counts += other.counts

    def prior(self, sigma_of_width: float = SIGMA_OF_WIDTH) -> np.ndarray:
        """The smoothed prior on the grid, float32 [C, h, w], each plane summing to 1; a class never seen is all 0."""
        return normalised(smoothed(self.counts.astype(np.float64), sigma_of_width * self.counts.shape[2]))


def smoothed(planes: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian smoothing of float64 [C, h, w], ``sigma`` in grid cells, cut at 3 sigma, borders mirrored."""
    side = 2 * max(round(3 * sigma), 1) + 1
    blurred = (cv2.GaussianBlur(p, (side, side), sigma, borderType=cv2.BORDER_REFLECT) for p in planes)
    return np.stack(list(blurred))


def normalised(planes: np.ndarray) -> np.ndarray:
    """Each plane divided by its sum, float32; a plane of zeros stays."""
    sums = planes.sum(axis=(1, 2), keepdims=True, dtype=np.float64)
    return np.divide(planes, sums, out=np.zeros(planes.shape), where=sums > 0).astype(np.float32)


class FittedPrior:
    """A prior at another size: bilinear, normalised again. It is made a band of rows at a time, as 19 whole planes of
    2048x1024 are 159 MB; a prior that has the size already is taken as it is.

    Args:
        prior: float32 [C, h, w].
        size_hw: of the score maps.
    """

    def __init__(self, prior: np.ndarray, size_hw: Size, device: torch.device | None = None) -> None:
        height, width = size_hw
        self.size_hw = (height, width)
        wide = prior
        if prior.shape[2] != width:
            rows = prior.shape[1]
            wide = np.stack([cv2.resize(p, (width, rows), interpolation=cv2.INTER_LINEAR) for p in prior])
        # Rows between two coarse ones are their mean, weighted by nearness; centres of pixels lie at i + 1/2.
        position = ((np.arange(height) + 0.5) * prior.shape[1] / height - 0.5).clip(0, prior.shape[1] - 1)
        self._upper = np.minimum(position.astype(np.int64), prior.shape[1] - 1)
        self._lower = np.minimum(self._upper + 1, prior.shape[1] - 1)
        self._nearness = (position - self._upper).astype(np.float32)
        if prior.shape[1:] != self.size_hw:
            sums = wide.sum(2, dtype=np.float64)
            total = (sums[:, self._upper] * (1 - self._nearness) + sums[:, self._lower] * self._nearness).sum(1)
            wide = wide / np.where(total > 0, total, 1)[:, None, None]
        self._wide = torch.from_numpy(np.ascontiguousarray(wide, np.float32)).to(device)

    def rows(self, start: int, stop: int) -> Tensor:
        """Rows ``start`` to ``stop`` of every plane, float32 [C, stop - start, W]."""
        where = self._wide.device
        upper, lower = (torch.from_numpy(index[start:stop]).to(where) for index in (self._upper, self._lower))
        nearness = torch.from_numpy(self._nearness[start:stop]).to(where)[:, None]
        return torch.lerp(self._wide[:, upper], self._wide[:, lower], nearness)


def save_prior(path: Path, prior: np.ndarray) -> None:
    """Write a prior float32 [C, h, w] as .npy, atomically."""
    with atomic_file(path) as temporary, open(temporary, "wb") as handle:
        np.save(handle, prior.astype(np.float32), allow_pickle=False)


def _read_mat(path: Path) -> np.ndarray:
    try:
        reader = importlib.import_module("scipy.io")
    except ImportError as error:
        raise UserError(
            f"{path}: reading a .mat file needs SciPy", "a .npy file, or SciPy", "pip install scipy"
        ) from error
    contents = reader.loadmat(path)
    if "prior_array" not in contents:
        names = [name for name in contents if not name.startswith("__")]
        raise UserError(f"{path} holds {', '.join(names) or 'nothing'}", "an array named prior_array")
    return contents["prior_array"]


def check_prior_file(path: Path) -> Path:
    """``path`` itself, if it may be a prior.

    Raises:
        UserError: there is no such file, or its suffix is neither .npy nor .mat.
    """
    if path.suffix not in (".npy", ".mat"):
        raise UserError(f"spatial prior {path}", "a .npy or .mat file")
    if not path.is_file():
        raise UserError(f"no spatial prior {path}", "a .npy file or a .mat file with an array prior_array")
    return path


def load_prior(path: Path, num_classes: int) -> np.ndarray:
    """A prior from .npy, or from the ``prior_array`` of a .mat file (needs SciPy), float32 [C, h, w].

    Raises:
        UserError: unreadable, or not a finite, non-negative array of ``num_classes`` planes.
    """
    path = check_prior_file(Path(path))
    try:
        prior = _read_mat(path) if path.suffix == ".mat" else np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, NotImplementedError) as error:
        raise UserError(f"cannot read the spatial prior {path}: {error}", "a whole .npy or .mat file") from error
    if prior.ndim != 3 or len(prior) != num_classes:
        raise UserError(f"{path} holds an array of shape {prior.shape}", f"[{num_classes}, height, width]")
    prior = np.ascontiguousarray(prior, np.float32)
    if not np.isfinite(prior).all() or (prior < 0).any():
        raise UserError(f"{path} holds negative or non-finite values", "a spatial density per class")
    return prior
