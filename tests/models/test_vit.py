"""The frozen transformer: DINOv2's tensors, adapters that begin as nothing, what is left out of states and means."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from tests import toy
from tests.in_process import InProcess, small
from tests.models.contract import CLASSES, ModelContract
from udamlf.common.errors import UserError
from udamlf.config.parts import Part
from udamlf.data.splits import ScenarioData
from udamlf.evaluation.score import evaluate
from udamlf.models import checkpoint
from udamlf.models.base import SegmentationModel, build
from udamlf.models.ema import ema_update, make_teacher
from udamlf.models.frozen import frozen_parameters
from udamlf.models.vit import VARIANTS, VisionTransformer
from udamlf.runs.plan import data_root

OPTIONS = {"variant": "tiny", "channels": 16, "rank": 4}


def adapted(seed: int = 3, **options: object) -> SegmentationModel:
    """A network whose adapters are no longer nothing."""
    model = build("vit", CLASSES, seed=seed, **{**OPTIONS, **options})
    for adapter in model.get_submodule("adapters").children():
        nn.init.normal_(adapter.get_submodule("up").weight, std=0.02)
    return model


class TestVit(ModelContract):
    """In the miniature's size, with adapters that have begun to learn."""

    name, stride = "vit", 8
    options = OPTIONS

    @pytest.fixture()
    def model(self) -> SegmentationModel:
        return adapted()


@pytest.mark.parametrize(("variant", "registers", "count"), [("s", 0, 22_056_576), ("b", 4, 86_583_552)])
def test_tensors_are_the_published_ones(variant: str, registers: int, count: int) -> None:
    """Names, shapes and numbers of parameters of ``dinov2_vits14_pretrain.pth`` and ``dinov2_vitb14_reg4_pretrain.pth``
    (22.06 and 86.58 million)."""
    width = {"s": 384, "b": 768}[variant]
    expected = {
        "cls_token": [1, 1, width], "pos_embed": [1, 1 + 37 * 37, width], "mask_token": [1, width],
        "patch_embed.proj.weight": [width, 3, 14, 14], "patch_embed.proj.bias": [width],
        "norm.weight": [width], "norm.bias": [width],
    }  # fmt: skip
    expected |= {"register_tokens": [1, 4, width]} if registers else {}
    for n in range(12):
        block = {
            "norm1.weight": [width], "norm1.bias": [width], "norm2.weight": [width], "norm2.bias": [width],
            "attn.qkv.weight": [3 * width, width], "attn.qkv.bias": [3 * width],
            "attn.proj.weight": [width, width], "attn.proj.bias": [width],
            "mlp.fc1.weight": [4 * width, width], "mlp.fc1.bias": [4 * width],
            "mlp.fc2.weight": [width, 4 * width], "mlp.fc2.bias": [width],
            "ls1.gamma": [width], "ls2.gamma": [width],
        }  # fmt: skip
        expected |= {f"blocks.{n}.{name}": shape for name, shape in block.items()}
    with torch.device("meta"):
        network = VisionTransformer(VARIANTS[variant], registers)
    assert {name: list(value.shape) for name, value in network.state_dict().items()} == expected
    assert sum(p.numel() for p in network.parameters()) == count


def test_attention_and_positions_are_those_of_the_definition() -> None:
    """Against a direct computation: one block's attention head by head, and the released resampling of positions."""
    network, images = VisionTransformer(VARIANTS["tiny"]).eval(), torch.rand(1, 3, 32, 64)
    block, x = network.blocks[0], torch.rand(1, 7, 64)
    q, k, v = (part.reshape(7, 2, 32) for part in block.attn.qkv(x)[0].chunk(3, -1))
    heads = [(q[:, h] @ k[:, h].T / 32**0.5).softmax(-1) @ v[:, h] for h in range(2)]
    torch.testing.assert_close(block.attn(x, None)[0], block.attn.proj(torch.cat(heads, -1)))
    square = network.pos_embed[:, 1:].reshape(1, 16, 16, 64).permute(0, 3, 1, 2)
    scaled = F.interpolate(square, scale_factor=(4.1 / 16, 8.1 / 16), mode="bicubic")
    torch.testing.assert_close(network.positions(4, 8), scaled.permute(0, 2, 3, 1).reshape(1, 32, 64))
    assert torch.equal(network.positions(16, 16), network.pos_embed[:, 1:])
    assert [list(each.shape) for each in network(images)] == [[1, 64, 4, 8]] * 4


def test_adapters_begin_as_nothing_and_registers_are_no_patches() -> None:
    images = ModelContract.images()
    with torch.no_grad():
        plain, lora = (build("vit", CLASSES, **{**OPTIONS, "rank": rank}).eval()(images).logits for rank in (0, 4))
        assert torch.equal(plain, lora) and not torch.equal(plain, adapted(0).eval()(images).logits)
        registers = build("vit", CLASSES, registers=4, **OPTIONS).eval()(images).logits
    assert registers.shape == plain.shape and not torch.equal(registers, plain)


def saved(folder: Path) -> Path:
    """Weights of a backbone as their publisher would save them."""
    torch.manual_seed(5)
    torch.save(VisionTransformer(VARIANTS["tiny"]).state_dict(), folder / "dinov2.pth")
    return folder / "dinov2.pth"


def test_only_adapters_and_head_are_trained_averaged_and_stored(tmp_path: Path) -> None:
    """The teacher shares the frozen weights; a checkpoint is as large as the rest, and comes back bit by bit."""
    options = {**OPTIONS, "weights": str(saved(tmp_path))}
    model = adapted(weights=options["weights"])
    teacher, backbone = make_teacher(model), model.get_submodule("backbone")
    before = {n: v.clone() for n, v in backbone.module.state_dict().items()}
    loss = model(ModelContract.images()).logits.square().mean()
    loss.backward()
    torch.optim.AdamW(model.parameter_groups(), 1e-2).step()
    ema_update(teacher, model, 0.9)
    assert all(torch.equal(before[n], v) and v.grad is None for n, v in backbone.module.state_dict().items())
    assert teacher.get_submodule("backbone").module is backbone.module
    assert {name.partition(".")[0] for name, _ in model.named_parameters()} == {"adapters", "head"}
    assert frozen_parameters(model) == sum(value.numel() for value in before.values()) > 200_000
    checkpoint.save(tmp_path / "c", {"last": model.state_dict()}, Part(name="vit", **options), toy.SPACE)
    stored = sum(value.nbytes for value in model.state_dict().values())
    assert stored < (tmp_path / "c/model.safetensors").stat().st_size < stored + 8000 < 4 * 200_000
    with safe_open(tmp_path / "c/model.safetensors", "pt") as content:
        assert [name for name in content.keys() if name.startswith("backbone")] == ["backbone.digest"]  # noqa: SIM118
    loaded, images = checkpoint.load(tmp_path / "c", toy.SPACE), ModelContract.images()
    with torch.no_grad():
        assert torch.equal(loaded(images).logits, model.eval()(images).logits)


def test_a_copy_on_another_device_leaves_the_frozen_weights_where_they_are(tmp_path: Path) -> None:
    """Labelling on several GPUs copies the network to each of them."""
    model = adapted(weights=str(saved(tmp_path)))
    elsewhere = copy.deepcopy(model).to("meta")
    assert {value.device.type for value in elsewhere.get_submodule("backbone").module.parameters()} == {"meta"}
    assert {value.device.type for value in model.get_submodule("backbone").module.parameters()} == {"cpu"}
    assert model.get_submodule("backbone").digest.device.type == "cpu"
    model(ModelContract.images())


def test_other_frozen_weights_are_refused(tmp_path: Path) -> None:
    """Another file in the place of the one that a checkpoint was trained on, one that lacks a tensor, none."""
    path = saved(tmp_path)
    part, model = Part(name="vit", weights=str(path), **OPTIONS), adapted(weights=str(path))
    checkpoint.save(tmp_path / "c", {"last": model.state_dict()}, part, toy.SPACE)
    content = torch.load(path)
    torch.save({**content, "norm.bias": content["norm.bias"] + 1}, path)
    with pytest.raises(UserError, match="frozen weights"):
        checkpoint.load(tmp_path / "c", toy.SPACE)
    torch.save({name: value for name, value in content.items() if name != "mask_token"}, path)
    with pytest.raises(UserError, match="mask_token is missing"):
        checkpoint.load(tmp_path / "c", toy.SPACE)
    path.unlink()
    with pytest.raises(UserError, match="cannot read weights"):
        checkpoint.load(tmp_path / "c", toy.SPACE)


def test_a_chain_scores_the_same_after_a_reload(tiny_world: Path, tmp_path: Path) -> None:
    """With a teacher, from a file of weights: what the stage says of its checkpoint is what a new network says."""
    model = f"{{name: vit, variant: tiny, channels: 16, rank: 4, weights: {saved(tmp_path)}}}"
    config = small("ema_mix", tiny_world, f"profile.model={model}")
    results = InProcess(tmp_path / "chain").run(config)
    network = checkpoint.load(results["self_train 1"].path / "checkpoint", config.space)
    split, data = config.report_split, ScenarioData(config, data_root(config))
    scored = data.dataset(split), data.samples(split, True), config.space, split, config.protocol(split)
    published = json.loads((results["evaluate 1"].path / "evaluation/evaluation.json").read_text())
    assert evaluate(network, *scored).miou == published["miou"]
    trained = [checkpoint.read_state(results[name].path / "checkpoint", config.space)[1]
               for name in ("warmup", "self_train 1")]  # fmt: skip
    assert torch.equal(*(state["backbone.digest"] for state in trained))
    assert not torch.equal(*(state["adapters.0.up.weight"] for state in trained))
