"""The weak view: images, labels and maps of the full image end at the same place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from udamlf.data.augment.geometry import Geometry, apply_geometry
from udamlf.data.augment.weak_view import (
    WeakView,
    draw_weak_view,
    geometry_maps,
    weak_features,
    weak_image,
    weak_label,
    weak_probabilities,
)
from udamlf.seeding import rng

VIEWS = [WeakView(70, 140, 4, 25, 64, 112, False), WeakView(94, 188, 11, 74, 64, 112, True)]
FULL = (128, 256)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(20, 300), st.integers(20, 300), st.integers(20, 400))
def test_drawn_views_lie_inside(seed: int, height: int, width: int, nominal: int) -> None:
    """Any image and nominal width, smaller than the crop too: the crop fits into the resized image."""
    view = draw_weak_view(rng(seed), (height, width), (48, 80), nominal)
    assert 0 <= view.top <= view.height - 48 and 0 <= view.left <= view.width - 80
    assert weak_label(np.zeros((height, width), np.uint8), view).shape == (48, 80)
    assert weak_image(np.zeros((height, width, 3), np.uint8), view).shape == (48, 80, 3)


def test_only_the_crop_is_resized_and_equals_the_whole() -> None:
    """Resizing the crop's box gives the pixels of resizing the whole image, within one grey level."""
    image = rng(0).integers(0, 256, (*FULL, 3)).astype(np.uint8)
    label = rng(1).integers(0, 19, FULL).astype(np.uint8)
    for view in VIEWS:
        box = np.s_[view.top : view.top + view.crop_height, view.left : view.left + view.crop_width]
        size = (view.width, view.height)
        whole = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))[box]
        labels = np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))[box]
        step = -1 if view.hflip else 1
        assert np.abs(weak_image(image, view).astype(int) - whole[:, ::step]).max() <= 1
        np.testing.assert_array_equal(weak_label(label, view), labels[:, ::step])


def resized(maps: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(maps, hw, mode="bilinear", align_corners=True)


def test_maps_equal_the_step_by_step_path() -> None:
    """Composed matrices give what upsampling, resizing, cropping, mirroring and reducing give one after another."""
    maps = torch.rand(2, 5, 17, 33, generator=torch.Generator().manual_seed(0))
    features, soft = [], []
    for one, view in zip(maps.unsqueeze(1), VIEWS, strict=True):
        c = view.reduced(4)
        fine = resized(resized(one, (FULL[0] // 4, FULL[1] // 4)), (c.height, c.width))
        fine = fine[..., c.top : c.top + c.crop_height, c.left : c.left + c.crop_width]
        features.append(fine.flip(3) if view.hflip else fine)
        full = resized(resized(one, FULL), (view.height, view.width))
        full = full[..., view.top : view.top + view.crop_height, view.left : view.left + view.crop_width]
        soft.append(resized(full.flip(3) if view.hflip else full, (c.crop_height, c.crop_width)))
    torch.testing.assert_close(weak_features(maps, FULL, VIEWS), torch.cat(features), rtol=0, atol=1e-5)
    torch.testing.assert_close(weak_probabilities(maps, FULL, VIEWS), torch.cat(soft), rtol=0, atol=1e-5)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_geometry_maps_follow_the_image(align_corners: bool, flip: bool) -> None:
    """A smooth map on the network's grid, brought into a crop, shows what the same crop of the image shows."""
    y, x = np.mgrid[: FULL[0], : FULL[1]]
    ramps = np.stack([y, x / 2, 0 * x + 9], -1).astype(np.uint8)
    geometry = Geometry(20, 30, 64, 120, (48, 90), flip)
    crop = apply_geometry(geometry, ramps)[0][:, :, :2]
    grid = torch.from_numpy(np.stack([y, x / 2]).astype(np.float32))[None]
    hw = (17, 33) if align_corners else (16, 32)
    grid = F.interpolate(grid, hw, mode="bilinear", align_corners=align_corners)
    moved = geometry_maps(grid, FULL, [geometry], (48, 90), align_corners)[0].permute(1, 2, 0).numpy()
    assert np.abs(moved - crop).max() <= 2
    quarter = geometry_maps(grid, FULL, [geometry], (12, 18), align_corners)[0].permute(1, 2, 0).numpy()
    assert np.abs(quarter - crop.reshape(12, 4, 18, 5, 2).mean((1, 3))).max() <= 2


def test_geometry_maps_repeat_the_border_outside() -> None:
    """A box beyond the image stays finite and constant there."""
    maps = torch.arange(4.0).view(1, 1, 1, 4)
    moved = geometry_maps(maps, (8, 32), [Geometry(0, 24, 8, 32, (4, 8))], (1, 4), align_corners=False)
    assert moved.flatten().tolist() == [3.0, 3.0, 3.0, 3.0]
