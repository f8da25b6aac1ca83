"""Networks and discriminators give the numbers, tensor names and parameter groups of the published code."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.conftest import Golden
from tests.parity.fills import Fill, analytic, empty, numbered, seeded_fill
from udamlf.models import released
from udamlf.models.base import SegmentationModel, build, freeze_batchnorm
from udamlf.models.deeplabv2 import DILATIONS
from udamlf.models.discriminator import discriminator
from udamlf.models.resnet38 import BLOCKS, EPSILON, HEAD_DILATION
from udamlf.models.weight_files import load_into


def filled(tensors: Iterable[tuple[str, list[int]]], fill: Fill, num_classes: int, heads: tuple[str, ...]) -> dict:
    """State dict under the published names; tensors of ``heads`` get ``num_classes`` output channels."""
    return {
        name: fill(position, name, (num_classes, *shape[1:]) if name.startswith(heads) else tuple(shape))
        for position, (name, shape) in enumerate(tensors)
    }


def our_names(published: Iterable[tuple[str, list[int]]]) -> dict[str, str]:
    """Published tensor name -> ours, for the tensors we keep."""
    state = empty(published)
    ours = {id(tensor): name for name, tensor in released.rename(state).state.items()}
    return {name.removeprefix("module."): ours[id(t)] for name, t in state.items() if id(t) in ours}


def on_meta(name: str, num_classes: int, **options: Any) -> SegmentationModel:
    """A network without memory: for names, shapes and groups."""
    with torch.device("meta"):
        return build(name, num_classes, **options)


def close(actual: Tensor, expected: np.ndarray, relative_to_max: float) -> None:
    """Every element within ``relative_to_max`` of the largest expected magnitude."""
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.numpy(), expected, rtol=0, atol=relative_to_max * np.abs(expected).max())


def group_names(model: SegmentationModel) -> dict[str, tuple[float, int]]:
    """Parameter name -> (relative learning rate, visits); a parameter that is not trained is absent."""
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: (group["lr_scale"], group["visits"])
        for group in model.parameter_groups()
        for p in group["params"]
    }


def frozen_affine(model: SegmentationModel) -> list[str]:
    """Names of the parameters that freezing BatchNorm's affine part takes out of the training."""
    freeze_batchnorm(model, affine=True, statistics=False)
    return [name for name, p in model.named_parameters() if not p.requires_grad]


# ---------------------------------------------------------------------------------------------- IAST


def test_iast_forward_matches_in_both_modes(golden: Golden) -> None:
    """Features of every stage, logits, upsampling, and one training-mode forward with its running statistics."""
    arrays, hparams = golden.arrays("iast", "deeplabv2_forward"), golden.hparams("iast", "deeplabv2_forward")
    keys = golden.json("iast", "state_dict_keys")
    assert list(DILATIONS) == hparams["aspp_dilations"]
    fill = seeded_fill(int(arrays["fill_seed"]), "", hparams["aspp_fill_std"])
    state = filled(keys["keys"].items(), fill, hparams["num_classes"], ("decoder.",))
    model = released.rename(state).build().eval()
    backbone = model.backbone
    seen: list[Tensor] = []
    hooks = [backbone.pool.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))]
    for layer in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
        hooks.append(layer.register_forward_hook(lambda _, __, output: seen.append(output)))
    image = torch.from_numpy(arrays["image"])
    with torch.no_grad():
        logits = model(image).logits
    for hook in hooks:
        hook.remove()
    np.testing.assert_array_equal([f.shape for f in seen], arrays["feature_shapes"])
    stats = [[f.double().mean(), f.double().std(), f.double().abs().max()] for f in seen]
    np.testing.assert_allclose(stats, arrays["feature_stats"], rtol=1e-3)
    close(logits, arrays["logits_low_eval"], 1e-3)
    assert model.align_corners == hparams["align_corners"]
    step = hparams["logits_full_subsample"]
    full = model.upsample(logits, tuple(image.shape[-2:]))
    close(full[:, :, ::step, ::step], arrays["logits_full_eval_sub"], 1e-3)
    with torch.no_grad():
        close(model.train()(image).logits, arrays["logits_low_train"], 1e-3)
    for name, norm in (("bn1", backbone.bn1), ("l4_bn3", backbone.layer4[-1].bn3)):
        assert (norm.eps, norm.momentum) == (hparams["bn_eps"], hparams["bn_momentum"])
        for statistic in ("running_mean", "running_var"):
            expected = arrays[f"{name}_{statistic}_after"]
            np.testing.assert_allclose(getattr(norm, statistic).numpy(), expected, rtol=1e-3, atol=1e-5)


def test_iast_names_frozen_tensors_groups_and_geometry(golden: Golden) -> None:
    """The checkpoint's keys load strictly; frozen tensors, rates, counts and every convolution's geometry agree."""
    facts, keys = golden.json("iast", "freeze_and_groups"), golden.json("iast", "state_dict_keys")
    hparams = golden.hparams("iast", "freeze_and_groups")
    prefix = keys["checkpoint_prefix"]
    names = our_names([(prefix + name, shape) for name, shape in keys["keys"].items()])
    model = on_meta("deeplabv2", hparams["num_classes"])
    assert set(names.values()) == set(model.state_dict())
    unused = sum(math.prod(shape) for name, shape in keys["keys"].items() if name not in names)
    parameters = dict(model.named_parameters())
    assert sum(p.numel() for p in parameters.values()) + unused == facts["counts"]["all"]
    frozen = frozen_affine(model)
    assert len(frozen) == hparams["num_frozen_tensors"]
    assert set(frozen) == {names[name] for name in facts["freezebn_requires_grad_false"]}
    assert {name for name, p in parameters.items() if not p.requires_grad} == set(frozen)
    assert sum(p.numel() for p in parameters.values() if p.requires_grad) + unused == facts["counts"]["trainable"]
    rates = facts["param_groups_lr_mult"]
    for name, (scale, _) in group_names(model).items():
        published = rates["backbone."] if name.startswith("backbone.") else rates["decoder."]
        assert scale == pytest.approx(published / rates["backbone."])
    convs = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)}
    geometry = {
        name: [list(m.kernel_size), list(m.stride), list(m.padding), list(m.dilation)] for name, m in convs.items()
    }
    published_geometry = {
        names[f"{name}.weight"].removesuffix(".weight"): value for name, value in facts["conv_geometry"].items()
    }
    assert geometry == published_geometry


@pytest.mark.parametrize(("method", "prefix"), [("iast", "discriminators.Origin-Predictor."), ("hiast", "D.")])
def test_the_discriminator_in_a_warmup_checkpoint_is_ours_and_no_part_of_the_network(
    golden: Golden, method: str, prefix: str
) -> None:
    """Its names and shapes are those of our discriminator; an import ignores it."""
    keys = golden.json(method, "state_dict_keys")
    theirs = keys["discriminator_keys_in_warmup_checkpoint"]
    hparams = golden.hparams(method, "state_dict_keys")
    critic = discriminator(
        hparams["num_classes"], "iast" if method == "iast" else "advent", hparams["discriminator_ndf"]
    )
    assert {f"{prefix}{name}": list(t.shape) for name, t in critic.state_dict().items()} == theirs
    wrapper = keys.get("checkpoint_prefix", "")
    both = empty((wrapper + name, shape) for name, shape in (keys["keys"] | theirs).items())
    checkpoint = released.rename(both)
    assert checkpoint.project == method and set(theirs) < set(checkpoint.ignored)


@pytest.mark.parametrize("method", ["iast", "hiast"])
def test_discriminator_outputs(golden: Golden, method: str) -> None:
    """Scores of IAST's (3x3 first) and HIAST's discriminators, with and without the self-information input."""
    arrays, hparams = golden.arrays(method, "adversarial_warmup"), golden.hparams(method, "adversarial_warmup")
    weights = {name.removeprefix("D."): torch.from_numpy(a) for name, a in arrays.items() if name.startswith("D.")}
    critic = discriminator(hparams["num_classes"], "iast" if method == "iast" else "advent", hparams["ndf"])
    load_into(critic, numbered(weights), method)
    size = tuple(int(v) for v in arrays["image_hw"])
    outputs = {name: a for name, a in arrays.items() if "D_out" in name}
    assert outputs
    for name, expected in outputs.items():
        logits = torch.from_numpy(arrays["source_logits_low" if "source" in name else "target_logits_low"])
        maps = F.interpolate(logits, size, mode="bilinear", align_corners=hparams["align_corners"]).softmax(1)
        if hparams.get(f"{name.partition('.')[0]}_entropy_input", False):
            maps = -maps * torch.log2(maps + hparams["log_eps"]) / math.log2(hparams["num_classes"])
        with torch.no_grad():
            close(critic(maps), expected, 1e-4)


# --------------------------------------------------------------------------------------------- HIAST


def test_hiast_forward(golden: Golden) -> None:
    """Logits and the 2048-channel feature, in evaluation mode."""
    arrays, hparams = golden.arrays("hiast", "deeplabv2_forward"), golden.hparams("hiast", "deeplabv2_forward")
    keys = golden.json("hiast", "state_dict_keys")
    prefix = keys["student_and_teacher_checkpoint_prefix"]
    fill = seeded_fill(int(arrays["fill_seed"]), prefix, hparams["aspp_fill_std"])
    state = filled(keys["keys"].items(), fill, hparams["num_classes"], (f"{prefix}aspp.",))
    model = released.rename(state).build().eval()
    with torch.no_grad():
        output = model(torch.from_numpy(arrays["image"]))
    close(output.logits, arrays["logits_low_eval"], 1e-3)
    assert output.features is not None
    np.testing.assert_array_equal(output.features.shape, arrays["feature_shape"])
    features = output.features.double()
    np.testing.assert_allclose([features.mean(), features.std()], arrays["feature_mean_std"], rtol=1e-3)


def test_hiast_names_frozen_tensors_and_groups(golden: Golden) -> None:
    """The checkpoint's keys load strictly; frozen tensors, rates and the parameter count agree."""
    keys, hparams = golden.json("hiast", "state_dict_keys"), golden.hparams("hiast", "state_dict_keys")
    names = our_names(keys["keys"].items())
    model = on_meta("deeplabv2", hparams["num_classes"])
    assert set(names.values()) == set(model.state_dict())
    unused = sum(math.prod(shape) for name, shape in keys["keys"].items() if name not in names)
    assert sum(p.numel() for p in model.parameters()) + unused == keys["n_params"]
    rates = keys["lr_multiplier_by_prefix"]
    prefix = keys["student_and_teacher_checkpoint_prefix"]
    for name, (scale, _) in group_names(model).items():
        part = "backbone." if name.startswith("backbone.") else "aspp."
        assert scale == pytest.approx(rates[prefix + part] / rates[prefix + "backbone."])
    frozen = golden.json("hiast", "freeze_bn_no_grad")
    assert len(frozen) == golden.hparams("hiast", "freeze_bn_no_grad")["num_frozen_tensors"]
    assert set(frozen_affine(model)) == {names[prefix + name] for name in frozen}


# ------------------------------------------------------------------------------------ ADVENT, IntraDA


def test_intrada_forward(golden: Golden) -> None:
    """Main and auxiliary logits of the multi-level network; sizes show the ceil-mode pooling."""
    arrays, hparams = golden.arrays("intrada", "deeplabv2_forward"), golden.hparams("intrada", "deeplabv2_forward")
    tensors = golden.json("intrada", "state_dict_deeplabv2_resnet101_multilevel")["tensors"]
    published = [(name, shape) for name, shape, _ in tensors]
    state = filled(published, analytic(float(arrays["gain"])), hparams["num_classes"], ("layer5.", "layer6."))
    checkpoint = released.rename(state)
    assert checkpoint.backbone.params["multi_level"] == hparams["multi_level"]
    with torch.no_grad():
        output = checkpoint.build().eval()(torch.from_numpy(arrays["input"]))
    assert output.aux is not None
    np.testing.assert_allclose(output.aux.numpy(), arrays["aux_logits"], rtol=0, atol=2e-3)
    np.testing.assert_allclose(output.logits.numpy(), arrays["main_logits"], rtol=0, atol=5e-4)


@pytest.mark.parametrize("level", ["multilevel", "singlelevel"])
def test_intrada_names_counts_and_visits(golden: Golden, level: str) -> None:
    """Names, shapes and dtypes one to one; trained parameters and how often the published optimiser stepped them."""
    stem = f"state_dict_deeplabv2_resnet101_{level}"
    facts, hparams = golden.json("intrada", stem), golden.hparams("intrada", stem)
    names = our_names([(name, shape) for name, shape, _ in facts["tensors"]])
    options = {"variant": "advent", "multi_level": hparams["multi_level"]}
    model = on_meta("deeplabv2", hparams["num_classes"], **options)
    published = {names[name]: (shape, dtype) for name, shape, dtype in facts["tensors"]}
    ours = {name: (list(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in model.state_dict().items()}
    assert ours == published
    assert sum(p.numel() for p in model.parameters()) == facts["n_parameters"]
    visits = {
        names[name.removeprefix("10x:")]: (10.0 if name.startswith("10x:") else 1.0, count)
        for name, count in facts["optimizer_visits_per_step"].items()
    }
    assert group_names(model) == visits


def test_advent_discriminator(golden: Golden) -> None:
    """Names, shapes, counts, and the scores of the self-information map under analytic weights."""
    facts = golden.json("intrada", "state_dict_fc_discriminator")
    listed = golden.hparams("intrada", "state_dict_fc_discriminator")
    published = discriminator(listed["num_classes"], "advent", listed["ndf"])
    zeros = {name: torch.zeros(shape) for name, shape, _ in facts["tensors"]}
    load_into(published, numbered(zeros), "advent")
    assert sum(p.numel() for p in published.parameters()) == facts["n_parameters"]

    arrays, hparams = golden.arrays("intrada", "adversarial"), golden.hparams("intrada", "adversarial")
    fill = analytic(float(arrays["gain"]))
    critic = discriminator(hparams["num_classes"], "advent", hparams["ndf"])
    ours = zip(facts["tensors"], critic.state_dict().values(), strict=True)  # in the same order
    state = {name: fill(i, name, tuple(tensor.shape)) for i, ((name, _, _), tensor) in enumerate(ours)}
    load_into(critic, numbered(state), "advent")
    probabilities = torch.from_numpy(arrays["disc_logits_in"]).softmax(1)
    base = math.log(hparams["num_classes"]) / math.log(hparams["log_base"])
    information = -probabilities * torch.log2(probabilities + hparams["log_eps"]) / base
    with torch.no_grad():
        close(critic(information), arrays["disc_out"], 1e-4)


# ---------------------------------------------------------------------------------------------- CBST


def test_resnet38_tensors(golden: Golden) -> None:
    """Names, order, shapes, parameter count and the block table."""
    facts, hparams = golden.json("cbst", "resnet38_tensors"), golden.hparams("cbst", "resnet38_tensors")
    model = on_meta("resnet38", hparams["num_classes"])
    ours = model.state_dict()
    upstream = model.upstream_names()
    assert [[name, list(ours[mine].shape)] for mine, name in upstream.items()] == facts["tensors"]
    assert set(upstream) == {name for name in ours if not name.endswith("num_batches_tracked")}
    assert sum(p.numel() for p in model.parameters()) == facts["n_parameters"]
    assert (hparams["bn_eps"], hparams["head_dilation"]) == (EPSILON, HEAD_DILATION)
    assert (hparams["dropout_level6"], hparams["dropout_level7"]) == (BLOCKS["6a"].dropout, BLOCKS["7a"].dropout)
    assert list(BLOCKS) == [block["name"] for block in facts["blocks"]]
    for block in facts["blocks"]:
        module = model.blocks[block["name"]]
        assert [conv.out_channels for conv in module.convs] == block["filters"]
        assert [conv.kernel_size[0] for conv in module.convs] == block["kernels"]
        assert module.convs[0].in_channels == block["in_channels"]
        assert module.convs[0].stride[0] == block["stride"]
        assert (module.shortcut is None) == block["identity_shortcut"]
        for index, conv in enumerate(module.convs):
            if conv.kernel_size[0] > 1:
                assert conv.dilation[0] == block["dilation_rest" if index else "dilation_first"]


def test_resnet38_forward(golden: Golden) -> None:
    """Logits under analytic weights; training mode without dropout is the same, as statistics are always stored."""
    arrays, hparams = golden.arrays("cbst", "resnet38_forward"), golden.hparams("cbst", "resnet38_forward")
    fill = analytic(float(arrays["gain"]))
    tensors = golden.json("cbst", "resnet38_tensors")["tensors"]
    stem = f"linear{hparams['num_classes']}_"
    state = {
        f"{'aux' if 'moving' in name else 'arg'}:{re.sub('linear[0-9]+_', stem, name)}": fill(
            position, name, (hparams["num_classes"], *shape[1:]) if name.startswith("linear") else tuple(shape)
        )
        for position, (name, shape) in enumerate(tensors)
    }
    checkpoint = released.rename(state)
    assert (checkpoint.project, checkpoint.backbone.params, checkpoint.missing) == ("cbst", {"width": 64}, [])
    model = checkpoint.build()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        logits = model.train()(torch.from_numpy(arrays["input"])).logits
    np.testing.assert_allclose(logits.numpy(), arrays["logits"], rtol=0, atol=2e-4)


# --------------------------------------------------------------------------------------------- ProDA


def test_proda_checkpoint_keys(golden: Golden) -> None:
    """Names, shapes and dtypes of both variants, the discriminator, and the repeated optimiser entries."""
    facts, hparams = golden.json("proda", "checkpoint_keys"), golden.hparams("proda", "checkpoint_keys")
    for variant, bn_clr in (("warmup_and_stage1", False), ("stage2_and_stage3_bn_clr", True)):
        tensors = facts["variants"][variant]
        assert len(tensors) == facts["n_entries"]["bn_clr" if bn_clr else "base"]
        names = our_names([(name, shape) for name, shape, _ in tensors])
        model = on_meta("proda_deeplab", hparams["num_classes"], bn_clr=bn_clr)
        ours = {name: (list(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in model.state_dict().items()}
        assert ours == {names[name]: (shape, dtype) for name, shape, dtype in tensors}
        if not bn_clr:
            groups = group_names(model)
            backbone = {names[name]: count for name, count in facts["backbone_group_occurrences"].items() if count}
            assert {name: count for name, (scale, count) in groups.items() if scale == 1.0} == backbone
    assert len(facts["extra_keys_with_bn_clr"]) == facts["n_entries"]["bn_clr"] - facts["n_entries"]["base"]
    weight = facts["discriminator"][0][1]
    critic = discriminator(hparams["num_classes"], "proda", weight[0]).state_dict()
    assert [[name, list(t.shape), "float32"] for name, t in critic.items()] == facts["discriminator"]
