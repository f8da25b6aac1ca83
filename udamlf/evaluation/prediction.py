"""From images to class scores and label maps, as an ``EvalProtocol`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from udamlf.data.resize import resize_image
from udamlf.errors import UserError
from udamlf.evaluation.protocol import EvalProtocol, Size
from udamlf.models.base import SegmentationModel
from udamlf.selection.upsample import upsample_probabilities

CANVAS = 8
"""CBST pads an image to a multiple of so many pixels."""


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


def _scores(model: SegmentationModel, inputs: Tensor, output_hw: Size, protocol: EvalProtocol) -> Tensor:
    logits = model(inputs).logits.float()
    if protocol.average in ("logits", "output"):
        resized = model.upsample(logits, output_hw)
        return resized if protocol.average == "logits" else resized.softmax(1)
    if protocol.average == "network":
        return _interpolate(logits.softmax(1), output_hw, protocol.align_corners)
    probabilities = model.upsample(logits, (inputs.shape[-2], inputs.shape[-1])).softmax(1)
    return _interpolate(probabilities, output_hw, protocol.align_corners)


def _cbst_scores(model: SegmentationModel, inputs: Tensor, output_hw: Size, flip: bool) -> Tensor:
    """CBST's probabilities (cbst.md 4.1): of the image at the top left of a canvas of zeros and of the mirrored canvas,
    upsampled by Pillow. They sum to 1 and may leave [0, 1]."""
    height, width = inputs.shape[-2:]
    canvas = F.pad(inputs, (0, -width % CANVAS, 0, -height % CANVAS))
    grid = model(canvas).logits.float().softmax(1)
    if flip:
        grid = (grid + model(canvas.flip(-1)).logits.float().softmax(1).flip(-1)) / 2
    stride = canvas.shape[-2] // grid.shape[-2]
    if (grid.shape[-2] * stride, grid.shape[-1] * stride) != canvas.shape[-2:]:
        found = f"average: cbst with a network that makes {tuple(grid.shape[-2:])} of {tuple(canvas.shape[-2:])} pixels"
        raise UserError(found, "a whole stride, as resnet38's 8", "--set profile.labelling.average=probabilities")
    planes = (upsample_probabilities(image, stride, (height, width), output_hw) for image in grid.cpu().numpy())
    return torch.from_numpy(np.stack(list(planes))).to(inputs.device)


def _mean_scores(model: SegmentationModel, inputs: Iterable[Tensor], output_hw: Size, protocol: EvalProtocol) -> Tensor:
    """Mean over the inputs (one per test size, normalised [N,3,h,w]) and their mirror images."""
    total, passes = torch.zeros(()), 0
    with evaluating(model):
        for pixels in inputs:
            if protocol.average == "cbst":
                result = _cbst_scores(model, pixels, output_hw, protocol.flip)
            else:
                result = _scores(model, pixels, output_hw, protocol)
                if protocol.flip:
                    result = (result + _scores(model, pixels.flip(-1), output_hw, protocol).flip(-1)) / 2
            total, passes = (result if passes == 0 else total + result), passes + 1
    return total if passes == 1 else total / passes


def scores_of_inputs(
    model: SegmentationModel, inputs: Tensor, protocol: EvalProtocol, output_hw: Size | None = None
) -> Tensor:
    """``scores`` of images that are normalised already, float [N,3,H,W] on the model's device.

    They are resized as tensors (bilinear), whatever the protocol's ``interpolation``.
    """
    native_hw = (inputs.shape[-2], inputs.shape[-1])
    resized = (_interpolate(inputs, size, protocol.align_corners) for size in protocol.sizes(native_hw))
    return _mean_scores(model, resized, output_hw or native_hw, protocol)


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
    device = next(model.parameters()).device

    def normalised(pixels: np.ndarray) -> Tensor:
        # A decoded file may be read-only memory, which torch does not accept without a warning.
        return model.normalise(torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device))

    if protocol.interpolation == "tensor":
        return scores_of_inputs(model, normalised(images), protocol, output_hw)
    native_hw = (images.shape[1], images.shape[2])
    rule, sizes = protocol.interpolation, protocol.sizes(native_hw)
    resized = (normalised(np.stack([resize_image(image, size, rule) for image in images])) for size in sizes)
    return _mean_scores(model, resized, output_hw or native_hw, protocol)


def label_scores(model: SegmentationModel, image: np.ndarray, protocol: EvalProtocol) -> Tensor:
    """Class scores float32 [C, H, W] of one image (uint8 RGB [H, W, 3]) at the size of its label map."""
    return scores(model, image[None], protocol, protocol.label_hw((image.shape[0], image.shape[1])))[0]


def predict(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> np.ndarray:
    """Label maps uint8 [N,*output_hw] of ``images`` (uint8 [N,H,W,3]); the lowest train id wins a tie."""
    return scores(model, images, protocol, output_hw).argmax(1).to(torch.uint8).cpu().numpy()
