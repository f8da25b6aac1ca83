"""ProDA's objective on the toy world: views, soft labels stored or recomputed, prototypes, parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests import toy
from udamlf.config import Augmentation, BatchSize
from udamlf.data.augment.randaugment import gather_maps
from udamlf.data.batches import Batches
from udamlf.data.labels import IGNORE
from udamlf.data.view import View
from udamlf.errors import UserError
from udamlf.methods import proda
from udamlf.methods.base import Batch
from udamlf.models.base import Output, SegmentationModel
from udamlf.prototypes import ClassMeans
from udamlf.training.loop import Trainer, to_domain


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
    found = toy.objective("proda", params, budget, model or Pointwise(toy.SPACE.num_classes))
    assert isinstance(found, proda.Objective)
    return found


def batch_of(chosen: proda.Objective, target: list[View] | None = None) -> Batch:
    loop = Trainer(chosen, toy.streams(chosen, target), toy.SEED, "toy", workers=0)
    host = Batches(loop.streams, 0, 1, 0).at(0)
    domains = {n: to_domain(d, loop.model, loop.device, slice(None)) for n, d in host.items()}
    return Batch(0, 0, toy.SEED, domains["source"], domains["target"])


def with_soft(model: SegmentationModel, views: list[View]) -> list[View]:
    """Frames with the soft labels of ``model`` on its own grid."""
    soft = [model(model.normalise(torch.from_numpy(v.image[None]))).logits.softmax(1)[0] for v in views]
    return [replace(v, arrays={"soft": s.detach().numpy()}) for v, s in zip(views, soft, strict=True)]


@pytest.mark.parametrize("stride", [2, 4])
def test_the_full_view_cuts_what_the_crop_view_sees(stride: int) -> None:
    """With a network without context and whole, randomly mirrored frames both teacher views give the same distances,
    labels and, cell for cell, class means."""
    model = Pointwise(toy.SPACE.num_classes)
    target = with_soft(model, [replace(v, label=np.zeros_like(v.label)) for v in toy.target_frames()])
    taught, means = [], []
    for view in ("full", "crop"):
        chosen = objective(model, teacher_view=view, stride=stride)
        batch = batch_of(chosen, target)
        assert {cut.geometry.flip for cut in batch.target.cuts} == {False, True}
        taught.append(chosen.teach(batch.target))
        means.append(chosen.means[0])
    torch.testing.assert_close(taught[0].distances, taught[1].distances, rtol=1e-4, atol=1e-4)
    assert torch.equal(taught[0].labels, taught[1].labels)
    torch.testing.assert_close(means[0].means, means[1].means, rtol=1e-4, atol=1e-4)


def test_recomputed_soft_labels_are_the_stored_ones() -> None:
    """Without stored soft labels the network that labelled the round gives them in the step, for both teacher views of
    a whole frame."""
    labeller = Pointwise(toy.SPACE.num_classes).eval()
    labeller.embed.data.mul_(-1)
    for view in ("full", "crop"):
        maps = []
        for target in (toy.target_frames(), with_soft(labeller, toy.target_frames())):
            chosen = objective(teacher_view=view)
            chosen.context.teacher = lambda: labeller
            maps.append(chosen.soft_labels(batch_of(chosen, target).target))
        torch.testing.assert_close(maps[0], maps[1], rtol=1e-4, atol=1e-5)


def test_crops_have_their_own_part_of_the_soft_labels() -> None:
    """Where a soft label is certain everywhere of its square's class, the rectified labels of random crops are the
    crops' labels in the middle of the squares, whatever scale, place and mirror were drawn."""

    def certain(view: View) -> np.ndarray:
        one_hot = np.eye(toy.SPACE.num_classes, dtype=np.float32)[view.label]
        return one_hot.transpose(2, 0, 1)[:, ::2, ::2].copy()

    frames = [replace(v, arrays={"soft": certain(v)}) for v in toy.frames("target")]
    chosen = objective(stride=2)
    augmentation = Augmentation(crop_hw=(toy.HEIGHT, toy.HEIGHT), scale_range=(1.0, 1.8))
    chosen.context.training = toy.training(augmentation=augmentation)
    target = batch_of(chosen, frames).target
    assert target is not None and len({cut.geometry for cut in target.cuts}) == len(target.cuts)
    taught = chosen.teach(target)
    expected = chosen.labels_on_grid(target.labels)
    inner = F.max_pool2d(expected.float(), 5, 1, 2) == -F.max_pool2d(-expected.float(), 5, 1, 2)
    assert inner.float().mean() > 0.2
    assert torch.equal(taught.labels[inner], expected[inner])


def test_the_weak_view_of_the_published_budget() -> None:
    """ProDA's own crops (random width, floor arithmetic) reach the same labels by the released path."""

    def certain(view: View) -> np.ndarray:
        return np.eye(toy.SPACE.num_classes, dtype=np.float32)[view.label].transpose(2, 0, 1).copy()

    frames = [replace(v, arrays={"soft": certain(v)}) for v in toy.frames("target")]
    chosen = objective(Pointwise(toy.SPACE.num_classes, aligned=True), stride=2)
    augmentation = Augmentation(crop_hw=(24, 24), nominal_width=toy.WIDTH, scale_range=(1.0, 1.5))
    chosen.context.training = toy.training(augmentation=augmentation)
    target = batch_of(chosen, frames).target
    taught, expected = chosen.teach(target), chosen.labels_on_grid(target.labels)
    inner = F.max_pool2d(expected.float(), 5, 1, 2) == -F.max_pool2d(-expected.float(), 5, 1, 2)
    assert inner.float().mean() > 0.1
    assert (taught.labels == expected)[inner].float().mean() > 0.99


def test_padding_has_no_label_and_no_structure() -> None:
    """Cells outside the frame carry IGNORE and are left out of the structure term, in the strong view too."""
    chosen = objective(stride=2)
    chosen.context.training = toy.training(augmentation=Augmentation(crop_hw=(48, 64)))
    target = batch_of(chosen, toy.frames("target")).target
    taught = chosen.teach(target)
    outside = chosen.labels_on_grid(target.labels) == IGNORE
    assert outside.any() and not outside.all()
    assert torch.equal(taught.labels == IGNORE, outside) and torch.equal(~taught.inside, outside)
    index = target.arrays["strong_index"]
    loud = taught._replace(distances=taught.distances + 1e3 * outside.unsqueeze(1) * torch.randn(1, 5, 1, 1))
    output = chosen.model(target.views["strong"])
    assert torch.equal(
        chosen._structure(output, taught, target)["structure"], chosen._structure(output, loud, target)["structure"]
    )
    assert gather_maps(taught.inside.unsqueeze(1), index, False).any()


def test_a_class_never_seen_gets_no_label_and_its_prototype_at_first_sight() -> None:
    vectors = torch.rand(4, 3) + 1
    vectors[2] = 0
    prototypes = proda.MovingPrototypes(vectors)
    near_origin = torch.zeros(1, 3, 1, 1)
    distances = prototypes.distances(near_origin)
    assert distances.softmax(1).isfinite().all() and float(distances[0, 2]) == proda.UNSEEN_DISTANCE
    means = ClassMeans(torch.rand(2, 4, 3), torch.tensor([[20, 0, 12, 3], [0, 0, 0, 3]]))
    prototypes.move(means, 0.1, 10)
    torch.testing.assert_close(prototypes.vectors[0], 0.9 * vectors[0] + 0.1 * means.means[0, 0])
    assert torch.equal(prototypes.vectors[1], vectors[1]) and torch.equal(prototypes.vectors[3], vectors[3])
    assert torch.equal(prototypes.vectors[2], means.means[0, 2])
    never = proda.MovingPrototypes(torch.zeros(4, 3))
    never.move(means._replace(pixels=torch.zeros(2, 4, dtype=torch.int64)), 0.1, 10)
    assert not never.vectors.any()


def test_parts_have_the_gradient_of_the_whole() -> None:
    """Back-propagating source, weak and strong view in turn gives the gradient of their sum; jointly there is one part
    with the same losses, as this network has no BatchNorm."""
    gradients, values = [], []
    for joint in (False, True):
        chosen = objective(joint_batch=joint, cutout=0.0)
        batch, weights = batch_of(chosen), chosen.weights
        parts = list(chosen.parts(batch))
        assert [sorted(part["model"]) for part in parts] == (
            [["source_ce", "structure", "target_ce", "target_kl", "target_rce"]]
            if joint
            else [["source_ce"], ["target_ce", "target_kl", "target_rce"], ["structure"]]
        )
        named = {name: value for part in parts for name, value in part["model"].items()}
        torch.stack([weights[name] * value for name, value in named.items()]).sum().backward()
        gradients.append(chosen.model.embed.grad.clone())
        values.append(named)
    torch.testing.assert_close(gradients[0], gradients[1])
    assert values[0].keys() == values[1].keys()


def test_the_teacher_follows_and_the_prototypes_move() -> None:
    """Three steps change both; what the loop keeps for a resumed training holds both."""
    chosen = objective(prototype_rate=0.1, decay=0.5)
    before = {n: v.clone() for m in chosen.modules().values() for n, v in m.state_dict().items()}
    toy.trainer(chosen).run()
    after = {n: v for m in chosen.modules().values() for n, v in m.state_dict().items()}
    assert "vectors" in after and "embed" in after
    assert all(not torch.equal(before[name], after[name]) for name in ("vectors", "embed"))


def test_what_it_cannot_do_without_is_named() -> None:
    chosen = toy.objective("supervised")
    chosen.context.label_extras = {}
    with pytest.raises(UserError, match="prototypes"):
        proda.Objective(proda.ProdaParams(), chosen.context)
    blind = objective(Featureless(toy.SPACE.num_classes))
    with pytest.raises(UserError, match="features"):
        blind.teach(batch_of(blind).target)
