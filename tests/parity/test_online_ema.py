"""Every array of the online EMA recipe's golden files d1-d4 (the EMA arrays of d4: test_models)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import close, every_array, file_ids, train_ids
from udamlf.config.budget import Schedule
from udamlf.config.labels import IGNORE
from udamlf.data.mixing import choose_classes, class_distribution, mix, online_labels
from udamlf.losses import mixed_cross_entropy
from udamlf.methods.ema_mix import downscale_labels, feature_distance
from udamlf.training import optimisers
from udamlf.training.optimisers import lr_factor


def test_rare_class_distribution(golden: Golden) -> None:
    """d1: classes by increasing frequency and their probabilities at each temperature."""
    with every_array(golden, "d1_rare_class_sampling") as (a, h):
        assert a["temps"].tolist() == h["temperatures"] and a["pixels_per_image"].shape[1] == h["num_classes"]
        for temperature, expected in zip(h["temperatures"], a["probs"], strict=True):
            classes, probabilities = class_distribution(a["pixels_per_image"], temperature)
            np.testing.assert_array_equal(classes, a["classes"])
            close(probabilities, expected, atol=1e-5)


def test_class_mix(golden: Golden) -> None:
    """d2: teacher's labels and weights, classes drawn, mixed image, label and weight, and the loss."""
    with every_array(golden, "d2_classmix") as (a, h):
        assert all(float(a[name]) == h[name] for name in ("threshold", "ignore_top", "ignore_bottom"))
        source = train_ids(a["source_label"], h)
        online = online_labels(a.tensor("teacher_logits"), h["threshold"], h["ignore_top"], h["ignore_bottom"])
        np.testing.assert_array_equal(online.labels, a["pseudo_label"])
        close(online.confident.float().mean(), a["confident_fraction"], rtol=1e-6)
        close(online.weights, a["target_weight"], rtol=1e-6)

        present = torch.unique(source)
        np.testing.assert_array_equal(file_ids(present, h["ignore_label"]), a["batch_classes"])
        # The released code draws from NumPy's legacy generator; it has the same ``choice``.
        generator: np.random.Generator = np.random.RandomState(h["np_seed"])  # type: ignore[assignment]
        masks = []
        for label, flags in zip(source, a["chosen_class_flags"], strict=True):
            chosen = choose_classes(present.numpy(), generator, h["chosen_fraction"])
            np.testing.assert_array_equal(np.isin(present, chosen), flags.astype(bool))
            masks.append(torch.isin(label, torch.from_numpy(chosen)))
        mask = torch.stack(masks)
        np.testing.assert_array_equal(mask, a["mix_mask"].astype(bool))

        images = (a.tensor(f"{domain}_image") / h["image_scale"] for domain in ("source", "target"))
        close(mix(mask, *images) * h["image_scale"], a["mixed_image"], rtol=1e-6)
        labels = mix(mask, source, online.labels)
        np.testing.assert_array_equal(file_ids(labels, h["ignore_label"]), a["mixed_label"])
        weights = mix(mask, torch.full_like(online.weights, h["source_pixel_weight"]), online.weights)
        close(weights, a["mixed_weight"], rtol=1e-6)
        loss = mixed_cross_entropy(a.tensor("student_logits").float(), labels, weights)
        close(loss, a["loss"], rtol=1e-4)


def test_feature_distance(golden: Golden) -> None:
    """d3: downscaled labels, thing mask, the weighted loss and its gradient."""
    with every_array(golden, "d3_feature_distance") as (a, h):
        assert (int(a["scale"]), float(a["min_ratio"])) == (h["scale"], h["min_ratio"])
        assert a["thing_classes"].tolist() == h["thing_classes"]
        # Labels hold ids of classes beyond the things: one more than the largest id is enough classes.
        full = train_ids(a["label"], h)
        labels = downscale_labels(full, h["scale"], int(full[full != IGNORE].max()) + 1, h["min_ratio"])
        np.testing.assert_array_equal(file_ids(labels, h["ignore_label"]), a["label_downscaled"])
        mask = torch.isin(labels, torch.tensor(h["thing_classes"]))
        np.testing.assert_array_equal(mask, a["mask"].astype(bool))
        features = a.tensor("student_feat").clone().requires_grad_()
        loss = h["weight"] * feature_distance(features, a.tensor("imagenet_feat"), mask)
        loss.backward()
        close(loss, a["loss"], rtol=1e-4)
        close(features.grad, a["student_feat_grad"], rtol=1e-4, atol=1e-9)


def test_linear_schedule_with_warmup(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """d4: the learning rate; the ramped EMA is checked in test_models."""
    arrays, h = golden.arrays("proda", "d4_ema_and_lr"), golden.hparams("proda", "d4_ema_and_lr")
    assert float(arrays["lr_base"]) == h["base_lr"]
    schedule = Schedule(kind="poly", power=h["power"], warmup_steps=h["warmup_iters"])
    monkeypatch.setattr(optimisers, "WARMUP_FROM", h["warmup_ratio"])
    rates = [h["base_lr"] * lr_factor(schedule, int(step), h["max_iters"]) for step in arrays["lr_iters"]]
    close(rates, arrays["lr"], rtol=1e-5, atol=1e-12)
