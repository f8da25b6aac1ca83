"""Crops, colour operations and copy-paste equal the released ones on the golden vectors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np
import pytest

from tests.parity.conftest import Golden
from udamlf.config.labels import IGNORE
from udamlf.data import colour
from udamlf.data.geometry import Geometry, crop_origin, cut_image, cut_label, random_sized_crop
from udamlf.data.mixing import Donors, draw_donor, paste


class Given:
    """Stands in for a generator: returns given draws, in order."""

    def __init__(self, draws: Sequence[float]) -> None:
        self.draws = list(draws)

    def random(self) -> float:
        return self.draws.pop(0)

    def integers(self, low: int, high: int, endpoint: bool = False) -> int:
        drawn = self.draws.pop(0)
        assert low <= drawn <= high - (not endpoint)
        return int(drawn)


def grey_levels(found: np.ndarray, expected: np.ndarray, tolerance: int) -> None:
    assert found.dtype == expected.dtype == np.uint8
    assert int(np.abs(found.astype(int) - expected).max()) <= tolerance


def test_random_sized_crop(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "random_sized_crop"), golden.hparams("hiast", "random_sized_crop")
    image, label = arrays["image"], arrays["label"]
    image_hw, output_hw = tuple(hp["image_size_hw"]), tuple(hp["output_size_hw"])
    assert image.shape[:2] == image_hw
    assert output_hw[1] / output_hw[0] == hp["aspect_ratio"]
    cases = zip(arrays["params"], arrays["out_image"], arrays["out_label"], strict=True)
    for (height, width, u, v, *corners), out_image, out_label in cases:
        draws = Given([height, u, v])
        geometry = random_sized_crop(draws, image_hw, (1, image_hw[0]), output_hw)  # type: ignore[arg-type]
        left, top, right, bottom = (int(c) for c in corners)
        assert geometry == Geometry(top, left, bottom - top, right - left, output_hw)
        assert (geometry.height, geometry.width) == (height, width)
        assert crop_origin(image_hw[0] - geometry.height, u) == top
        grey_levels(cut_image(image, geometry), out_image, 1)
        np.testing.assert_array_equal(cut_label(label, geometry), out_label)


def test_colour_operations(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "colour_ops"), golden.hparams("hiast", "colour_ops")
    image = arrays.pop("image")
    # start of the array's name -> (operation, tolerance in grey levels)
    operations = {
        "brightness_": (partial(colour.brightness_contrast, brightness=hp["brightness_b"]), 1),
        "contrast_": (partial(colour.brightness_contrast, contrast=hp["contrast_a"]), 1),
        "posterize_": (partial(colour.posterise, bits=hp["posterize_bits"]), 1),
        "solarize_": (partial(colour.solarise, threshold=hp["solarize_threshold"]), 1),
        "equalize_": (colour.equalise, 1),
        "to_gray": (colour.to_grey, 1),
        **{f"gauss_{k}": (partial(colour.blur, kernel=k), 2) for k in hp["blur_kernels"]},
        "jitter_brightness_": (partial(colour.brightness_contrast, contrast=hp["jitter_brightness_factor"]), 1),
        "jitter_contrast_": (partial(colour.scale_contrast, factor=hp["jitter_contrast_factor"]), 1),
        "jitter_saturation_": (partial(colour.scale_saturation, factor=hp["jitter_saturation_factor"]), 2),
        "jitter_hue_": (partial(colour.shift_hue, turns=hp["jitter_hue_shift"]), 2),
    }
    assert len(operations) == len(arrays)
    for start, (operation, tolerance) in operations.items():
        (name,) = (name for name in arrays if name == start or (start.endswith("_") and name.startswith(start)))
        grey_levels(operation(image), arrays[name], tolerance)


def test_blur_kernels_follow_the_specified_rule(golden: Golden) -> None:
    """An impulse shows the kernel: fixed for 3, 5, 7, else sigma = slope * ((k-1)/2 - 1) + offset."""
    hp = golden.hparams("hiast", "colour_ops")
    fixed = {3: np.array([1, 2, 1]) / 4, 5: np.array([1, 4, 6, 4, 1]) / 16, 7: np.array(hp["blur_kernel_7"])}
    impulse = np.zeros((1, 255, 3), np.uint8)
    impulse[0, 127] = 255
    for kernel in hp["blur_kernels"]:
        sigma = hp["blur_sigma_slope"] * ((kernel - 1) / 2 - 1) + hp["blur_sigma_offset"]
        expected = fixed.get(kernel, cv2.getGaussianKernel(kernel, sigma).ravel())
        half = kernel // 2
        # One row, mirrored at both borders, keeps the whole weight of the other direction.
        found = colour.blur(impulse, kernel)[0, 127 - half : 128 + half, 0] / 255
        np.testing.assert_allclose(found, expected, rtol=0, atol=1.5 / 255)


@pytest.fixture
def pasted(golden: Golden) -> dict[str, np.ndarray]:
    arrays, hp = golden.arrays("hiast", "copypaste_run"), golden.hparams("hiast", "copypaste_run")
    assert len(arrays["hard_classes"]) == hp["n_hard"]
    assert len(arrays["class_value"]) == hp["num_classes"]
    assert list(arrays["labels"].shape[1:]) == hp["image_size_hw"]
    for name in ("labels", "out_label", "out_paste_mask"):
        arrays[name] = np.where(arrays[name] == hp["ignore_label"], IGNORE, arrays[name]).astype(np.uint8)
    return arrays


def test_copy_paste_of_a_given_donor(pasted: dict[str, np.ndarray]) -> None:
    images, labels, hard = pasted["images"], pasted["labels"], pasted["hard_classes"].tolist()
    for i, (base, donor) in enumerate(zip(pasted["base_index"], pasted["donor_index"], strict=True)):
        found = paste(images[base], labels[base], images[donor], labels[donor], hard)
        np.testing.assert_array_equal(found.image, pasted["out_image"][i])
        np.testing.assert_array_equal(found.label, pasted["out_label"][i])
        np.testing.assert_array_equal(found.mask, pasted["out_paste_mask"][i])


def test_copy_paste_draws_the_given_class_and_donor(pasted: dict[str, np.ndarray], golden: Golden) -> None:
    """With the recorded class and donor as the only possible draw, the whole routine gives the recorded result."""
    hp = golden.hparams("hiast", "copypaste_run")
    images, labels, hard = pasted["images"], pasted["labels"], pasted["hard_classes"].tolist()
    runs = zip(pasted["base_index"], pasted["donor_index"], pasted["chosen_class"], strict=True)
    for i, (base, donor, chosen) in enumerate(runs):
        assert int(chosen) in hard
        donors = Donors(hard, (1 - pasted["class_value"]) ** 2, {int(chosen): [int(donor)]})
        assert draw_donor(donors, np.random.default_rng(0)) == donor
        assert hp["max_donors"] == pasted["donors_loaded"][i] == 1
        found = paste(images[base], labels[base], images[donor], labels[donor], donors.hard_classes)
        np.testing.assert_array_equal(found.image, pasted["out_image"][i])
        np.testing.assert_array_equal(found.label, pasted["out_label"][i])
        np.testing.assert_array_equal(found.mask, pasted["out_paste_mask"][i])
