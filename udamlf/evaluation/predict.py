"""From images to class scores and label maps, as an ``EvalProtocol`` says."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import reduce

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from udamlf.common.errors import UserError
from udamlf.config.budget import EvalProtocol, Size
from udamlf.data.geometry import resize_image
from udamlf.models.base import SegmentationModel

CANVAS = 8  # CBST pads an image to a multiple of so many pixels


def input_sizes(protocol: EvalProtocol, native_hw: Size) -> list[Size]:
    """Network input sizes (height, width) for an image of ``native_hw``."""
    height, width = protocol.size_hw or native_hw
    return [s if isinstance(s, tuple) else (round(height * s), round(width * s)) for s in protocol.scales]


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


def predict(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> np.ndarray:
    """Label maps uint8 [N,*output_hw] of ``images`` (uint8 [N,H,W,3]); the lowest train id wins a tie."""
    return scores(model, images, protocol, output_hw).argmax(1).to(torch.uint8).cpu().numpy()


def label_scores(model: SegmentationModel, image: np.ndarray, protocol: EvalProtocol) -> Tensor:
    """Class scores float32 [C, H, W] of one image (uint8 RGB [H, W, 3]) at the size of its label map."""
    native_hw = (image.shape[0], image.shape[1])
    size = protocol.output_hw or protocol.size_hw or native_hw
    return scores(model, image[None], protocol, native_hw if size == "native" else size)[0]


def scores(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> Tensor:
    """Class scores of ``images`` (uint8 RGB [N,H,W,3], one batch), averaged over test sizes and mirrored images.

    Returns float32 [N,C,*output_hw], by default of the images' own size, on the model's device: probabilities, or
    logits with ``average="logits"``. The model is left as it was, its modes and running statistics included."""
    device = next(model.parameters()).device

    def normalised(pixels: np.ndarray) -> Tensor:
        # A decoded file may be read-only memory, which torch does not accept without a warning.
        return model.normalise(torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device))

    rule, native_hw = protocol.interpolation, (images.shape[1], images.shape[2])
    if rule == "tensor":
        return scores_of_inputs(model, normalised(images), protocol, output_hw)
    sizes = input_sizes(protocol, native_hw)
    inputs = (normalised(np.stack([resize_image(image, size, rule) for image in images])) for size in sizes)
    return _mean_scores(model, inputs, output_hw or native_hw, protocol)


def scores_of_inputs(
    model: SegmentationModel, inputs: Tensor, protocol: EvalProtocol, output_hw: Size | None = None
) -> Tensor:
    """``scores`` of images that are normalised already, float [N,3,H,W] on the model's device, and are resized as
    tensors (bilinear) whatever the protocol's ``interpolation``."""
    native_hw = (inputs.shape[-2], inputs.shape[-1])
    resized = (_interpolate(inputs, size, protocol.align_corners) for size in input_sizes(protocol, native_hw))
    return _mean_scores(model, resized, output_hw or native_hw, protocol)


def _mean_scores(model: SegmentationModel, inputs: Iterable[Tensor], output_hw: Size, protocol: EvalProtocol) -> Tensor:
    scores_at = _cbst_scores if protocol.average == "cbst" else _scores
    with evaluating(model):
        results = (scores_at(model, pixels, output_hw, protocol) for pixels in inputs)
        return reduce(torch.add, results) / len(protocol.scales)


def _mirrored(function: Callable[[Tensor], Tensor], inputs: Tensor, flip: bool) -> Tensor:
    """``function(inputs)``; with ``flip`` its mean with what the mirrored inputs give."""
    result = function(inputs)
    return (result + function(inputs.flip(-1)).flip(-1)) / 2 if flip else result


def _scores(model: SegmentationModel, inputs: Tensor, output_hw: Size, protocol: EvalProtocol) -> Tensor:
    def once(pixels: Tensor) -> Tensor:
        logits = model(pixels).logits.float()
        if protocol.average != "network":
            input_hw = (pixels.shape[-2], pixels.shape[-1])
            logits = model.upsample(logits, input_hw if protocol.average == "probabilities" else output_hw)
        maps = logits if protocol.average == "logits" else logits.softmax(1)
        return _interpolate(maps, output_hw, protocol.align_corners)

    return _mirrored(once, inputs, protocol.flip)


def _interpolate(maps: Tensor, size_hw: Size, align_corners: bool) -> Tensor:
    if maps.shape[-2:] == tuple(size_hw):
        return maps
    return F.interpolate(maps, size=size_hw, mode="bilinear", align_corners=align_corners)


def _cbst_scores(model: SegmentationModel, inputs: Tensor, output_hw: Size, protocol: EvalProtocol) -> Tensor:
    """Probabilities of the image at the top left of a canvas of zeros and of the mirrored canvas, upsampled by Pillow
    (cbst.md 4.1). They sum to 1 and may leave [0, 1]."""
    height, width = inputs.shape[-2:]
    canvas = F.pad(inputs, (0, -width % CANVAS, 0, -height % CANVAS))
    grid = _mirrored(lambda pixels: model(pixels).logits.float().softmax(1), canvas, protocol.flip)
    canvas_hw, grid_hw = tuple(canvas.shape[-2:]), tuple(grid.shape[-2:])
    stride = canvas_hw[0] // grid_hw[0]
    if (grid_hw[0] * stride, grid_hw[1] * stride) != canvas_hw:
        problem = f"average: cbst with a network that makes {grid_hw} of {canvas_hw} pixels"
        raise UserError(problem, "a whole stride, as resnet38's 8", "--set profile.labelling.average=probabilities")
    planes = [upsample_probabilities(image, stride, (height, width), output_hw) for image in grid.cpu().numpy()]
    return torch.from_numpy(np.stack(planes)).to(inputs.device)


def upsample_probabilities(planes: np.ndarray, stride: int, image_hw: Size, size_hw: Size) -> np.ndarray:
    """Probabilities float32 [C, h, w] of a network's grid -> [C, *size_hw], plane by plane with Pillow (cbst.md 4.1).

    Bicubic by ``stride``, cropped to the network's input without padding (``image_hw``), then to the original image's
    size: Lanczos if it shrinks in both directions, bicubic if it grows in both, else bilinear; nothing if it is equal.
    """
    h, w = planes.shape[1:]
    full = _resampled(planes, (h * stride, w * stride), Image.Resampling.BICUBIC)[:, : image_hw[0], : image_hw[1]]
    growth = [new - old for new, old in zip(size_hw, image_hw, strict=True)]
    if growth == [0, 0]:
        return full
    shrinking = Image.Resampling.LANCZOS if max(growth) < 0 else Image.Resampling.BILINEAR
    return _resampled(full, size_hw, Image.Resampling.BICUBIC if min(growth) > 0 else shrinking)


def _resampled(planes: np.ndarray, size_hw: Size, rule: Image.Resampling) -> np.ndarray:
    images = (Image.fromarray(np.ascontiguousarray(plane, np.float32)) for plane in planes)
    return np.stack([np.asarray(image.resize(size_hw[::-1], rule), np.float32) for image in images])
