"""Class means and distances against the direct loops: ``python benchmarks/prototypes.py``.

The direct form is the released one: a mask, a product and a sum for every (image, class), on features upsampled to
a quarter of the image; distances class by class. Both run on the same arrays; outputs must be equal.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.methods.proda import feature_distances
from udamlf.selection.soft import MIN_PIXELS, class_means


def direct_means(features: Tensor, classes: Tensor, num_classes: int) -> Tensor:
    """[N,C,D] class means by a loop over images and classes."""
    features = F.interpolate(features, classes.shape[1:], mode="bilinear", align_corners=True)
    means = torch.zeros(len(features), num_classes, features.shape[1])
    for n in range(len(features)):
        for c in range(num_classes):
            mask = (classes[n] == c).float()
            if mask.sum().item() >= MIN_PIXELS:
                means[n, c] = (features[n] * mask).sum((1, 2)) / mask.sum()
    return means


def direct_distances(features: Tensor, vectors: Tensor) -> Tensor:
    """[N,C,h,w] distances by a loop over classes."""
    return torch.stack([torch.linalg.vector_norm(features - v.view(1, -1, 1, 1), dim=1) for v in vectors], 1)


def timed(function: Callable[[], Tensor], repeats: int) -> tuple[Tensor, float]:
    """(result, median seconds)."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return result, sorted(seconds)[repeats // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--image-size", type=int, nargs=2, default=(1024, 2048), help="height and width, pixels")
    parser.add_argument("--crop-size", type=int, nargs=2, default=(512, 896), help="height and width, pixels")
    parser.add_argument("--repeats", type=int, default=3)
    a = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    height, width = a.image_size
    features = torch.randn(a.images, a.dimension, height // 8 + 1, width // 8 + 1, generator=generator)
    blocks = torch.randn(a.images, a.classes, 16, 32, generator=generator)
    classes = F.interpolate(blocks, (height // 4, width // 4), mode="bicubic").argmax(1)
    vectors = torch.randn(a.classes, a.dimension, generator=generator)
    crop = torch.randn(a.images, a.dimension, a.crop_size[0] // 4, a.crop_size[1] // 4, generator=generator)

    def means() -> Tensor:
        found = class_means(features, classes, a.classes)
        return found.means * (found.pixels >= MIN_PIXELS).unsqueeze(2)

    for name, direct, ours, tolerance in (
        ("class means", lambda: direct_means(features, classes, a.classes), means, 1e-5),
        ("distances", lambda: direct_distances(crop, vectors), lambda: feature_distances(crop, vectors), 1e-4),
    ):
        expected, slow = timed(direct, a.repeats)
        found, fast = timed(ours, a.repeats)
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)
        worst = (found - expected).abs().max()
        print(f"{name:12} direct {slow:7.3f} s   ours {fast:7.3f} s   {slow / fast:6.1f}x   difference {worst:.1e}")


if __name__ == "__main__":
    main()
