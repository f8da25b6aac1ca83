"""Maps of whole frames brought into crops end where the crop of the image ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from udamlf.data.geometry import Geometry, cut_image
from udamlf.data.maps import features_in_crops, probabilities_in_crops

VIEWS = [
    Geometry(4, 25, 64, 112, (64, 112), False, resized_hw=(70, 140)),
    Geometry(11, 74, 64, 112, (64, 112), True, resized_hw=(94, 188)),
]
FULL = (128, 256)


def resized(maps: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(maps, hw, mode="bilinear", align_corners=True)


def test_maps_equal_the_step_by_step_path() -> None:
    """Composed matrices give what upsampling, resizing, cropping, mirroring and reducing give one after another."""
    maps = torch.rand(2, 5, 17, 33, generator=torch.Generator().manual_seed(0))
    features, soft = [], []
    for one, view in zip(maps.unsqueeze(1), VIEWS, strict=True):
        assert view.resized_hw is not None
        top, left, height, width = (side // 4 for side in (view.top, view.left, view.height, view.width))
        fine = resized(resized(one, (FULL[0] // 4, FULL[1] // 4)), (view.resized_hw[0] // 4, view.resized_hw[1] // 4))
        fine = fine[..., top : top + height, left : left + width]
        features.append(fine.flip(3) if view.flip else fine)
        full = resized(resized(one, FULL), view.resized_hw)
        full = full[..., view.top : view.top + view.height, view.left : view.left + view.width]
        soft.append(resized(full.flip(3) if view.flip else full, (height, width)))
    torch.testing.assert_close(features_in_crops(maps, FULL, VIEWS), torch.cat(features), rtol=0, atol=1e-5)
    torch.testing.assert_close(probabilities_in_crops(maps, FULL, VIEWS), torch.cat(soft), rtol=0, atol=1e-5)


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("flip", [True, False])
def test_maps_follow_the_image(align_corners: bool, flip: bool) -> None:
    """A smooth map on the network's grid, brought into a crop, shows what the same crop of the image shows."""
    y, x = np.mgrid[: FULL[0], : FULL[1]]
    ramps = np.stack([y, x / 2, 0 * x + 9], -1).astype(np.uint8)
    geometry = Geometry(20, 30, 64, 120, (48, 90), flip)
    crop = cut_image(ramps, geometry)[:, :, :2]
    grid = torch.from_numpy(np.stack([y, x / 2]).astype(np.float32))[None]
    hw = (17, 33) if align_corners else (16, 32)
    grid = F.interpolate(grid, hw, mode="bilinear", align_corners=align_corners)
    moved = features_in_crops(grid, FULL, [geometry], 1, align_corners)[0].permute(1, 2, 0).numpy()
    assert np.abs(moved - crop).max() <= 2
    coarse = features_in_crops(grid, FULL, [geometry], 6, align_corners)[0].permute(1, 2, 0).numpy()
    assert np.abs(coarse - crop.reshape(8, 6, 15, 6, 2).mean((1, 3))).max() <= 2


def test_maps_repeat_the_border_outside() -> None:
    """A box beyond the image stays finite and constant there."""
    maps = torch.arange(4.0).view(1, 1, 1, 4)
    moved = features_in_crops(maps, (8, 32), [Geometry(0, 24, 8, 32, (4, 16))], 4, align_corners=False)
    assert moved.flatten().tolist() == [3.0, 3.0, 3.0, 3.0]
