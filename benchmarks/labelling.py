"""Selection beside the forward pass it follows: DeepLabV2-ResNet-101 on a frame of Cityscapes' size.

    python benchmarks/labelling.py                                         one thread on the CPU, 1024x512 input
    python benchmarks/labelling.py --input 1024 2048 --repeat 5            on the frame's own size

The network and the probabilities are random; no time depends on their values. Each selector observes a frame's
probabilities (19 x 1024 x 2048) once and labels it once; both are counted. The target: 15 % of the forward pass.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from udamlf.common.seeding import rng
from udamlf.config.labels import CITYSCAPES_19
from udamlf.config.parts import Part
from udamlf.models.base import build as build_network
from udamlf.selection.base import build

LIMIT = 0.15
SELECTORS = {
    "ST": Part(name="global", portion=0.2),
    "CBST": Part(name="class_balanced", portion=0.2),
    "CBST-SP": Part(name="spatial_prior", portion=0.2),
    "IntraDA": Part(name="entropy_ranking", easy_share=1.0),
}


def seconds(function: Callable[[], object], repeat: int) -> float:
    """Fastest of ``repeat`` calls."""
    spent = []
    for _ in range(repeat):
        begin = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - begin)
    return min(spent)


def main() -> None:
    """Time the network, then every selector on what it gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=int, nargs=2, default=(512, 1024), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--frame", type=int, nargs=2, default=(1024, 2048), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_network("deeplabv2", CITYSCAPES_19.num_classes, seed=0).eval().to(device)
    generator = rng(0, "labelling benchmark")
    image = torch.from_numpy(generator.integers(0, 256, (1, *args.input, 3), dtype=np.uint8)).to(device)
    with torch.inference_mode():
        forward = seconds(lambda: network(network.normalise(image)), args.repeat)
    logits = generator.standard_normal((CITYSCAPES_19.num_classes, *args.frame), dtype=np.float32)
    probabilities = torch.from_numpy(logits).mul_(3).softmax(0).to(device)
    print(f"forward pass of {args.input[0]}x{args.input[1]} on {device.type}: {1e3 * forward:.0f} ms")
    for name, part in SELECTORS.items():
        selector = build(part, CITYSCAPES_19, round=1)
        if selector.reads_source:
            selector.prepare([generator.integers(0, CITYSCAPES_19.num_classes, args.frame).astype(np.uint8)])
            selector.observe(probabilities, 0)  # brings the prior to the frame's size, once for all frames
        observed = seconds(partial(selector.observe, probabilities, 0), args.repeat)
        selector.finish()
        assigned = seconds(partial(selector.assign, [probabilities], [0]), args.repeat)
        share = (observed + assigned) / forward
        times = f"observe {1e3 * observed:5.0f} ms, label {1e3 * assigned:5.0f} ms"
        print(f"  {name:8} {times}: {100 * share:5.1f} % of the forward pass")
        assert share <= LIMIT, f"{name}: {share:.0%} is more than {LIMIT:.0%}"


if __name__ == "__main__":
    main()
