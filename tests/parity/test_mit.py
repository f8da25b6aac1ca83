"""Every array of the golden files on the Mix Transformer, its heads and its schedule; names of parameters."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import Arrays, close, every_array
from udamlf.config.budget import Schedule
from udamlf.models.fusion_head import DILATIONS, FusionHead
from udamlf.models.mit import VARIANTS, Block, MixTransformer, PatchEmbedding, drop_path
from udamlf.models.weight_files import load_into
from udamlf.training import optimisers
from udamlf.training.optimisers import lr_factor

every = partial(every_array, method="mic")
# SegFormer's own names of what DAFormer's head calls otherwise.
SEGFORMER = {"linear_c.": "embed_layers.", "linear_fuse.": "fuse_layer.", "linear_pred.": "conv_seg."}


def load(module: nn.Module, arrays: Arrays, prefix: str) -> None:
    names = [name for name in arrays if name.startswith(f"{prefix}.") and not name.endswith("_after")]
    state = {name.removeprefix(f"{prefix}."): arrays.tensor(name) for name in names}
    load_into(
        module, {name: value.float() if value.is_floating_point() else value for name, value in state.items()}, ""
    )
    module.eval()


@torch.no_grad()
def test_blocks(golden: Golden) -> None:
    """07: patch embedding, attention with and without reduction, whole blocks."""
    with every(golden, "07_mit_blocks") as (a, h):
        embed = PatchEmbedding(3, h["dim"], 7, 4)
        load(embed, a, "embed")
        tokens, hw = embed(a.tensor("image").float())
        assert list(hw) == a["embed_hw"].tolist() and embed.norm.eps == h["embed_ln_eps"]
        close(tokens, a["embed_tokens"], atol=1e-4)
        for reduction, heads in h["blocks"]:
            name, block = f"sr{reduction}h{heads}", Block(h["dim"], heads, reduction)
            load(block, a, name)
            assert block.norm1.eps == h["block_ln_eps"]
            expected = a.tensor("embed_tokens")
            close(block.attn(block.norm1(expected), hw), a[f"attn_{name}"], atol=1e-4)
            close(block(expected, hw), a[f"out_{name}"], atol=1e-4)


@torch.no_grad()
def test_encoder(golden: Golden) -> None:
    """08: four stages of a small encoder, of a size that 32 divides and of one that it does not."""
    with every(golden, "08_mit_tiny") as (a, h):
        kind = h["embed_dims"], h["depths"], h["num_heads"], h["sr_ratios"]
        encoder = MixTransformer(*kind, drop=h["drop_path_rate"])
        load(encoder, a, "w")
        close(np.array(encoder.drop_rates), a["drop_path_rates"], atol=1e-7)
        for number in range(sum(name.startswith("image_") for name in a)):
            for stage, values in enumerate(encoder(a.tensor(f"image_{number}").float()), start=1):
                close(values, a[f"stage{stage}_{number}"], atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", ["daformer", "attention", "segformer"])
def test_head(golden: Golden, name: str) -> None:
    """09: outputs in evaluation, in training without dropout, and the statistics after it."""
    a, h = Arrays(golden.arrays("mic", "09_heads")), golden.hparams("mic", "09_heads")
    a.update({n: v for n, v in ((_ours(n), v) for n, v in a.items()) if n})
    width = h["segformer_embed_dim"] if name == "segformer" else h["channels"]
    head = FusionHead(h["in_channels"], width, h["num_classes"], context=name == "daformer")
    load(head, a, name if name != "segformer" else "ours")
    assert [1, *DILATIONS] == h["dilations"]
    stages = [a.tensor(f"feature_{stage}").float() for stage in range(4)]
    close(head(stages), a[f"eval_{name}"], atol=1e-3)
    head.train().dropout.eval()
    close(head(stages), a[f"train_{name}"], atol=2e-3)
    state = head.state_dict()
    for key in (k for k in a if k.startswith(f"{name}.") and k.endswith("_after")):
        ours = (_ours(key) or key).partition(".")[2].removesuffix("_after")
        close(state[ours], a[key], atol=2e-3)
    norms = [module for module in head.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all((norm.eps, norm.momentum) == (h["bn_eps"], h["bn_momentum"]) for norm in norms)


def _ours(name: str) -> str:
    """DAFormer's name of a tensor of SegFormer's head, under "ours"; "" for others, and for an unused layer."""
    key = name.removeprefix("segformer.")
    theirs = next((prefix for prefix in SEGFORMER if key.startswith(prefix)), "")
    return f"ours.{SEGFORMER[theirs]}{key.removeprefix(theirs)}" if theirs and key != name else ""


def test_names_and_numbers_of_parameters(golden: Golden) -> None:
    """The encoders B0 to B5 have as many as published, B0 and B5 under the published names and shapes."""
    keys = golden.json("mic", "mit_keys")
    for name in ("b0", "b1", "b2", "b3", "b4", "b5"):
        with torch.device("meta"):
            encoder = MixTransformer(*VARIANTS[name])
        assert sum(p.numel() for p in encoder.parameters()) == keys["parameter_counts"][f"mit_{name}"]
        if name in ("b0", "b5"):
            assert {n: list(t.shape) for n, t in encoder.state_dict().items()} == dict(keys[f"mit_{name}"])


def test_head_names(golden: Golden) -> None:
    """DAFormer's head of B5 at 19 classes has the published names and shapes."""
    with torch.device("meta"):
        head = FusionHead(VARIANTS["b5"][0], 256, 19, context=True)
    expected = dict(golden.json("mic", "head_keys")["daformer"])
    assert {name: list(tensor.shape) for name, tensor in head.state_dict().items()} == expected


def test_schedule_and_drop_path(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """11: the rate of both groups at some steps; what is left of branches at recorded draws."""
    with every(golden, "11_schedule_droppath") as (a, h):
        schedule = Schedule(kind="poly", power=h["power"], warmup_steps=h["warmup_iters"])
        monkeypatch.setattr(optimisers, "WARMUP_FROM", h["warmup_ratio"])
        assert h["min_lr"] == 0
        for step, rates in zip(a["lr_iters"].tolist(), a["lr"], strict=True):
            for scale, rate in zip((1.0, h["head_lr_mult"]), rates, strict=True):
                close(h["base_lr"] * lr_factor(schedule, step, h["max_iters"], scale), rate, rtol=1e-6)
        for number, share in enumerate(h["drop_path_rates"]):
            branch: Tensor = a.tensor(f"dp_input_{number}").float()
            left = drop_path(branch, share, a.tensor(f"dp_draws_{number}"))
            close(left, a[f"dp_output_{number}"].astype(np.float32), rtol=1e-6)


# Ours -> the names of the parts of a block in transformers 5.
OF_TRANSFORMERS = {
    "norm1": "layernorm_before",
    "norm2": "layernorm_after",
    "attn.q": "attention.q_proj",
    "attn.proj": "attention.o_proj",
    "attn.sr": "attention.sequence_reduction.sequence_reduction",
    "attn.norm": "attention.sequence_reduction.layer_norm",
}


def _theirs(name: str) -> list[str]:
    """Transformers' names of a tensor; two where it keeps keys and values apart."""
    module, _, kind = name.rpartition(".")
    first, _, rest = module.partition(".")
    stage = f"stages.{int(first[-1]) - 1}"
    if first.startswith("patch"):
        return [f"{stage}.patch_embeddings.{'proj' if rest == 'proj' else 'layer_norm'}.{kind}"]
    if first.startswith("norm"):
        return [f"{stage}.layer_norm.{kind}"]
    block, _, part = rest.partition(".")
    parts = ["attention.k_proj", "attention.v_proj"] if part == "attn.kv" else [OF_TRANSFORMERS.get(part, part)]
    return [f"{stage}.blocks.{block}.{theirs}.{kind}" for theirs in parts]


@torch.no_grad()
def test_encoder_equals_that_of_transformers() -> None:
    """The same random weights give the same four stages as an implementation of others (whose norms have one eps)."""
    transformers = pytest.importorskip(
        "transformers", minversion="5", reason="no transformers 5: pip install -e .[parity]"
    )
    channels, depths, *_ = VARIANTS["b0"]
    config = transformers.SegformerConfig(hidden_sizes=list(channels), depths=list(depths), drop_path_rate=0.0)
    model = transformers.SegformerModel(config).eval()
    values, encoder = model.state_dict(), MixTransformer(channels, depths).eval()
    state = {name: torch.cat([values[theirs] for theirs in _theirs(name)]) for name in encoder.state_dict()}
    load_into(encoder, state, "transformers")
    images = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    expected = model(images, output_hidden_states=True).hidden_states
    for ours, theirs in zip(encoder(images), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)
