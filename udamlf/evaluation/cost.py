"""What a network costs in use."""

import statistics
import time
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from udamlf.config.budget import EvalProtocol
from udamlf.evaluation.predict import scores
from udamlf.models.base import SegmentationModel
from udamlf.models.frozen import frozen_parameters

REPEATS = 3
# Of its own attention kernels torch counts those of GPUs alone.
_CPU_KERNEL: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_ON_CPU = {_CPU_KERNEL: lambda query, key, value, *_, **__: sdpa_flop_count(query, key, value)}


def inference_cost(model: SegmentationModel, image: np.ndarray, protocol: EvalProtocol) -> dict[str, float]:
    """Metrics ``cost/parameters``, and of one image (uint8 RGB [H, W, 3]) under a protocol ``cost/gflops`` (a
    multiplication and an addition are two) and ``cost/frames_per_second``, without reading the image."""

    def seconds() -> float:
        began = time.perf_counter()
        float(scores(model, image[None], protocol).sum())  # waits for the device
        return time.perf_counter() - began

    with FlopCounterMode(display=False, custom_mapping=_ON_CPU) as counter:
        seconds()
    return {
        "cost/parameters": float(sum(p.numel() for p in model.parameters()) + frozen_parameters(model)),
        "cost/gflops": counter.get_total_flops() / 1e9,
        "cost/frames_per_second": 1 / statistics.median(seconds() for _ in range(REPEATS)),
    }
