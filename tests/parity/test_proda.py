"""Every array of ProDA's golden files 01-13 and 17 within their README's tolerances (10, the EMA: test_models)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import (
    Arrays,
    close,
    every_array,
    file_ids,
    move,
    strong_views,
    symmetric_cross_entropy,
    train_ids,
    weak_views,
)
from udamlf.config.budget import EvalProtocol, OptimiserConfig, Schedule
from udamlf.config.labels import IGNORE
from udamlf.data.geometry import cut_image, cut_label
from udamlf.data.maps import features_in_crops, probabilities_in_crops, resize_matrix
from udamlf.data.strong_view import (
    GEOMETRIC,
    OPERATIONS,
    StrongView,
    cutout_box,
    level_parameter,
    strong_image,
)
from udamlf.evaluation.predict import scores
from udamlf.evaluation.score import confusion_matrix, iou, miou
from udamlf.losses import cross_entropy, entropy, kl_to_uniform
from udamlf.methods.distillation import distillation
from udamlf.methods.proda import (
    feature_distances,
    move_prototypes,
    prototype_weights,
    rectified_labels,
    rectify,
    reverse_cross_entropy,
    structure_consistency,
)
from udamlf.models.base import Output, SegmentationModel
from udamlf.selection.soft import ClassMeans, Prototypes, class_means, update_prototypes
from udamlf.selection.soft_source import rightly_predicted
from udamlf.selection.threshold import confident_labels
from udamlf.training.optimisers import build_optimiser, lr_factor


def vectors(batch: ClassMeans, min_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """The present class means in the golden order (image-major, class-minor) and their classes."""
    present = batch.pixels >= min_pixels
    return batch.means[present].numpy(), present.nonzero()[:, 1].numpy()


def test_initial_prototypes(golden: Golden) -> None:
    """01: class means of each image, and the running means and counters after each batch."""
    with every_array(golden, "01_prototype_init") as (a, h):
        features, logits = a.tensor("feat"), a.tensor("logits")
        state = Prototypes(a.tensor("proto_before"), a.tensor("count_before"))
        for step in range(h["num_batches"]):
            batch = class_means(features[step], logits[step].argmax(1), h["num_classes"])
            means, classes = vectors(batch, h["min_pixels"])
            of_step = a["vec_step"] == step
            close(means, a["vec"][of_step], atol=1e-5)
            np.testing.assert_array_equal(classes, a["vec_class"][of_step])
            state = update_prototypes(state, batch, h["min_pixels"], h["count_cap"])
            close(state.vectors, a["proto_after"][step], atol=1e-5)
            np.testing.assert_array_equal(state.counts, a["count_after"][step])


def test_source_prototypes(golden: Golden) -> None:
    """02: with labels only pixels that are predicted right count."""
    with every_array(golden, "02_prototype_source_mode") as (a, h):
        right = rightly_predicted(a.tensor("logits"), train_ids(a["label"], h))
        means, found = vectors(class_means(a.tensor("feat"), right, h["num_classes"]), h["min_pixels"])
        close(means, a["vec"], atol=1e-5)
        np.testing.assert_array_equal(found, a["vec_class"])


def test_moving_prototypes(golden: Golden) -> None:
    """03: one momentum step per (image, class)."""
    with every_array(golden, "03_prototype_moving") as (a, h):
        assert float(a["momentum"]) == h["momentum"]
        state = a.tensor("proto_before")
        for step in range(h["num_batches"]):
            classes = a.tensor("logits")[step].argmax(1)
            batch = class_means(a.tensor("feat")[step], classes, h["num_classes"])
            state = move_prototypes(state, batch, h["momentum"], h["min_pixels"])
            close(state, a["proto_after"][step], atol=1e-5)


def test_weak_view(golden: Golden) -> None:
    """04: image, label and soft label in the weak view."""
    with every_array(golden, "04_weak_view") as (a, h):
        views, full_hw = weak_views(a), tuple(h["full_size_hw"])
        soft = a.tensor("soft_store")
        close(probabilities_in_crops(soft[:1], full_hw, views[:1], 1)[0], a["soft_crop_first"], atol=1e-5)
        close(probabilities_in_crops(soft, full_hw, views, h["scale"]), a["soft_quarter"], atol=1e-5)
        for image, label, view, expected, expected_label in zip(
            a["image"], a["label"], views, a["weak_image"], a["weak_label"], strict=True
        ):
            assert np.abs(cut_image(image, view).astype(int) - expected).mean() <= 1
            np.testing.assert_array_equal(cut_label(label, view), expected_label)


def test_rectification(golden: Golden) -> None:
    """05: teacher features in the weak view, distances, weights, rectified probabilities and labels."""
    with every_array(golden, "05_rectify") as (a, h):
        assert (float(a["temperature"]), float(a["train_thred"])) == (h["temperature"], h["train_thred"])
        assert a["full_hw"].tolist() == h["full_size_hw"]
        features = features_in_crops(a.tensor("ema_feat_native"), tuple(h["full_size_hw"]), weak_views(a), h["scale"])
        close(features, a["feat_weak"], atol=1e-4)
        distances = feature_distances(features, a.tensor("prototypes"))
        close(distances, a["distance"], atol=1e-4)
        weights = prototype_weights(distances, h["temperature"])
        close(weights, a["weight"], atol=1e-4)
        rectified = rectify(a.tensor("soft_quarter"), weights)
        close(rectified, a["rectified"], atol=1e-4)
        for threshold, name in ((0.0, "label"), (h["train_thred"], "label_thresholded")):
            label = file_ids(rectified_labels(rectified, threshold), h["ignore_label"])
            assert (label == a[name]).mean() >= 0.999


def test_target_losses(golden: Golden) -> None:
    """06: each loss on one logit map, and its gradient."""
    with every_array(golden, "06_losses") as (a, h):
        assert all(float(a[name]) == h[name] for name in ("alpha", "beta", "regular_w"))
        target = train_ids(a["target"], h)
        everywhere = torch.ones_like(target, dtype=torch.bool)
        floors = (h["rce_probability_clamp_min"], h["rce_label_clamp_min"], h["rce_count_eps"])

        def symmetric(x: Tensor) -> Tensor:
            return symmetric_cross_entropy(x, target, h)

        losses: dict[str, Callable[[Tensor], Tensor]] = {
            "ce": lambda x: cross_entropy(x, target),
            "rce": lambda x: reverse_cross_entropy(x, target, *floors),
            "sce": symmetric,
            "mrkld": lambda x: kl_to_uniform(x, everywhere),
            "mrent": lambda x: -entropy(x, everywhere),
            "cts_total": lambda x: symmetric(x) + h["regular_w"] * kl_to_uniform(x, everywhere),
        }
        for name, loss in losses.items():
            logits = a.tensor("logits").clone().requires_grad_()
            value = loss(logits)
            value.backward()
            close(value, a[name], rtol=1e-4)
            close(logits.grad, a[f"{name}_grad"], atol=1e-6)
        extreme = reverse_cross_entropy(a.tensor("extreme_logits"), train_ids(a["extreme_target"], h), *floors)
        close(extreme, a["rce_extreme"], rtol=1e-4)


def test_released_label_geometry(golden: Golden) -> None:
    """07: labels and float maps moved as the released code moves them."""
    with every_array(golden, "07_strong_label_transform") as (a, h):
        views = strong_views(a, h)
        assert len(views) == h["num_cases"]
        for name in ("label", "map"):
            maps = a.tensor(name)
            maps = maps if maps.dim() == 3 else maps.unsqueeze(0)
            moved, _ = move(maps.unsqueeze(0).expand(len(views), -1, -1, -1), views, h)
            expected = a[f"{name}_out"].reshape(moved.shape)
            assert (np.isclose(moved.numpy(), expected, rtol=0, atol=1e-5).mean((1, 2, 3)) >= 0.995).all()


def test_structure_consistency(golden: Golden) -> None:
    """08: teacher distances in both views, student distances, the loss and its gradient."""
    with every_array(golden, "08_structure") as (a, h):
        assert float(a["temperature"]) == h["temperature"] and a["full_hw"].tolist() == h["full_size_hw"]
        vectors, scale = a.tensor("prototypes"), h["temperature"]
        features = features_in_crops(a.tensor("ema_feat_native"), tuple(h["full_size_hw"]), weak_views(a), h["scale"])
        weak = feature_distances(features, vectors)
        close(weak, a["teacher_distance_weak"], atol=1e-4)
        strong, valid = move(weak, strong_views(a, h), h)
        close(strong, a["teacher_distance_strong"], atol=1e-4)
        np.testing.assert_array_equal(valid, a["mask"].astype(bool))
        close(prototype_weights(strong, scale), a["teacher"], atol=1e-4)
        native = a.tensor("student_feat_native").clone().requires_grad_()
        student = feature_distances(
            F.interpolate(native, strong.shape[2:], mode="bilinear", align_corners=True), vectors
        )
        close(student, a["student_distance"], atol=1e-4)
        loss = structure_consistency(student, strong, valid, scale)
        loss.backward()
        close(loss, a["loss"], atol=1e-4)
        close(native.grad, a["student_feat_native_grad"], atol=1e-7)


@pytest.mark.parametrize("form", ["released", "corrected"])
def test_distillation(golden: Golden, form: Literal["released", "corrected"]) -> None:
    """09: both forms and their gradients."""
    arrays = Arrays(golden.arrays("proda", "09_distillation"))
    logits = arrays.tensor("student_logits").clone().requires_grad_()
    loss = distillation(logits, arrays.tensor("teacher_logits"), form)
    loss.backward()
    close(loss, arrays[f"kd_{form}"], atol=1e-6)
    close(logits.grad, arrays[f"kd_{form}_grad"], atol=1e-8)


class Recorded(SegmentationModel):
    """Gives recorded logits, one batch after another."""

    align_corners = True

    def __init__(self, *outputs: torch.Tensor) -> None:
        super().__init__(outputs[0].shape[1])
        self.outputs, self.calls, self.anchor = outputs, 0, torch.nn.Parameter(torch.zeros(1))

    def forward(self, images: torch.Tensor) -> Output:
        self.calls += 1
        return Output(self.outputs[self.calls - 1])


def test_hard_labels(golden: Golden) -> None:
    """11: mirror average, half-precision confidence, and the threshold compared in half precision."""
    with every_array(golden, "11_hard_pseudo_label") as (a, h):
        assert float(a["threshold"]) == h["threshold"] and a["size_hw"].tolist() == h["size_hw"]
        protocol = EvalProtocol(flip=True, average="network", align_corners=h["align_corners"])
        network = Recorded(a.tensor("logits"), a.tensor("logits_of_flipped_input"))
        inputs = np.zeros((len(network.outputs[0]), 8, 8, 3), np.uint8)
        probabilities = scores(network, inputs, protocol, tuple(h["size_hw"]))
        for threshold, name in ((0.0, "label"), (h["threshold"], "label_thresholded")):
            labels, confidence = confident_labels(probabilities, threshold, half_precision=True)
            assert (file_ids(labels, h["ignore_label"]) == a[name]).mean() >= 0.9999
        expected = a["confidence_fp16"]
        assert (np.abs(confidence.numpy().astype(float) - expected.astype(float)) <= np.spacing(expected)).all()
        edges = a.tensor("edge_confidence_fp16").float().view(1, 1, 1, -1)
        kept = confident_labels(edges, h["edge_threshold"], half_precision=True)[0] != IGNORE
        np.testing.assert_array_equal(kept.flatten().numpy(), a["edge_keep_at_0_95"].astype(bool))


def test_image_operations(golden: Golden) -> None:
    """12: parameter of each level and the image each operation makes of it; the cutout."""
    with every_array(golden, "12_image_ops") as (a, h):
        image, hw = a["image"], a["image"].shape[:2]
        assert a["levels"].tolist() == h["levels"]
        for name, shipped in OPERATIONS.items():
            key = name.replace("X", "_x").replace("Y", "_y").lower()
            strength = shipped and (h[f"{key}_max"], h.get(f"{key}_bias", shipped[1]))
            for level, value, expected in zip(h["levels"], a[f"param_{name}"], a[f"out_{name}"], strict=True):
                parameter = level_parameter(name, level, hw, strength)
                if strength is not None:
                    parameter = np.copysign(parameter, value) if name in GEOMETRIC else parameter
                    close(parameter, value, atol=1e-9)
                out = strong_image(image, StrongView(False, ((name, float(parameter)),), None), h["fill_value"])
                assert np.abs(out.astype(int) - expected).mean() <= 1, (name, level)
        box = tuple(a["param_Cutout"].tolist())
        assert hw[0] // h["cutout_side_divisor"] == h["cutout_side"]
        centre = (box[0] + h["cutout_side"] / 2, box[1] + h["cutout_side"] / 2)
        assert cutout_box(centre, h["cutout_side"], hw) == box
        np.testing.assert_array_equal(strong_image(image, StrongView(False, (), box), h["fill_value"]), a["out_Cutout"])


def test_repeated_parameters_and_schedule(golden: Golden) -> None:
    """13: SGD that visits a parameter k times per step, torch's own answer to that, and the learning rate."""
    with every_array(golden, "13_sgd_and_schedule") as (a, h):
        assert float(a["lr"]) == h["lr"] and a["multiplicity"].tolist() == h["multiplicity"]
        assert int(a["schedule_max_iter"]) == h["max_iter"]
        schedule = Schedule(kind="poly", power=h["power"])
        rates = [h["lr"] * lr_factor(schedule, int(step), h["max_iter"]) for step in a["schedule_iters"]]
        close(rates, a["schedule_lr"], rtol=1e-5, atol=1e-12)

        def trajectory(repeat_in_list: bool) -> np.ndarray:
            values = [nn.Parameter(value.clone()) for value in a.tensor("param0")]
            if repeat_in_list:
                repeated = [p for p, k in zip(values, h["multiplicity"], strict=True) for _ in range(k)]
                with pytest.warns(UserWarning, match="duplicate"):
                    optimiser: torch.optim.Optimizer = torch.optim.SGD(
                        repeated, h["lr"], h["momentum"], weight_decay=h["weight_decay"], foreach=False
                    )
            else:
                groups = [{"params": [p], "visits": k} for p, k in zip(values, h["multiplicity"], strict=True)]
                numbers = {name: h[name] for name in ("lr", "momentum", "weight_decay")}
                optimiser = build_optimiser(groups, OptimiserConfig(name="sgd", visits="exact_fresh_decay", **numbers))
            rows = []
            for gradients in a.tensor("grads"):
                for p, gradient in zip(values, gradients, strict=True):
                    p.grad = gradient.clone()
                optimiser.step()
                rows.append(torch.stack([p.detach().clone() for p in values]).numpy())
            return np.stack(rows)

        assert len(a["grads"]) == h["num_steps"]
        close(trajectory(False), a["param_trajectory"], rtol=1e-5)
        close(trajectory(True), a["param_trajectory_torch213"], rtol=1e-5)


def test_scores(golden: Golden) -> None:
    """17: confusion matrix, IoU and the means made of it."""
    with every_array(golden, "17_metrics") as (a, h):
        classes = h["num_classes"]
        ground, predicted = (train_ids(a[name], h).numpy().astype(np.uint8) for name in ("gt", "pred"))
        confusion = confusion_matrix(predicted, ground, classes)
        np.testing.assert_array_equal(confusion, a["confusion"])
        per_class = iou(confusion)
        close(per_class, a["iou"], atol=1e-9)
        close(miou(per_class), a["miou"], atol=1e-9)
        close(np.trace(confusion) / confusion.sum(), a["overall_acc"], atol=1e-9)
        rows = confusion.sum(1)
        close(np.nanmean(np.diag(confusion) / np.where(rows, rows, np.nan)), a["mean_acc"], atol=1e-9)
        close(np.nansum(rows / rows.sum() * per_class), a["fwavacc"], atol=1e-9)
        reported = [c for c in range(classes) if c not in h["miou13_excluded_classes"]]
        expected = miou(per_class[reported]) if h["miou13_defined"] else np.nan
        close(expected, a["miou13"], atol=1e-9)


def test_resize_matrix_is_bilinear_interpolation() -> None:
    """The matrices the views are made of equal torch's aligned-corner interpolation, to any size."""
    values = torch.rand(1, 1, 7, 5, generator=torch.Generator().manual_seed(0))
    for hw in [(13, 9), (3, 4), (1, 1), (7, 5)]:
        rows, columns = resize_matrix(7, hw[0]), resize_matrix(5, hw[1])
        expected = F.interpolate(values, hw, mode="bilinear", align_corners=True)
        torch.testing.assert_close(rows @ values @ columns.T, expected)
