"""What every segmentation network promises; a test class inherits ``ModelContract`` and names its network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from udamlf.models.base import SegmentationModel, batchnorm_modules, build, freeze_batchnorm

CLASSES = 5


class ModelContract:
    """Inherit, and set ``name``, ``stride`` and options that make the network small."""

    name: ClassVar[str]
    stride: ClassVar[int]
    options: ClassVar[dict[str, Any]] = {}
    features_stride: ClassVar[int | None] = None  # where it is not that of the logits

    @pytest.fixture()
    def model(self) -> SegmentationModel:
        return build(self.name, CLASSES, seed=3, **self.options)

    @staticmethod
    def images(height: int = 48, width: int = 64, count: int = 2) -> Tensor:
        return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))

    def test_what_is_called_its_classifier_gives_the_classes(self, model: SegmentationModel) -> None:
        """What SHOT leaves as it is."""
        outputs = [p.shape[0] for p in model.get_submodule(model.classifier_name).parameters()]
        assert outputs and set(outputs) == {CLASSES}

    @pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 97), (47, 50)])
    def test_any_size_gives_logits_at_stride_that_upsample_to_the_image(
        self, model: SegmentationModel, height: int, width: int
    ) -> None:
        """Logits, auxiliary logits and features share batch and classes; sizes need not be multiples of the stride.
        Features are as large as the logits, or of a stage of their own."""
        with torch.no_grad():
            output = model.eval()(self.images(height, width))
        count, classes, rows, columns = output.logits.shape
        assert (count, classes) == (2, CLASSES)
        for cells, pixels in ((rows, height), (columns, width)):
            assert 0 <= cells - math.ceil(pixels / self.stride) <= 1  # ceil-mode pooling adds one
        assert output.logits.dtype == torch.float32 and output.logits.isfinite().all()
        assert model.upsample(output.logits, (height, width)).shape == (2, CLASSES, height, width)
        if output.aux is not None:
            assert output.aux.shape[:2] == (2, CLASSES)
        assert output.features is not None and output.features.ndim == 4
        sides = [-(-pixels // (self.features_stride or self.stride)) for pixels in (height, width)]
        assert self.features_stride is None or list(output.features.shape[2:]) == sides
        assert self.features_stride is not None or output.features.shape[2:] == (rows, columns)

    def test_an_image_is_judged_alone_and_always_the_same(self, model: SegmentationModel) -> None:
        """In evaluation mode the result is a function of the image: not of its neighbours, nor of the call."""
        images = self.images()
        model.eval()
        with torch.no_grad():
            together, again, alone = model(images).logits, model(images).logits, model(images[1:]).logits
        assert torch.equal(together, again)
        torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)

    def test_initial_weights_are_a_function_of_the_seed(self) -> None:
        """Same seed, same weights; another seed, others; torch's global generator is left alone."""
        before = torch.get_rng_state()
        first, same, other = (build(self.name, CLASSES, seed=seed, **self.options).state_dict() for seed in (3, 3, 4))
        assert torch.equal(before, torch.get_rng_state())
        assert all(torch.equal(first[name], same[name]) for name in first)
        assert any(not torch.equal(first[name], other[name]) for name in first)

    def test_weights_survive_safetensors(self, model: SegmentationModel, tmp_path: Path) -> None:
        """A saved state dict gives bit-identical logits in a network built with another seed."""
        save_file(model.state_dict(), tmp_path / "weights.safetensors")
        copy = build(self.name, CLASSES, seed=4, **self.options)
        copy.load_state_dict(load_file(tmp_path / "weights.safetensors"))
        with torch.no_grad():
            assert torch.equal(model.eval()(self.images()).logits, copy.eval()(self.images()).logits)

    def test_groups_hold_every_trained_parameter_once(self, model: SegmentationModel) -> None:
        """Also after BatchNorm's affine parameters are frozen; these and no others are then left out."""
        for _ in range(2):
            grouped = [id(p) for group in model.parameter_groups() for p in group["params"]]
            assert sorted(grouped) == sorted(id(p) for p in model.parameters() if p.requires_grad)
            freeze_batchnorm(model, affine=True, statistics=False)
        left_out = {id(p) for p in model.parameters()} - set(grouped)
        assert left_out == {id(p) for m in batchnorm_modules(model) for p in m.parameters()}

    def test_every_trained_parameter_learns(self, model: SegmentationModel) -> None:
        """One optimiser step moves each trained parameter and lowers the loss on the same batch."""
        images = self.images()
        labels = torch.randint(0, CLASSES, (2, 48, 64), generator=torch.Generator().manual_seed(2))

        def loss() -> Tensor:
            torch.manual_seed(0)  # the same dropout masks before and after
            output = model(images)
            total = F.cross_entropy(model.upsample(output.logits, (48, 64)), labels)
            return (
                total if output.aux is None else total + F.cross_entropy(model.upsample(output.aux, (48, 64)), labels)
            )

        model.train()
        before = loss()
        before.backward()
        slope = 0.0
        for group in model.parameter_groups():
            assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in group["params"]), group["name"]
            slope += group["lr_scale"] * sum(
                float(p.grad.square().sum()) for p in group["params"] if p.grad is not None
            )
        rate = 1e-4 * before.item() / slope  # to first order 0.01 % off the loss, whatever the network's size
        torch.optim.SGD(
            [{"params": g["params"], "lr": rate * g["lr_scale"]} for g in model.parameter_groups()], lr=rate
        ).step()
        assert loss() < before

    def test_normalise_takes_uint8_rgb(self, model: SegmentationModel) -> None:
        """(value / 255 - mean) / std per channel, in the network's channel order, NCHW and channels_last."""
        images = torch.randint(0, 256, (2, 6, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
        normalised = model.normalise(images)
        expected = (images.double() / 255 - torch.tensor(model.mean)) / torch.tensor(model.std)
        expected = expected.permute(0, 3, 1, 2)
        expected = expected.flip(1) if model.bgr else expected
        assert normalised.dtype == torch.float32
        torch.testing.assert_close(normalised.double(), expected, rtol=1e-5, atol=1e-4)
        assert normalised.is_contiguous(memory_format=torch.channels_last)
