"""From images to class scores and label maps, as an ``EvalProtocol`` says."""

from collections.abc import Iterable, Iterator, Sequence
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
from udamlf.models.windows import crop_of, mean_of_windows, sliding_boxes

CANVAS = 8  # CBST pads an image to a multiple of so many pixels


def input_sizes(protocol: EvalProtocol, native_hw: Size) -> list[Size]:
    """Network input sizes (height, width) for an image of ``native_hw``. UserError: less than a pixel is left of it."""
    height, width = protocol.size_hw or native_hw
    sizes = [s if isinstance(s, tuple) else (round(height * s), round(width * s)) for s in protocol.scales]
    if min(map(min, sizes)) < 1:
        raise UserError(f"a test size of {min(sizes)} pixels, of scales {protocol.scales}", "at least one pixel")
    return sizes


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


def label_size(protocol: EvalProtocol, native_hw: Size) -> Size:
    """Size of the label map of an image of ``native_hw``."""
    size = protocol.output_hw or protocol.size_hw or native_hw
    return native_hw if size == "native" else size


def label_scores(model: SegmentationModel, image: np.ndarray, protocol: EvalProtocol) -> Tensor:
    """Class scores float32 [C, H, W] of one image (uint8 RGB [H, W, 3]) at the size of its label map."""
    return scores(model, image[None], protocol, label_size(protocol, (image.shape[0], image.shape[1])))[0]


def scores(
    model: SegmentationModel, images: np.ndarray, protocol: EvalProtocol, output_hw: Size | None = None
) -> Tensor:
    """Class scores of ``images`` (uint8 RGB [N,H,W,3], one batch), averaged over test sizes and mirrored images.

    Returns float32 [N,C,*output_hw], by default of the images' own size, on the model's device: probabilities, or
    logits with ``average="logits"``. The model is left as it was, its modes and running statistics included."""
    size = (images.shape[1], images.shape[2])
    logits = network_logits(model, resized(images, protocol), protocol)
    return mean_scores(model, logits, size, protocol, output_hw or size)


def resized(images: np.ndarray, protocol: EvalProtocol) -> list[np.ndarray]:
    """What is to be done before the network, in any thread: ``images`` (uint8 [N,H,W,3]) at every test size; as they
    are where they are resized as tensors."""
    if protocol.interpolation == "tensor":
        return [images]
    sizes = input_sizes(protocol, (images.shape[1], images.shape[2]))
    return [np.stack([resize_image(image, size, protocol.interpolation) for image in images]) for size in sizes]


def network_logits(model: SegmentationModel, images: Sequence[np.ndarray], protocol: EvalProtocol) -> list[Tensor]:
    """The network's own outputs for ``resized`` images: logits float32 [N,C,h,w] of each test size, followed by those
    of the mirrored image where the protocol flips."""
    logits, device = list[Tensor](), next(model.parameters()).device
    # A decoded file may be read-only memory, which torch does not accept without a warning.
    arrays = (np.require(array, requirements=["C", "W"]) for array in images)
    inputs: Iterable[Tensor] = (model.normalise(torch.from_numpy(array).to(device)) for array in arrays)
    if protocol.interpolation == "tensor":
        (whole,) = inputs
        sizes = input_sizes(protocol, (whole.shape[-2], whole.shape[-1]))
        inputs = (_interpolate(whole, size, protocol.align_corners) for size in sizes)
    with evaluating(model):
        for pixels in inputs:
            if protocol.average == "cbst":  # the image at the top left of a canvas of zeros
                pixels = F.pad(pixels, (0, -pixels.shape[-1] % CANVAS, 0, -pixels.shape[-2] % CANVAS))
            views = (pixels, pixels.flip(-1)) if protocol.flip else (pixels,)
            logits += [_view_logits(model, view, protocol.window) for view in views]
    return logits


def _view_logits(model: SegmentationModel, pixels: Tensor, window: Size | None) -> Tensor:
    """The network's logits float32, or at the input's size the mean of those of windows half of their size apart."""
    if window is None:
        return model(pixels).logits.float()  # type: ignore[no-any-return]
    boxes = sliding_boxes(pixels.shape[-2:], window, (window[0] // 2, window[1] // 2))
    crops = (crop_of(pixels, box) for box in boxes)
    maps = [model.upsample(model(crop).logits.float(), crop.shape[-2:]) for crop in crops]
    return mean_of_windows(maps, boxes, pixels.shape[-2:])


def mean_scores(
    model: SegmentationModel, logits: Sequence[Tensor], native_hw: Size, protocol: EvalProtocol, output_hw: Size
) -> Tensor:
    """``scores`` float32 [N,C,*output_hw] from the ``network_logits`` of images of ``native_hw``."""
    scores_at = _cbst_scores if protocol.average == "cbst" else _scores
    views = 2 if protocol.flip else 1
    groups = [list(logits[first : first + views]) for first in range(0, len(logits), views)]
    sized = zip(groups, input_sizes(protocol, native_hw), strict=True)
    results = (scores_at(model, maps, input_hw, output_hw, protocol) for maps, input_hw in sized)
    total = reduce(torch.add, results)
    return total / len(groups) if len(groups) > 1 else total  # a copy of 160 MB takes 0.1 s


def probabilities(scores: Tensor, protocol: EvalProtocol) -> Tensor:
    """Class probabilities [..., C, H, W] of a protocol's scores, which may be logits."""
    return scores.softmax(-3) if protocol.average == "logits" else scores


def _unmirrored(maps: list[Tensor]) -> Tensor:
    """The map; with a second one, of the mirrored image, the mean of both."""
    return (maps[0] + maps[1].flip(-1)) / 2 if len(maps) == 2 else maps[0]


def _scores(
    model: SegmentationModel, maps: list[Tensor], input_hw: Size, output_hw: Size, protocol: EvalProtocol
) -> Tensor:
    def once(logits: Tensor) -> Tensor:
        if protocol.average != "network":
            logits = model.upsample(logits, output_hw if protocol.average == "output" else input_hw)
        values = logits if protocol.average == "logits" else logits.softmax(1)
        return _interpolate(values, output_hw, protocol.align_corners)

    return _unmirrored([once(logits) for logits in maps])


def _interpolate(maps: Tensor, size_hw: Size, align_corners: bool) -> Tensor:
    if maps.shape[-2:] == tuple(size_hw):
        return maps
    return F.interpolate(maps, size=size_hw, mode="bilinear", align_corners=align_corners)


def _cbst_scores(
    model: SegmentationModel, maps: list[Tensor], input_hw: Size, output_hw: Size, protocol: EvalProtocol
) -> Tensor:
    """Probabilities of canvas and mirrored canvas, upsampled by Pillow (cbst.md 4.1); not all within 0..1."""
    grid = _unmirrored([logits.softmax(1) for logits in maps])
    canvas_hw, grid_hw = tuple(side + -side % CANVAS for side in input_hw), tuple(grid.shape[-2:])
    stride = canvas_hw[0] // grid_hw[0]
    if (grid_hw[0] * stride, grid_hw[1] * stride) != canvas_hw:
        problem = f"average: cbst with a network that makes {grid_hw} of {canvas_hw} pixels"
        raise UserError(problem, "a whole stride, as resnet38's 8", "--set profile.labelling.average=probabilities")
    planes = [upsample_probabilities(image, stride, input_hw, output_hw) for image in grid.cpu().numpy()]
    return torch.from_numpy(np.stack(planes)).to(grid.device)


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
