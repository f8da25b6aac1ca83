"""ProDA's objective on the toy world: views, soft labels stored or recomputed, prototypes, parts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import toy
from udamlf.common.errors import UserError
from udamlf.config.budget import Augmentation, BatchSize
from udamlf.config.labels import IGNORE
from udamlf.config.parts import Part
from udamlf.data.sample import Sample
from udamlf.data.strong_view import gather_maps
from udamlf.methods import proda
from udamlf.methods.proda import reverse_cross_entropy, structure_consistency
from udamlf.models.base import Output, SegmentationModel
from udamlf.selection.soft import ClassMeans
from udamlf.training.objective import check_published


class Pointwise(SegmentationModel):
    """Each cell of stride 4 sees its own 4x4 pixels and nothing else, so that cutting commutes with the network."""

    def __init__(self, num_classes: int, features: int = 64, aligned: bool = False) -> None:
        super().__init__(num_classes)
        self.align_corners = aligned
        draw = torch.Generator().manual_seed(0)
        self.embed = torch.nn.Parameter(torch.randn(features, 3, generator=draw))
        self.head = torch.nn.Parameter(torch.randn(num_classes, features, generator=draw))

    def forward(self, images: Tensor) -> Output:
        features = torch.einsum("dk,nkhw->ndhw", self.embed, F.avg_pool2d(images, 4))
        return Output(torch.einsum("cd,ndhw->nchw", self.head, features), features=features)


class Featureless(Pointwise):
    """Returns logits alone."""

    def forward(self, images: Tensor) -> Output:
        return super().forward(images)._replace(features=None)


def objective(model: SegmentationModel | None = None, **params: Any) -> proda.Objective:
    """The objective for whole frames without colour jitter."""
    budget = toy.training(augmentation=Augmentation(), batch=BatchSize(source=2, target=3), loss_stride=1)
    method = toy.objective("proda", params, budget, model or Pointwise(toy.SPACE.num_classes))
    assert isinstance(method, proda.Objective)
    return method


def with_soft(model: SegmentationModel, views: list[Sample]) -> list[Sample]:
    """Frames with the soft labels of ``model`` on its own grid."""
    soft = [model(model.normalise(torch.from_numpy(v.image[None]))).logits.softmax(1)[0] for v in views]
    return [replace(v, arrays={"soft": s.detach().numpy()}) for v, s in zip(views, soft, strict=True)]


@pytest.mark.parametrize("stride", [2, 4])
def test_the_teacher_sees_the_whole_frame_and_the_crop_gets_its_part(stride: int) -> None:
    """With a network without context, whole frames and random mirrors, the features cut from the frame are those of the
    crop itself, and so are the distances."""
    model = Pointwise(toy.SPACE.num_classes)
    target = with_soft(model, toy.frames("target"))
    method = objective(model, stride=stride)
    domain = toy.batch(method, target).target
    assert domain is not None and {cut.geometry.flip for cut in domain.cuts} == {False, True}
    distances = method.teach(domain).distances
    features = model(domain.images).features
    assert features is not None
    expected = method.prototypes.distances(model.upsample(features, method.grid(domain.images.shape)))
    torch.testing.assert_close(distances, expected, rtol=1e-4, atol=1e-4)


def test_crops_have_their_own_part_of_the_soft_labels() -> None:
    """Where a soft label is certain everywhere of its square's class, the rectified labels of random crops are the
    crops' labels in the middle of the squares, whatever scale, place and mirror were drawn."""

    def certain(view: Sample) -> np.ndarray:
        one_hot = np.eye(toy.SPACE.num_classes, dtype=np.float32)[view.label]
        return one_hot.transpose(2, 0, 1)[:, ::2, ::2].copy()

    frames = [replace(v, arrays={"soft": certain(v)}) for v in toy.frames("target")]
    method = objective(stride=2)
    augmentation = Augmentation(crop_hw=(toy.HEIGHT, toy.HEIGHT), scale_range=(1.0, 1.8))
    method.context.training = toy.training(augmentation=augmentation)
    target = toy.batch(method, frames).target
    assert target is not None and len({cut.geometry for cut in target.cuts}) == len(target.cuts)
    targets = method.teach(target)
    expected = method.labels_on_grid(target.labels)
    inner = F.max_pool2d(expected.float(), 5, 1, 2) == -F.max_pool2d(-expected.float(), 5, 1, 2)
    assert inner.float().mean() > 0.2
    assert torch.equal(targets.labels[inner], expected[inner])


def test_the_weak_view_of_the_published_budget() -> None:
    """ProDA's own crops (random width, floor arithmetic) reach the same labels by the released path."""

    def certain(view: Sample) -> np.ndarray:
        return np.eye(toy.SPACE.num_classes, dtype=np.float32)[view.label].transpose(2, 0, 1).copy()

    frames = [replace(v, arrays={"soft": certain(v)}) for v in toy.frames("target")]
    method = objective(Pointwise(toy.SPACE.num_classes, aligned=True), stride=2)
    augmentation = Augmentation(crop_hw=(24, 24), nominal_width=toy.WIDTH, scale_range=(1.0, 1.5))
    method.context.training = toy.training(augmentation=augmentation)
    target = toy.batch(method, frames).target
    targets, expected = method.teach(target), method.labels_on_grid(target.labels)
    inner = F.max_pool2d(expected.float(), 5, 1, 2) == -F.max_pool2d(-expected.float(), 5, 1, 2)
    assert inner.float().mean() > 0.1
    assert (targets.labels == expected)[inner].float().mean() > 0.99


def test_padding_has_no_label_and_no_structure() -> None:
    """Cells outside the frame carry IGNORE and are left out of the structure term, in the strong view too."""
    method = objective(stride=2)
    method.context.training = toy.training(augmentation=Augmentation(crop_hw=(48, 64)))
    target = toy.batch(method, with_soft(method.model, toy.frames("target"))).target
    targets = method.teach(target)
    outside = method.labels_on_grid(target.labels) == IGNORE
    assert outside.any() and not outside.all()
    assert torch.equal(targets.labels == IGNORE, outside) and torch.equal(~targets.inside, outside)
    index = target.arrays["strong_index"]
    loud = targets._replace(distances=targets.distances + 1e3 * outside.unsqueeze(1) * torch.randn(1, 5, 1, 1))
    output = method.model(target.views["strong"])
    assert torch.equal(
        method._structure(output, targets, target)["structure"], method._structure(output, loud, target)["structure"]
    )
    assert gather_maps(targets.inside.unsqueeze(1), index, False).any()


def test_a_class_never_seen_gets_no_label_and_its_prototype_at_first_sight() -> None:
    vectors = torch.rand(4, 3) + 1
    vectors[2] = 0
    prototypes = proda.MovingPrototypes(vectors)
    near_origin = torch.zeros(1, 3, 1, 1)
    distances = prototypes.distances(near_origin)
    assert distances.softmax(1).isfinite().all() and float(distances[0, 2]) == proda.UNSEEN_DISTANCE
    means = ClassMeans(torch.rand(2, 4, 3), torch.tensor([[20, 0, 12, 3], [0, 0, 0, 3]]))
    prototypes.move(means, 0.1)
    torch.testing.assert_close(prototypes.vectors[0], 0.9 * vectors[0] + 0.1 * means.means[0, 0])
    assert torch.equal(prototypes.vectors[1], vectors[1]) and torch.equal(prototypes.vectors[3], vectors[3])
    assert torch.equal(prototypes.vectors[2], means.means[0, 2])
    never = proda.MovingPrototypes(torch.zeros(4, 3))
    never.move(means._replace(pixels=torch.zeros(2, 4, dtype=torch.int64)), 0.1)
    assert not never.vectors.any()


def logits(seed: int = 0) -> Tensor:
    return 3 * torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(seed))


def labels() -> Tensor:
    values = torch.randint(0, 5, (2, 3, 5), generator=torch.Generator().manual_seed(9))
    return values.masked_fill(values == 4, IGNORE)


def test_reverse_cross_entropy_is_its_definition() -> None:
    """The closed form equals -sum q log g pixel by pixel."""
    x, y, total, count = logits(), labels(), 0.0, 0
    probabilities = torch.softmax(x, 1).clamp(min=1e-7)
    for n, i, j in (y != IGNORE).nonzero().tolist():
        for c in range(4):
            total -= float(probabilities[n, c, i, j]) * math.log(1.0 if c == y[n, i, j] else 1e-4)
        count += 1
    assert float(reverse_cross_entropy(x, y)) == pytest.approx(total / count, rel=1e-5)


def test_empty_mask_gives_zero_with_a_gradient_path() -> None:
    for loss in (
        lambda x: reverse_cross_entropy(x, torch.full((2, 3, 5), IGNORE)),
        lambda x: structure_consistency(x, logits(1), torch.zeros(2, 3, 5, dtype=torch.bool)),
    ):
        x = logits().requires_grad_()
        value = loss(x)
        value.backward()
        assert value.item() == 0 and x.grad is not None and (x.grad == 0).all()


def test_reverse_cross_entropy_forgives_noise() -> None:
    """A confident wrong pixel costs at most -log(label floor) and pushes no gradient: the point of the loss."""
    x = torch.tensor([30.0, 0, 0, 0]).view(1, 4, 1, 1).requires_grad_()
    value = reverse_cross_entropy(x, torch.tensor([[[1]]]))
    value.backward()
    assert value.item() == pytest.approx(-math.log(1e-4), rel=1e-4)
    assert x.grad is not None and x.grad.abs().max() < 1e-5


def test_structure_is_zero_for_equal_distances_and_positive_else() -> None:
    """KL of the assignments; pixels that are not valid, and the teacher, take no part."""
    student, teacher = logits(0).abs().requires_grad_(), logits(1).abs().requires_grad_()
    valid = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(4)) < 0.5
    assert structure_consistency(student, student, valid).item() == pytest.approx(0, abs=1e-7)
    value = structure_consistency(student, teacher, valid)
    value.backward()
    assert value > 0 and teacher.grad is None
    elsewhere = torch.where(valid.unsqueeze(1), teacher, torch.full_like(teacher, 250.0))
    assert structure_consistency(student, elsewhere, valid).item() == value.item()
    assert student.grad is not None and (student.grad.abs().sum(1) > 0).equal(valid)


def test_structure_survives_far_prototypes() -> None:
    """Distances of thousands give no nan though the assignments underflow."""
    student = (1000 * logits(0).abs()).requires_grad_()
    value = structure_consistency(student, 1000 * logits(1).abs(), torch.ones(2, 3, 5, dtype=torch.bool))
    value.backward()
    assert value.isfinite() and student.grad is not None and student.grad.isfinite().all()


def test_parts_have_the_gradient_of_the_whole() -> None:
    """Back-propagating source, weak and strong view in turn gives the gradient of their sum; jointly there is one part
    with the same losses, as this network has no BatchNorm."""
    gradients, values = [], []
    for joint in (False, True):
        method = objective(joint_batch=joint)
        batch, weights = toy.batch(method), method.weights
        parts = list(method.losses(batch))
        assert [sorted(part["model"]) for part in parts] == (
            [["source_ce", "structure", "target_ce", "target_kl", "target_rce"]]
            if joint
            else [["source_ce"], ["target_ce", "target_kl", "target_rce"], ["structure"]]
        )
        named = {name: value for part in parts for name, value in part["model"].items()}
        torch.stack([weights.get(name, 1.0) * value for name, value in named.items()]).sum().backward()
        gradients.append(method.model.embed.grad.clone())
        values.append(named)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert values[0].keys() == values[1].keys()


def test_the_teacher_follows_and_the_prototypes_move() -> None:
    """Three steps change both; what the loop keeps for a resumed training holds both."""
    method = objective(prototype_rate=0.1, decay=0.5)
    before = {n: v.clone() for m in method.modules.values() for n, v in m.state_dict().items()}
    toy.trainer(method).run()
    after = {n: v for m in method.modules.values() for n, v in m.state_dict().items()}
    assert "vectors" in after and "embed" in after
    assert all(not torch.equal(before[name], after[name]) for name in ("vectors", "embed"))


def test_what_it_cannot_do_without_is_named() -> None:
    with pytest.raises(UserError, match="prototypes"):
        check_published(Part(name="proda"), ("thresholds",))
    blind = objective(Featureless(toy.SPACE.num_classes))
    with pytest.raises(UserError, match="features"):
        blind.teach(toy.batch(blind).target)
