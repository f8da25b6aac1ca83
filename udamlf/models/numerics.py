"""How this process computes on a GPU: TF32, the choice of convolutions, determinism; and what of it can be said."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import cv2
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from udamlf.config.budget import Precision


@contextmanager
def numerics(precision: Precision, deterministic: bool) -> Iterator[None]:
    """Inside, "float32" means float32 (torch's default has TF32 in convolutions), "tf32" allows it in all products, and
    convolutions are chosen by trial or kernels deterministic. One OpenCV thread: batches have threads themselves."""
    if deterministic:  # read when cuBLAS starts
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cuda, cudnn, mode = torch.backends.cuda.matmul, torch.backends.cudnn, torch.get_deterministic_debug_mode()
    before, threads = (cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark), cv2.getNumThreads()
    cuda.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    cudnn.benchmark = not deterministic
    # Warnings only. `use_deterministic_algorithms` would import torch._inductor, 2.6 CPU-s for compiled code alone.
    torch.set_deterministic_debug_mode("warn" if deterministic or mode > 0 else "default")
    cv2.setNumThreads(1)
    try:
        # While determinism is a matter of warnings the other kernels of attention add up by atomics going backward.
        with sdpa_kernel(SDPBackend.MATH) if deterministic else nullcontext():
            yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before
        torch.set_deterministic_debug_mode(mode)
        cv2.setNumThreads(threads)


def settings() -> dict[str, bool | str]:
    """The numerics at hand, as plain values, and what a training that is resumed owes to them."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    resumed = {
        True: "bit-identical on this machine, unless log.txt names an operation without a deterministic implementation",
        False: "equal up to the order of sums" if torch.cuda.is_available() else "bit-identical on this machine",
    }
    return {
        "tf32": torch.backends.cudnn.allow_tf32,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "deterministic_algorithms": deterministic,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG", ""),
        "resumed_training": resumed[deterministic],
    }
