"""Cost and agreement of stored soft labels: ``python benchmarks/soft_labels.py``.

One frame of Cityscapes at the network's grid. For each number of stored classes: bytes, the share of pixels whose label
is that of the full soft label, before and after a rectification by prototypes, and the time to encode and decode.
"""

from __future__ import annotations

import argparse
import io
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.pseudo_labels import decode_soft_label, encode_soft_label
from udamlf.methods.proda import prototype_weights, rectify


def soft_label(classes: int, hw: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """(probabilities, prototype weights) [C,h,w] of a made-up frame: smooth regions, uncertain borders, noise."""
    generator = torch.Generator().manual_seed(seed)

    def field(cells: int, strength: float) -> Tensor:
        coarse = torch.randn(1, classes, cells, 2 * cells, generator=generator) * strength
        return F.interpolate(coarse, hw, mode="bicubic", align_corners=True)

    regions = field(8, 3.0)
    logits = regions + field(32, 1.0) + 0.5 * torch.randn(1, classes, *hw, generator=generator)
    # Distances follow the regions loosely: prototypes know part of the truth, and correct some of the labels.
    distances = 8 - 0.5 * regions + field(16, 1.0)
    return torch.softmax(logits, 1)[0], prototype_weights(distances)[0]


def stored_bytes(stored: np.ndarray) -> int:
    """Size of the array on disk."""
    buffer = io.BytesIO()
    np.save(buffer, stored, allow_pickle=False)
    return len(buffer.getvalue())


def agreement(probabilities: Tensor, weights: Tensor, top: int) -> tuple[float, float, float]:
    """Shares of equal labels (plain, rectified) and the mean absolute error of a probability."""
    decoded = decode_soft_label(encode_soft_label(probabilities, top), len(probabilities))
    plain = (decoded.argmax(0) == probabilities.argmax(0)).float().mean()
    before, after = (rectify(p.unsqueeze(0), weights.unsqueeze(0)).argmax(1) for p in (probabilities, decoded))
    return float(plain), float((before == after).float().mean()), float((decoded - probabilities).abs().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--grid", type=int, nargs=2, default=(129, 257), help="height and width of the network's grid")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    probabilities, weights = soft_label(arguments.classes, tuple(arguments.grid), arguments.seed)
    corrected = (rectify(probabilities[None], weights[None]).argmax(1)[0] != probabilities.argmax(0)).float().mean()
    print(f"rectification changes {corrected:.1%} of the labels")
    columns = f"{'stored':>6} {'MB':>7} {'label':>9} {'rectified':>10} {'mean error':>11}"
    print(f"{columns} {'encode ms':>10} {'decode ms':>10}")
    for top in (1, 2, 3, 4, 6):
        start = time.perf_counter()
        stored = encode_soft_label(probabilities, top)
        middle = time.perf_counter()
        decode_soft_label(stored, arguments.classes)
        end = time.perf_counter()
        plain, rectified, error = agreement(probabilities, weights, top)
        print(
            f"{top:>6} {stored_bytes(stored) / 1e6:7.3f} {plain:9.5f} {rectified:10.5f} {error:11.6f} "
            f"{1e3 * (middle - start):10.1f} {1e3 * (end - middle):10.1f}"
        )


if __name__ == "__main__":
    main()
