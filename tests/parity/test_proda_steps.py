"""Whole ProDA iterations composed of our functions: golden files 14 (stage 1), 15 (stages 2, 3) and 16 (warm-up)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import (
    Arrays,
    Toy,
    close,
    every_array,
    move,
    strong_views,
    symmetric_cross_entropy,
    train_ids,
    weak_views,
)
from udamlf.config.labels import IGNORE
from udamlf.data.maps import features_in_crops, resize_matrix
from udamlf.losses import cross_entropy, kl_to_uniform
from udamlf.methods.distillation import distillation
from udamlf.methods.proda import (
    feature_distances,
    move_prototypes,
    prototype_weights,
    rectified_labels,
    rectify,
    structure_consistency,
)
from udamlf.models.discriminator import VARIANTS, discriminator
from udamlf.models.ema import ema_update, make_teacher
from udamlf.selection.soft import class_means


def upsample(maps: Tensor, hw: Any) -> Tensor:
    return F.interpolate(maps, tuple(hw), mode="bilinear", align_corners=True)


def sgd(toy: Toy, h: dict[str, Any]) -> torch.optim.SGD:
    """One group, or the head at its own rate where the file has one."""
    head = {id(p) for p in toy.head.parameters()}
    groups = [
        {"params": [p for p in toy.parameters() if id(p) not in head]},
        {"params": list(toy.head.parameters()), "lr": h["lr"] * h.get("head_lr_mult", 1.0)},
    ]
    return torch.optim.SGD(groups, h["lr"], h["sgd_momentum"], weight_decay=h["weight_decay"])


def images(arrays: Arrays, name: str, h: dict[str, Any]) -> Tensor:
    return arrays.tensor(name).float() / h["image_divisor"]


def source_loss(toy: Toy, arrays: Arrays, h: dict[str, Any], suffix: str = "") -> Tensor:
    labels = train_ids(arrays[f"source_label{suffix}"], h)
    return cross_entropy(upsample(toy(images(arrays, f"source_image{suffix}", h))[1], labels.shape[1:]), labels)


def test_stage1_iterations(golden: Golden) -> None:
    """14: losses, student, EMA teacher and prototypes after each of the iterations."""
    with every_array(golden, "14_stage1_step") as (a, h):
        names = ("alpha", "beta", "regular_w", "consist_w", "prototype_momentum", "temperature", "lr")
        assert a["hyper"].tolist() == [h[name] for name in names]
        student = Toy(a, "student_before", h)
        teacher = make_teacher(Toy(a, "ema_before", h))
        vectors = a.tensor("prototypes_before")
        optimiser = sgd(student, h)
        full_hw, scale = tuple(h["full_size_hw"]), h["scale"]
        fine_hw = (full_hw[0] // scale, full_hw[1] // scale)
        crop_hw = h["crop_size_hw"]
        coarse_hw = (crop_hw[0] // scale, crop_hw[1] // scale)
        for step in range(h["num_steps"]):
            suffix = f"_{step}"
            optimiser.zero_grad()
            source_loss(student, a, h, suffix).backward()

            with torch.no_grad():
                teacher_features, teacher_logits = teacher(images(a, f"target_full_image{suffix}", h))
            classes = upsample(teacher_logits, fine_hw).argmax(1)
            batch = class_means(teacher_features, classes, h["num_classes"])
            distances = feature_distances(
                features_in_crops(teacher_features, full_hw, weak_views(a, suffix), scale), vectors
            )
            stored = a.tensor(f"soft_lowres{suffix}")
            rows, columns = (
                resize_matrix(crop, coarse) @ resize_matrix(size, crop)
                for size, crop, coarse in zip(stored.shape[2:], crop_hw, coarse_hw, strict=True)
            )
            rectified = rectify(rows @ stored @ columns.T, prototype_weights(distances, h["temperature"]))
            labels = rectified_labels(rectified, h["train_thred"])

            logits = upsample(student(images(a, f"target_weak_image{suffix}", h))[1], coarse_hw)
            regulariser = kl_to_uniform(logits, torch.ones_like(labels, dtype=torch.bool))
            denoised = symmetric_cross_entropy(logits, labels, h) + h["regular_w"] * regulariser

            strong, valid = move(distances, strong_views(a, h, suffix), h)
            features = upsample(student(images(a, f"target_strong_image{suffix}", h))[0], coarse_hw)
            student_distances = feature_distances(features, vectors)
            structure = structure_consistency(student_distances, strong, valid, h["temperature"])
            total = denoised + h["consist_w"] * structure
            total.backward()
            optimiser.step()
            vectors = move_prototypes(vectors, batch, h["prototype_momentum"], h["min_pixels"])
            ema_update(teacher, student, h["ema_momentum"])

            close(torch.stack([total, denoised, structure]), a[f"losses{suffix}"], rtol=1e-4)
            student.check(a, f"student_after{step}", atol=1e-5)
            teacher.check(a, f"ema_after{step}", atol=1e-5)
            close(vectors, a[f"prototypes_after{suffix}"], atol=1e-6)


def test_distillation_iteration(golden: Golden) -> None:
    """15: losses and student after an iteration on hard labels and a frozen teacher."""
    with every_array(golden, "15_stage2_step") as (a, h):
        assert a["hyper"].tolist() == [h["distillation"], h["lr"], h["head_lr_mult"]]
        student, teacher = Toy(a, "student_before", h), Toy(a, "teacher", h)
        optimiser = sgd(student, h)
        source = source_loss(student, a, h)
        coarse = train_ids(a["pseudo_label"], h)[:, :: h["scale"], :: h["scale"]]
        moved, valid = move(coarse.unsqueeze(1), strong_views(a, h), h)
        labels = moved.squeeze(1).masked_fill(~valid, IGNORE)
        strong = images(a, "target_strong_image", h)
        logits = upsample(student(strong)[1], labels.shape[1:])
        with torch.no_grad():
            teacher_logits = upsample(teacher(strong)[1], labels.shape[1:])
        target = cross_entropy(logits, labels) + h["distillation"] * distillation(logits, teacher_logits, h["kd_form"])
        (source + target).backward()
        optimiser.step()
        close(torch.stack([source, target]), a["losses"], rtol=1e-4)
        student.check(a, "student_after", atol=1e-5)


def test_warmup_iteration(golden: Golden) -> None:
    """16: losses, student and discriminator after an adversarial iteration."""
    with every_array(golden, "16_warmup_step") as (a, h):
        betas = (h["d_adam_beta1"], h["d_adam_beta2"])
        assert a["hyper"].tolist() == [h["adv_weight"], h["lr"], h["d_lr"], *betas]
        student = Toy(a, "student_before", h)
        assert VARIANTS["proda"] == ((3, 3, 3, 3, 1), (0.0, 0.0, 0.0, h["d_leaky_relu_slope"]))
        critic = discriminator(h["num_classes"], "proda", h["d_planes"])
        critic.load_state_dict({n: a.tensor(f"disc_before_{n.replace('.', '_')}") for n in critic.state_dict()})
        optimiser = sgd(student, h)
        critic_optimiser = torch.optim.Adam(
            critic.parameters(), h["d_lr"], betas, h["d_adam_eps"], weight_decay=h["d_weight_decay"]
        )
        hw = a["source_label"].shape[1:]

        def probabilities(name: str) -> Tensor:
            return torch.softmax(upsample(student(images(a, name, h))[1], hw), 1)

        def squares(maps: Tensor, domain: str) -> Tensor:
            return (critic(maps) - h[f"{domain}_domain_label"]).square().mean()

        source_maps, target_maps = probabilities("source_image"), probabilities("target_image")
        source, adversarial = source_loss(student, a, h), h["adv_weight"] * squares(target_maps, "source")
        (source + adversarial).backward()
        optimiser.step()
        critic_optimiser.zero_grad()
        critic_loss = squares(source_maps.detach(), "source") + squares(target_maps.detach(), "target")
        critic_loss = h["d_loss_factor"] * critic_loss
        critic_loss.backward()
        critic_optimiser.step()
        close(torch.stack([source, adversarial, critic_loss]), a["losses"], rtol=1e-4)
        student.check(a, "student_after", atol=1e-5)
        for name, value in critic.named_parameters():
            close(value, a[f"disc_after_{name.replace('.', '_')}"], atol=1e-6)
