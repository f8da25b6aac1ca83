"""The objectives ``proda`` and ``distillation`` themselves on the golden iterations 14 and 15: losses, weights, teacher
and prototypes after a step. ``test_proda_steps`` composes the same steps of the pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.conftest import Golden
from tests.parity.proda_arrays import Arrays, Toy, close, strong_views, train_ids, weak_views
from tests.parity.test_proda_steps import images, sgd
from udamlf.config.budget import BatchSize, OptimiserConfig, Training
from udamlf.config.labels import LabelSpace
from udamlf.config.parts import Part
from udamlf.data.maps import resize_matrix
from udamlf.data.sample import Cut
from udamlf.data.strong_view import strong_index
from udamlf.methods import proda
from udamlf.models.base import Output, SegmentationModel
from udamlf.training import objective as base
from udamlf.training.objective import Batch, Context, Domain, Losses


class Network(SegmentationModel):
    """The toy network of the golden files under our contract."""

    mean, std, align_corners = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), True

    def __init__(self, toy: Toy, num_classes: int) -> None:
        super().__init__(num_classes)
        self.toy = toy

    def forward(self, images: Tensor) -> Output:
        features, logits = self.toy(images)
        return Output(logits, features=features)


def context(model: Network, round: int, **parts: Any) -> Context:
    names = tuple(f"class{c}" for c in range(model.num_classes))
    space = LabelSpace("golden", names, ((0, 0, 0),) * len(names), {"all": names}, rare=())
    budget = Training(steps=2, batch=BatchSize(source=2, target=2), optimiser=OptimiserConfig(name="sgd", lr=0.1))
    return Context(model, space, budget, round, 0, torch.device("cpu"), **parts)


def domain(image: Tensor, label: Tensor, views: dict[str, Tensor] | None = None, **more: Any) -> Domain:
    return Domain(image, label, {}, views or {}, list(range(len(image))), **more)


def index(arrays: Arrays, h: dict[str, Any], crop_hw: tuple[int, ...], suffix: str = "") -> Tensor:
    hw = (crop_hw[0] // h["scale"], crop_hw[1] // h["scale"])
    views = strong_views(arrays, h, suffix)
    return torch.from_numpy(np.stack([strong_index(v, hw, h["scale"], released=True) for v in views]))


def weighted(objective: base.BaseObjective, batch: Batch) -> dict[str, Tensor]:
    """Back-propagate every part's weighted losses; all of them by name, weighted."""
    named: dict[str, Tensor] = {}
    for part in cast(Iterator[Losses], objective.losses(batch)):
        values = {name: objective.weights.get(name, 1.0) * value for name, value in part["model"].items()}
        torch.stack(list(values.values())).sum().backward()
        named |= {name: value.detach() for name, value in values.items()}
    return named


def test_stage1(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    """14: two steps of the objective."""
    a, h = Arrays(golden.arrays("proda", "14_stage1_step")), golden.hparams("proda", "14_stage1_step")
    student = Network(Toy(a, "student_before", h), h["num_classes"])
    params = {
        "alpha": h["alpha"], "beta": h["beta"], "kl": h["regular_w"], "decay": h["ema_momentum"],
        "prototype_rate": h["prototype_momentum"], "threshold": h["train_thred"], "stride": h["scale"],
        "released_geometry": True,
    }  # fmt: skip
    if h["temperature"] != 1:
        pytest.skip("the objective has no temperature: test_proda_steps takes these vectors")
    monkeypatch.setattr(proda, "STRUCTURE", h["consist_w"])
    monkeypatch.setattr(proda, "move_prototypes", partial(proda.move_prototypes, min_pixels=h["min_pixels"]))
    floors = (h["rce_probability_clamp_min"], h["rce_label_clamp_min"], h["rce_count_eps"])
    plain = proda.reverse_cross_entropy
    monkeypatch.setattr(proda, "reverse_cross_entropy", lambda logits, labels: plain(logits, labels, *floors))
    published = {"prototypes": a["prototypes_before"]}
    objective = base.build(Part(name="proda", **params), context(student, 1, published=published))
    assert isinstance(objective, proda.Objective)
    objective.teacher.toy.load_state_dict(
        {n: a.tensor(f"ema_before_{n.replace('.', '_')}") for n in student.toy.state_dict()}
    )
    optimiser = sgd(student.toy, h)
    full_hw, crop_hw = tuple(h["full_size_hw"]), tuple(h["crop_size_hw"])
    for step in range(h["num_steps"]):
        suffix = f"_{step}"
        stored = a.tensor(f"soft_lowres{suffix}")
        # The file's soft labels are already in the crop, so they bypass the objective's own cut.
        rows, columns = (
            resize_matrix(crop, crop // h["scale"]) @ resize_matrix(size, crop)
            for size, crop in zip(stored.shape[2:], crop_hw, strict=True)
        )
        soft = rows @ stored @ columns.T
        objective.soft_labels = lambda target, soft=soft: soft  # type: ignore[method-assign]
        weak = images(a, f"target_weak_image{suffix}", h)
        views = {
            "full": images(a, f"target_full_image{suffix}", h),
            "strong": images(a, f"target_strong_image{suffix}", h),
        }
        target = domain(
            weak,
            torch.zeros(len(weak), *crop_hw, dtype=torch.int64),
            views=views,
            arrays={"strong_index": index(a, h, crop_hw, suffix)},
            cuts=[Cut(full_hw, view) for view in weak_views(a, suffix)],
        )
        source = domain(images(a, f"source_image{suffix}", h), train_ids(a[f"source_label{suffix}"], h))
        optimiser.zero_grad()
        named = weighted(objective, Batch(step, 0, 0, source, target))
        optimiser.step()
        objective.after_step(step)
        denoised = named["target_ce"] + named["target_rce"] + named["target_kl"]
        structure = named["structure"] / h["consist_w"]
        total = denoised + named["structure"]
        close(torch.stack([total, denoised, structure]), a[f"losses{suffix}"], rtol=1e-4)
        student.toy.check(a, f"student_after{step}", atol=1e-5)
        objective.teacher.toy.check(a, f"ema_after{step}", atol=1e-5)
        close(objective.prototypes.vectors, a[f"prototypes_after{suffix}"], atol=1e-6)


def test_distillation(golden: Golden) -> None:
    """15: a step of the objective in the released form."""
    a, h = Arrays(golden.arrays("proda", "15_stage2_step")), golden.hparams("proda", "15_stage2_step")
    student, teacher = (Network(Toy(a, name, h), h["num_classes"]) for name in ("student_before", "teacher"))
    params = {"form": h["kd_form"], "stride": h["scale"], "released_geometry": True}
    objective = base.build(Part(name="distillation", **params), context(student, 2, teacher=lambda: teacher))
    strong = images(a, "target_strong_image", h)
    labels = train_ids(a["pseudo_label"], h)
    arrays = {"strong_index": index(a, h, tuple(labels.shape[1:]))}
    target = domain(strong, labels, views={"strong": strong}, arrays=arrays)
    source = domain(images(a, "source_image", h), train_ids(a["source_label"], h))
    optimiser = sgd(student.toy, h)
    objective.weights["distillation"] = h["distillation"]
    named = weighted(objective, Batch(0, 0, 0, source, target))
    optimiser.step()
    on_target = named["target_ce"] + named["distillation"]
    close(torch.stack([named["source_ce"], on_target]), a["losses"], rtol=1e-4)
    student.toy.check(a, "student_after", atol=1e-5)
