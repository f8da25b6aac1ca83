"""Every array of MIC's golden files: mask, pseudo-weights, the masked loss, colours."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import close, every_array
from udamlf.data.mixing import online_labels
from udamlf.losses import mixed_cross_entropy
from udamlf.methods.device_colour import colour_jitter, gaussian_blur, kernel_size
from udamlf.methods.mic import View, block_mask, mask_grid, masked_view

every = partial(every_array, method="mic")
MODES = {"separatetrg": ("target",), "separate": ("source", "target"), "separatesrc": ("source",)}


def view(images: Tensor, labels: Tensor, weights: Tensor, draws: np.ndarray, ratio: float) -> View:
    mask = torch.from_numpy(block_mask(draws, tuple(images.shape), ratio))
    return View(images, labels, weights, mask[:, 0])


def test_mask(golden: Golden) -> None:
    """01: visible squares and the masked image, for sides that the block divides or not."""
    with every(golden, "01_mask") as (a, h):
        for number, case in enumerate(h["cases"]):
            image = a.tensor(f"image_{number}").float()
            draws, hw = a[f"draws_{number}"], (case["height"], case["width"])
            assert draws.shape == (case["batch"], 1, *mask_grid(hw, case["block"])) and image.shape[2:] == hw
            np.testing.assert_array_equal(block_mask(draws, hw, case["ratio"]), a[f"mask_{number}"])
            labels = torch.zeros(case["batch"], *hw)
            masked = view(image, labels, labels, draws, case["ratio"]).masked
            np.testing.assert_array_equal(masked, a[f"masked_{number}"].astype(np.float32))


def test_pseudo_weights(golden: Golden) -> None:
    """02: labels and the confident share; rows of the crop, or a map of what is trusted, have weight 0."""
    with every(golden, "02_pseudo_weight") as (a, h):
        logits = a.tensor("logits").float()
        assert logits.shape[1] == h["num_classes"]
        online = online_labels(logits, h["threshold"], 0, 0)
        np.testing.assert_array_equal(online.labels, a["label"])
        close(online.confident.double().mean(), a["confident_fraction"], atol=1e-6)
        close(online.weights, a["weight"], atol=1e-6)
        rows = online_labels(logits, h["threshold"], h["ignore_top"], h["ignore_bottom"])
        close(rows.weights, a["weight_v1"], atol=1e-6)
        close(online.weights * a.tensor("valid_mask")[:, 0], a["weight_v2"], atol=1e-6)
        close(online_labels(logits, 0.0, 0, 0).weights, a["weight_no_threshold"].astype(np.float32), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_masked_loss(golden: Golden, mode: str) -> None:
    """03: what the student sees, its loss over all pixels and the gradient, in each mode."""
    arrays = golden.arrays("mic", "03_mic_loss")
    h = golden.hparams("mic", "03_mic_loss")
    ones, draws = torch.ones(arrays["pseudo_weight"].shape), arrays[f"draws_{mode}"]

    def of(domain: str, labels: str, weights: Tensor) -> View:
        image, ids = (torch.from_numpy(arrays[name]) for name in (f"{domain}_image", labels))
        return view(image.float(), ids.long(), weights, draws, h["ratio"])

    source = of("source", "source_label", ones)
    target = of("target", "pseudo_label", torch.from_numpy(arrays["pseudo_weight"]))
    if len(MODES[mode]) == 2:  # the draws are of the stacked batch
        target = target._replace(visible=target.visible[[1, 0]])
    views = {"source": source, "target": target}
    seen = masked_view(*(views[domain] for domain in MODES[mode]))
    np.testing.assert_array_equal(seen.masked, arrays[f"masked_{mode}"].astype(np.float32))
    weight, bias = (torch.from_numpy(arrays[f"toy_{name}"]) for name in ("weight", "bias"))
    logits = F.conv2d(seen.masked, weight, bias, h["toy_stride"], h["toy_padding"]).requires_grad_()
    close(logits, arrays[f"logits_{mode}"], atol=1e-4)
    large = F.interpolate(logits, seen.labels.shape[1:], mode="bilinear", align_corners=False)
    loss = h["mask_lambda"] * mixed_cross_entropy(large, seen.labels, seen.weights)
    close(loss, arrays[f"loss_{mode}"], rtol=1e-5)
    close(torch.autograd.grad(loss, logits)[0], arrays[f"logits_grad_{mode}"], atol=1e-7)


def test_every_array_of_the_masked_loss_is_used(golden: Golden) -> None:
    """The test above reads them by mode."""
    names = {"source_image", "target_image", "source_label", "pseudo_label", "pseudo_weight", "toy_weight", "toy_bias"}
    of_modes = {f"{what}_{mode}" for what in ("draws", "masked", "logits", "loss", "logits_grad") for mode in MODES}
    assert set(golden.arrays("mic", "03_mic_loss")) == names | of_modes


def test_colour(golden: Golden) -> None:
    """13: jitter from recorded factors and order, blur from a recorded sigma, and the kernel's size."""
    with every(golden, "13_colour") as (a, h):
        assert h["sigma_low"] <= float(a["sigma"]) <= h["sigma_high"]
        mean, std = (torch.tensor(h[name]).view(3, 1, 1) / 255 for name in ("mean", "std"))
        image = a.tensor("image").float()
        factors = [a.tensor(f"jitter_{name}_factor") for name in ("brightness", "contrast", "saturation", "hue")]
        jittered = colour_jitter(image * std + mean, factors, a["jitter_order"].tolist())
        close((jittered - mean) / std, a["jittered"], atol=1e-4)
        close(gaussian_blur(image, a.tensor("sigma").view(1)), a["blurred"], atol=1e-5)
        for side, size in a["kernel_sizes"].tolist():
            assert kernel_size(side) == size
