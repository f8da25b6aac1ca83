"""The published networks keep the contract, and the contract reaches every network there is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models import test_compact, test_vit
from tests.models.contract import CLASSES, ModelContract
from udamlf.common.errors import UserError
from udamlf.models.base import NETWORKS, build

SMALL = {"depth": 26, "width": 8}


class TestDeepLabV2(ModelContract):
    name = "deeplabv2"
    stride = 8
    options = SMALL


class TestDeepLabV2Advent(ModelContract):
    name = "deeplabv2"
    stride = 8
    options = {**SMALL, "variant": "advent", "multi_level": True}  # noqa: RUF012


class TestDeepLabV2Crst(ModelContract):
    name = "deeplabv2"
    stride = 8
    options = {**SMALL, "variant": "crst"}  # noqa: RUF012


class TestProDA(ModelContract):
    name = "proda_deeplab"
    stride = 8
    options = SMALL


class TestProDAWithExtraNorm(ModelContract):
    name = "proda_deeplab"
    stride = 8
    options = {**SMALL, "bn_clr": True}  # noqa: RUF012


class TestResNet38(ModelContract):
    name = "resnet38"
    stride = 8
    options = {"width": 4}  # noqa: RUF012


@pytest.mark.slow
class TestDeepLabV2FullSize(ModelContract):
    name = "deeplabv2"
    stride = 8


@pytest.mark.slow
class TestProDAFullSize(ModelContract):
    name = "proda_deeplab"
    stride = 8


@pytest.mark.slow
class TestResNet38FullSize(ModelContract):
    name = "resnet38"
    stride = 8


def test_every_network_is_under_contract() -> None:
    """A network without a contract test class is noticed."""
    classes = [*vars(test_compact).values(), *vars(test_vit).values(), *globals().values()]
    tested = {
        c.name for c in classes if isinstance(c, type) and issubclass(c, ModelContract) and c is not ModelContract
    }
    assert tested == set(NETWORKS.names())


@pytest.mark.parametrize(
    ("geometry", "size", "expected"),
    [
        ("iast", (512, 1024), (64, 128)),
        ("iast", (65, 97), (9, 13)),
        ("advent", (512, 1024), (65, 129)),
        ("advent", (720, 1280), (91, 161)),
    ],
)
def test_sizes_of_the_two_geometries(geometry: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    """Feature sizes quoted by the papers' code: the Caffe geometry rounds up when pooling."""
    with torch.device("meta"):
        model = build("deeplabv2", CLASSES, variant=geometry)
        assert model(torch.empty(1, 3, *size)).logits.shape[2:] == expected


@pytest.mark.parametrize(("name", "options"), [("resnet38", {"width": 4}), ("deeplabv2", {**SMALL, "variant": "crst"})])
def test_stored_statistics_never_move(name: str, options: dict) -> None:
    """Training mode neither uses nor updates batch statistics: ST, CBST and CRST train this way."""
    model = build(name, CLASSES, **options).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    images = ModelContract.images()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        assert torch.equal(model(images).logits, model.eval()(images).logits)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_advent_input_is_bgr_minus_the_published_mean() -> None:
    """AdaptSegNet's weights want BGR values 0-255 minus this mean, undivided (advent.md 5)."""
    model = build("deeplabv2", CLASSES, variant="advent", **SMALL)
    pixel = torch.tensor([[[[200, 100, 50]]]], dtype=torch.uint8)
    expected = [50 - 104.00698793, 100 - 116.66876762, 200 - 122.67891434]
    torch.testing.assert_close(model.normalise(pixel).flatten(), torch.tensor(expected))


def test_head_rate_is_an_option_and_visits_are_known() -> None:
    """ProDA's stage 1 has one rate; Caffe-style backbones tell how often they were stepped."""
    flat = build("proda_deeplab", CLASSES, head_lr_scale=1.0, **SMALL).parameter_groups()
    assert {group["lr_scale"] for group in flat} == {1.0}
    visited = build("deeplabv2", CLASSES, variant="advent", **SMALL).parameter_groups()
    expected = [("backbone_x1", 1), ("backbone_x3", 3), ("backbone_x4", 4), ("head", 1)]
    assert [(g["name"], g["visits"]) for g in visited] == expected


def test_resnet38_shifts_learn_faster_and_do_not_decay() -> None:
    """Biases and BatchNorm shifts: twice the rate, no weight decay (cbst.md 5)."""
    model = build("resnet38", CLASSES, width=4)
    weights, shifts = model.parameter_groups()
    assert (weights["lr_scale"], weights["decay_scale"]) == (1.0, 1.0)
    assert (shifts["lr_scale"], shifts["decay_scale"]) == (2.0, 0.0)
    assert len(shifts["params"]) == sum(name.endswith("bias") for name, _ in model.named_parameters())


@pytest.mark.parametrize(
    ("name", "options"),
    [("deeplabv2", {"variant": "iats"}), ("deeplabv2", {"depth": 7}), ("compact", {"aus": True})],
)
def test_wrong_options_are_explained(name: str, options: dict) -> None:
    """A wrong option or value is a ``UserError`` that lists what is right."""
    with pytest.raises(UserError) as caught:
        build(name, CLASSES, **options)
    assert "expected: " in str(caught.value)


def test_unknown_network_names_the_nearest() -> None:
    """A typing error is answered with the right name; helper modules of the package are no networks."""
    with pytest.raises(UserError, match="compact"):
        build("compct", CLASSES)
    for helper in ("base", "released", "resnet"):
        with pytest.raises(UserError):
            build(helper, CLASSES)


class TestHrda(ModelContract):
    """In evaluation the detail comes from windows over the whole image."""

    name, stride, features_stride = "hrda", 4, 64
    options = {"variant": "tiny", "channels": 16, "detail": (32, 32)}  # noqa: RUF012


class TestMit(ModelContract):
    """SegFormer's encoder in the miniature's size with DAFormer's head; features are its last stage."""

    name, stride, features_stride = "mit", 4, 32
    options = {"variant": "tiny", "channels": 16}  # noqa: RUF012
