"""From an image to a prediction: the resolution, interpolation, scales and flip that belong to every score."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from udamlf.data.augment.geometry import resize
from udamlf.models.base import SegmentationModel

Size = tuple[int, int]


class EvalProtocol(BaseModel):
    """How a score is computed (adversarial-warmup.md 7, advent.md 6, cbst.md 7)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_hw: Size | None = Field(None, description="network input at scale 1; null = the image's own size")
    scales: tuple[float | Size, ...] = Field(
        (1.0,), min_length=1, description="test sizes: factors of size_hw, or explicit (height, width)"
    )
    flip: bool = Field(False, description="average with the prediction of the mirrored image")
    input_filter: Literal["tensor", "opencv_bilinear", "opencv_area", "pil_bicubic", "pil_lanczos"] = Field(
        "tensor", description="how the image is resized; tensor: bilinear on the normalised tensor"
    )
    align_corners: bool = Field(True, description="of the bilinear resizing of input tensor and scores")
    average: Literal["probabilities", "logits"] = Field(
        "probabilities",
        description="what is resized to the output and averaged: softmax at the input's size, or the logits themselves",
    )

    def sizes(self, native_hw: Size) -> list[Size]:
        """Network input sizes for an image of ``native_hw``."""
        height, width = self.size_hw or native_hw
        return [s if isinstance(s, tuple) else (round(height * s), round(width * s)) for s in self.scales]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; every module's own mode is restored afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _interpolate(maps: Tensor, size_hw: Size, align_corners: bool) -> Tensor:
    if maps.shape[-2:] == tuple(size_hw):
        return maps
    return F.interpolate(maps, size=size_hw, mode="bilinear", align_corners=align_corners)


def _inputs(model: SegmentationModel, images: np.ndarray, size_hw: Size, protocol: EvalProtocol) -> Tensor:
    if protocol.input_filter != "tensor":
        images = np.stack([resize(image, size_hw, protocol.input_filter) for image in images])
    device = next(model.parameters()).device
    pixels = model.normalise(torch.from_numpy(np.ascontiguousarray(images)).to(device))
    return _interpolate(pixels, size_hw, protocol.align_corners)


def _scores(model: SegmentationModel, inputs: Tensor, output_hw: Size, protocol: EvalProtocol) -> Tensor:
    logits = model(inputs).logits.float()
    if protocol.average == "logits":
        return model.upsample(logits, output_hw)
    probabilities = model.upsample(logits, tuple(inputs.shape[-2:])).softmax(1)
    return _interpolate(probabilities, output_hw, protocol.align_corners)


def scores(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> Tensor:
    """Class scores, averaged over the protocol's sizes and the mirrored images.

    Args:
        images: uint8 RGB [N,H,W,3]; images of one size go through the network as one batch.
        output_hw: size of the result; default the images' own.

    Returns:
        float32 [N,C,*output_hw] on the model's device: probabilities, or logits with ``average="logits"``. The model
        is left as it was, its modes and running statistics included.
    """
    native_hw = (images.shape[1], images.shape[2])
    sizes = protocol.sizes(native_hw)
    output_hw = output_hw or native_hw
    total: Tensor | None = None
    with evaluating(model):
        for size_hw in sizes:
            inputs = _inputs(model, images, size_hw, protocol)
            result = _scores(model, inputs, output_hw, protocol)
            if protocol.flip:
                result = result + _scores(model, inputs.flip(-1), output_hw, protocol).flip(-1)
            total = result if total is None else total + result
    assert total is not None  # scales has at least one entry
    return total / (len(sizes) * (2 if protocol.flip else 1))


def predict(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> np.ndarray:
    """Label maps uint8 [N,*output_hw] of ``images`` (uint8 [N,H,W,3]); the lowest train id wins a tie."""
    return scores(model, images, protocol, output_hw).argmax(1).to(torch.uint8).cpu().numpy()
