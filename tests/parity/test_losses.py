"""The losses equal the released ones, values and gradients, on the golden vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.conftest import Golden
from udamlf.config.labels import IGNORE
from udamlf.losses import cross_entropy, entropy, kl_to_uniform, self_information, soft_cross_entropy
from udamlf.methods.adversarial import (
    SOURCE,
    TARGET,
    discriminator_loss,
    domain_loss,
    generator_loss,
    min_entropy,
)
from udamlf.methods.crst import lrent, mrkld
from udamlf.methods.hiast import consistency, region_terms
from udamlf.models.discriminator import discriminator as build_discriminator

Arrays = dict[str, np.ndarray]


def as_labels(array: np.ndarray, hparams: dict[str, Any]) -> Tensor:
    return torch.from_numpy(np.where(array == hparams["ignore_label"], IGNORE, array).astype(np.int64))


def leaf(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).requires_grad_()


def upsample(logits: Tensor, arrays: Arrays, hparams: dict[str, Any]) -> Tensor:
    assert arrays["image_hw"].tolist() == hparams["image_size_hw"]
    size = tuple(arrays["image_hw"].tolist())
    return F.interpolate(logits, size, mode="bilinear", align_corners=hparams["align_corners"])


def close(found: Tensor | float, expected: np.ndarray, rel: float = 2e-6) -> None:
    assert float(torch.as_tensor(found).detach()) == pytest.approx(float(expected), rel=rel)


def same_gradient(found: Tensor | None, expected: np.ndarray, atol: float = 1e-6) -> None:
    assert found is not None
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=atol)


def relative_to_max(found: Tensor, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=0, atol=tolerance * np.abs(expected).max())


def test_iast_region_losses(golden: Golden) -> None:
    arrays, hp = golden.arrays("iast", "selftrain_losses"), golden.hparams("iast", "selftrain_losses")
    labels = as_labels(arrays["target_label"], hp)
    low = leaf(arrays["target_logits_low"])
    logits = upsample(low, arrays, hp)
    assert logits.shape[1] == hp["num_classes"]
    valid = labels != IGNORE
    weighted = [
        hp["lambda_ce"] * cross_entropy(logits, labels),
        float(arrays["lambda_ent"]) * entropy(logits, ~valid, per_class_mean=True),
        float(arrays["lambda_kld"]) * kl_to_uniform(logits, valid, per_class_mean=True),
    ]
    assert (hp["lambda_ent"], hp["lambda_kld"]) == (float(arrays["lambda_ent"]), float(arrays["lambda_kld"]))
    for found, name in zip(weighted, ["ce", "ent_weighted", "kld_weighted"], strict=True):
        close(found, arrays[name])
    total = torch.stack(weighted).sum()
    close(total, arrays["total"])
    total.backward()
    same_gradient(low.grad, arrays["grad_target_logits_low"])
    assert int(valid.sum()) == arrays["n_valid"]
    assert int((~valid).sum()) == arrays["n_ignored"]


def test_hiast_region_losses(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "selftrain_losses"), golden.hparams("hiast", "selftrain_losses")
    labels = as_labels(arrays["target_label"], hp)
    assert int((labels != IGNORE).sum()) == arrays["n_valid"]
    assert int((labels == IGNORE).sum()) == arrays["n_ignored"]
    for name in ("w_ent", "w_kld", "w_cst"):
        assert hp[name] == float(arrays[name])
    targets = upsample(torch.from_numpy(arrays["teacher_logits_low"]), arrays, hp).softmax(1)
    ignored = labels == IGNORE
    masks = {"ignored": ignored, "confident": ~ignored, "all": torch.ones_like(ignored)}
    for region in hp["regions"]:
        low = leaf(arrays["student_logits_low"])
        logits = upsample(low, arrays, hp)
        terms = region_terms(logits, labels, targets)
        # The published method is consistent on the ignored region; the release has the others as options.
        elsewhere = consistency(logits.log_softmax(1), targets, masks[region])
        weighted = {
            "target_seg_loss": hp["w_ce"] * cross_entropy(logits, labels),
            "kld_confident_loss": hp["w_kld"] * terms["target_kl"],
            "ent_ignored_loss": hp["w_ent"] * terms["target_entropy"],
            "cst_loss": hp["w_cst"] * (terms["target_consistency"] if region == "ignored" else elsewhere),
        }
        for name, value in weighted.items():
            close(value, arrays[f"{name}_{region}"])
        total = torch.stack(list(weighted.values())).sum()
        close(total, arrays[f"total_{region}"])
        total.backward()
        same_gradient(low.grad, arrays[f"grad_student_logits_low_{region}"])


def test_hiast_consistency_of_a_teacher_that_underflows(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "selftrain_losses"), golden.hparams("hiast", "selftrain_losses")
    scale = float(arrays["saturated_teacher_scale"])
    assert scale == hp["saturated_teacher_scale"]
    ignored = as_labels(arrays["target_label"], hp) == IGNORE
    logits = upsample(torch.from_numpy(arrays["student_logits_low"]), arrays, hp)
    targets = (scale * upsample(torch.from_numpy(arrays["teacher_logits_low"]), arrays, hp)).softmax(1)
    found = consistency(logits.log_softmax(1), targets, ignored)
    close(found, arrays["cst_unweighted_saturated_ignored"], rel=1e-3)
    # The divisor is the number of pairs that are not 0, to within the underflow of another exp.
    pairs = float(soft_cross_entropy(logits, targets, ignored) * ignored.sum() / found)
    assert pairs == pytest.approx(float(arrays["cst_saturated_nonzero_count"]), rel=1e-3)


def stored_discriminator(arrays: Arrays, hp: dict[str, Any]) -> nn.Module:
    variant = {3: "iast", 4: "advent"}[hp["first_conv_kernel"]]
    network = build_discriminator(hp["num_classes"], variant, int(arrays["ndf"]))
    assert int(arrays["ndf"]) == hp["ndf"]
    network.load_state_dict({k[2:]: torch.from_numpy(v) for k, v in arrays.items() if k.startswith("D.")})
    assert [hp["source_domain_label"], hp["target_domain_label"]] == [SOURCE, TARGET]
    return network


def scaled(loss: Tensor, hp: dict[str, Any]) -> Tensor:
    """``discriminator_loss`` takes half of the sum; the vectors name their factor."""
    return loss * (hp["discriminator_loss_factor"] / 0.5)


def test_iast_adversarial_warmup(golden: Golden) -> None:
    arrays, hp = golden.arrays("iast", "adversarial_warmup"), golden.hparams("iast", "adversarial_warmup")
    network = stored_discriminator(arrays, hp)
    source, target = leaf(arrays["source_logits_low"]), leaf(arrays["target_logits_low"])
    source_logits, target_logits = (upsample(low, arrays, hp) for low in (source, target))
    source_ce = cross_entropy(source_logits, as_labels(arrays["source_label"], hp))
    close(source_ce, arrays["source_ce"])
    assert hp["adv_weight"] == float(arrays["adv_weight"])
    target_scores = network(target_logits.softmax(1))
    relative_to_max(target_scores, arrays["D_out_target"])
    generator = hp["source_weight"] * source_ce
    generator = generator + hp["adv_weight"] * generator_loss(target_scores, hp["discriminator_loss"])
    close(generator, arrays["generator_loss"], rel=1e-5)
    generator.backward()
    same_gradient(source.grad, arrays["grad_source_logits_low"])
    same_gradient(target.grad, arrays["grad_target_logits_low"])

    network.zero_grad()
    scores = [network(logits.detach().softmax(1)) for logits in (source_logits, target_logits)]
    relative_to_max(scores[0], arrays["D_out_source"])
    loss = scaled(discriminator_loss(*scores, hp["discriminator_loss"]), hp)
    close(loss, arrays["discriminator_loss"], rel=1e-5)
    loss.backward()
    gradients = {f"grad_D.{name}": p.grad for name, p in network.named_parameters()}
    assert set(gradients) == {name for name in arrays if name.startswith("grad_D.")}
    for name, gradient in gradients.items():
        relative_to_max(gradient, arrays[name])


def test_hiast_adversarial_warmup_in_every_variant(golden: Golden) -> None:
    arrays, hp = golden.arrays("hiast", "adversarial_warmup"), golden.hparams("hiast", "adversarial_warmup")
    variants = sorted({name.split(".")[0] for name in arrays if name.endswith(".D_loss")})
    assert variants
    for variant in variants:
        network = stored_discriminator(arrays, hp)
        option = {key: hp[f"{variant}_{key}"] for key in ("adv_weight", "ent_weight", "entropy_input", "loss")}
        source, target = leaf(arrays["source_logits_low"]), leaf(arrays["target_logits_low"])
        source_p, target_p = (upsample(low, arrays, hp) for low in (source, target))
        segmentation = hp["source_weight"] * cross_entropy(source_p, as_labels(arrays["source_label"], hp))
        source_p, target_p = source_p.softmax(1), target_p.softmax(1)
        maps = [self_information(p) if option["entropy_input"] else p for p in (source_p, target_p)]
        target_scores = network(maps[1])
        adversarial = option["adv_weight"] * generator_loss(target_scores, option["loss"])
        terms = {"source_seg_loss": segmentation, "adv_loss": adversarial}
        if option["ent_weight"]:
            terms["target_ent_loss"] = option["ent_weight"] * min_entropy(target_p)
        assert ("target_ent_loss" in terms) == (f"{variant}.target_ent_loss" in arrays)
        for name, value in terms.items():
            close(value, arrays[f"{variant}.{name}"], rel=1e-5)
        torch.stack(list(terms.values())).sum().backward()
        same_gradient(source.grad, arrays[f"{variant}.grad_source_logits_low"])
        same_gradient(target.grad, arrays[f"{variant}.grad_target_logits_low"])
        relative_to_max(target_scores, arrays[f"{variant}.D_out_target"])

        network.zero_grad()
        loss = scaled(discriminator_loss(*(network(m.detach()) for m in maps), option["loss"]), hp)
        close(loss, arrays[f"{variant}.D_loss"], rel=1e-5)
        loss.backward()
        assert network.conv1.weight.grad is not None
        relative_to_max(network.conv1.weight.grad, arrays[f"{variant}.grad_D_conv1_weight"])


def analytic(position: int, shape: torch.Size, gain: float) -> Tensor:
    """Weights of the discriminator by the README's rule: convolutions and biases only."""
    index = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
    u = ((np.uint64(2654435761) * index + np.uint64(2246822519 * (position + 1) % 2**32)) % np.uint64(2**32)) / 2**32
    w = (2 * u - 1).reshape(tuple(shape))
    scaled = w * gain / np.sqrt(np.prod(shape[1:])) if len(shape) == 4 else 0.1 * w
    return torch.from_numpy(scaled.astype(np.float32))


@pytest.mark.filterwarnings("ignore:TF32 acceleration:UserWarning")
def test_advent_adversarial_losses(golden: Golden) -> None:
    arrays, hp = golden.arrays("intrada", "adversarial"), golden.hparams("intrada", "adversarial")
    labels = as_labels(arrays["seg_target"], hp)
    close(cross_entropy(torch.from_numpy(arrays["seg_logits"]), labels), arrays["seg_ce"], rel=1e-4)

    network = build_discriminator(hp["num_classes"], "advent", hp["ndf"])
    assert float(arrays["gain"]) == hp["gain"]
    state = network.state_dict()
    network.load_state_dict({k: analytic(i, v.shape, hp["gain"]) for i, (k, v) in enumerate(state.items())})
    logits = leaf(arrays["disc_logits_in"])
    maps = self_information(logits.softmax(1))
    scores = network(maps)
    relative_to_max(scores, arrays["disc_out"])
    close(domain_loss(scores, hp["source_domain_label"], "bce_with_logits"), arrays["bce_label0"], rel=1e-4)
    close(domain_loss(scores, hp["target_domain_label"], "bce_with_logits"), arrays["bce_label1"], rel=1e-4)
    generator_loss(scores, "bce_with_logits").backward()
    assert logits.grad is not None
    relative_to_max(logits.grad, arrays["adv_grad_logits"], 1e-3)

    # Inputs within rounding of LeakyReLU's kink fall on either side of it, by the kernel and the processor, which moves
    # a norm by 1e-3: the vector lies within its tolerance between those of two kernels.
    detached, norms = maps.detach(), []
    for onednn in (True, False):
        network.zero_grad()
        with torch.backends.mkldnn.flags(enabled=onednn):
            loss = scaled(discriminator_loss(network(detached), network(detached.flip(-1)), "bce_with_logits"), hp)
            loss.backward()
        close(loss, arrays["disc_step_loss"], rel=1e-4)
        norms.append([float(p.grad.norm()) for p in network.parameters() if p.grad is not None])
    between = np.clip(arrays["disc_grad_norms"], np.min(norms, 0), np.max(norms, 0))
    np.testing.assert_allclose(between, arrays["disc_grad_norms"], rtol=1e-3)


def test_advent_self_information_and_minent(golden: Golden) -> None:
    arrays, hp = golden.arrays("intrada", "entropy"), golden.hparams("intrada", "entropy")
    logits = leaf(arrays["logits"])
    assert logits.shape[1] == hp["num_classes"]
    p = logits.softmax(1)
    maps = self_information(p)
    for found, name in ((p, "probs"), (maps, "self_information"), (maps.sum(1), "entropy_map")):
        np.testing.assert_allclose(found.detach().numpy(), arrays[name], rtol=0, atol=1e-6)
    loss = min_entropy(p)
    close(loss, arrays["minent_loss"], rel=1e-5)
    loss.backward()
    same_gradient(logits.grad, arrays["minent_grad_logits"])
    degenerate = torch.from_numpy(arrays["degenerate_probs"])
    found = self_information(degenerate).numpy()
    np.testing.assert_allclose(found, arrays["degenerate_self_information"], rtol=0, atol=1e-6)
    close(min_entropy(degenerate), arrays["degenerate_loss"], rel=1e-5)


def test_crst_losses(golden: Golden) -> None:
    arrays, hp = golden.arrays("cbst", "crst_losses"), golden.hparams("cbst", "crst_losses")
    labels = as_labels(arrays["target"], hp)
    assert arrays["logits"].shape[1] == hp["num_classes"]
    close(cross_entropy(torch.from_numpy(arrays["logits"]), labels), arrays["ce"], rel=1e-5)
    regularised = torch.from_numpy(arrays["reg_weights"])
    assert regularised.tolist() == hp["reg_weights"]
    assert arrays["kld_weights"].tolist() == hp["kld_weights"]
    for i, weight in enumerate(arrays["kld_weights"].tolist()):
        for name, image_weights in (("mix", regularised), ("noreg", torch.zeros_like(regularised))):
            logits = leaf(arrays["logits"])
            loss = cross_entropy(logits, labels) + weight * mrkld(logits, labels, image_weights)
            close(loss, arrays[f"mrkld_{name}_{i}"], rel=1e-5)
            loss.backward()
            same_gradient(logits.grad, arrays[f"mrkld_{name}_{i}_grad"])
    logits = leaf(arrays["logits"])
    loss = lrent(logits, torch.from_numpy(arrays["soft_target"]))
    close(loss, arrays["lrent"], rel=1e-5)
    loss.backward()
    same_gradient(logits.grad, arrays["lrent_grad"])
