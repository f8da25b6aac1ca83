"""Prototypes: the matrix forms equal the released loops, and one pass can be split and continued."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from udamlf.config.labels import IGNORE
from udamlf.methods.proda import feature_distances, move_prototypes, prototype_weights, rectified_labels, rectify
from udamlf.selection.soft import ClassMeans, Prototypes, class_means, update_prototypes

CLASSES, DIMENSION, MIN_PIXELS = 5, 6, 4
EMPTY = Prototypes(torch.zeros(CLASSES, DIMENSION).double(), torch.zeros(CLASSES).double())


def example(images: int = 7, hw: tuple[int, int] = (6, 8), seed: int = 0) -> tuple[Tensor, Tensor]:
    """(features, classes); some pixels ignored, the last class rare."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(images, DIMENSION, *hw, generator=generator)
    classes = torch.randint(0, 12, (images, *hw), generator=generator) // 2
    return features, classes.masked_fill(classes == CLASSES, IGNORE)


def direct_fold(state: Prototypes, batch: ClassMeans, cap: int) -> Prototypes:
    """The released rule, one (image, class) at a time."""
    vectors, counts = state.vectors.clone(), state.counts.clone()
    for n in range(len(batch.pixels)):
        for c in range(CLASSES):
            if batch.pixels[n, c] >= MIN_PIXELS:
                vectors[c] = (counts[c] * vectors[c] + batch.means[n, c]) / (counts[c] + 1)
                counts[c] = min(counts[c] + 1, cap)
    return Prototypes(vectors, counts)


def same(one: Prototypes, other: Prototypes) -> None:
    torch.testing.assert_close(one.vectors, other.vectors, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(one.counts, other.counts, rtol=0, atol=0)


def test_class_means_equal_the_direct_loop() -> None:
    """Means and counts of every (image, class); ignored pixels count for nothing, absent classes give 0."""
    features, classes = example()
    classes[0][classes[0] == 2] = IGNORE
    batch = class_means(features, classes, CLASSES)
    for n in range(len(features)):
        for c in range(CLASSES):
            mask = classes[n] == c
            assert batch.pixels[n, c] == mask.sum()
            expected = features[n][:, mask].mean(1) if mask.any() else torch.zeros(DIMENSION)
            torch.testing.assert_close(batch.means[n, c], expected)
    assert batch.pixels[0, 2] == 0


def test_means_on_a_finer_grid_equal_upsampled_features() -> None:
    """Reducing the masks gives what upsampling the features would give."""
    features, _ = example(hw=(5, 7))
    _, classes = example(hw=(13, 20), seed=1)
    batch = class_means(features, classes, CLASSES)
    upsampled = F.interpolate(features, (13, 20), mode="bilinear", align_corners=True)
    torch.testing.assert_close(batch.means, class_means(upsampled, classes, CLASSES).means, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cap", [2, 3, 3000])
def test_update_equals_the_sequential_rule(cap: int) -> None:
    """Below, at and beyond the cap, continued from a state that is not empty."""
    batch = class_means(*example(), CLASSES)
    state = Prototypes(torch.ones(CLASSES, DIMENSION).double(), torch.tensor([0.0, 1, 2, 1, 0]).double())
    same(update_prototypes(state, batch, MIN_PIXELS, cap), direct_fold(state, batch, cap))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 7), max_size=3))
def test_any_split_of_the_images_gives_one_pass(cuts: list[int]) -> None:
    """Batches of any size, folded in turn, end in the same prototypes."""
    features, classes = example()
    state = EMPTY
    whole = update_prototypes(EMPTY, class_means(features, classes, CLASSES), MIN_PIXELS)
    for first, last in pairwise([0, *sorted(cuts), len(features)]):
        if first < last:
            batch = class_means(features[first:last], classes[first:last], CLASSES)
            state = update_prototypes(state, batch, MIN_PIXELS)
    same(state, whole)


def test_a_class_never_seen_keeps_its_prototype() -> None:
    """Neither update divides by 0 nor touches a class without enough pixels."""
    features, classes = example()
    batch = class_means(features, classes.masked_fill(classes == 1, IGNORE), CLASSES)
    state = update_prototypes(EMPTY, batch, MIN_PIXELS)
    assert state.counts[1] == 0 and (state.vectors[1] == 0).all() and state.vectors.isfinite().all()
    before = torch.ones(CLASSES, DIMENSION)
    assert (move_prototypes(before, batch, 0.5, MIN_PIXELS)[1] == 1).all()


def test_moving_equals_the_sequential_rule() -> None:
    """One momentum step per (image, class); a mean that sums to exactly 0 is skipped."""
    batch = class_means(*example(), CLASSES)
    batch.means[1, 3] = torch.tensor([1.0, -1, 2, -2, 0, 0])
    expected = torch.randn(CLASSES, DIMENSION, generator=torch.Generator().manual_seed(3)).double()
    moved = move_prototypes(expected, batch, 0.1, MIN_PIXELS)
    for n in range(len(batch.pixels)):
        for c in range(CLASSES):
            if batch.pixels[n, c] >= MIN_PIXELS and (n, c) != (1, 3):
                expected[c] = 0.9 * expected[c] + 0.1 * batch.means[n, c].double()
    torch.testing.assert_close(moved, expected)


def test_distances_equal_the_norm_far_from_the_origin() -> None:
    """Centring keeps float32 exact enough when all features share a large offset."""
    features, _ = example()
    vectors = torch.randn(CLASSES, DIMENSION, generator=torch.Generator().manual_seed(1))
    for offset in (0.0, 100.0):
        moved = features + offset
        direct = torch.linalg.vector_norm(moved.unsqueeze(1) - (vectors + offset).view(1, CLASSES, -1, 1, 1), dim=2)
        torch.testing.assert_close(feature_distances(moved, vectors + offset), direct, rtol=0, atol=1e-4)


def test_distance_gradient_is_finite_on_a_prototype() -> None:
    """A feature that equals its prototype has distance about 0 and a finite gradient."""
    vectors = torch.eye(CLASSES, DIMENSION)
    features = vectors.T.reshape(1, DIMENSION, 1, CLASSES).clone().requires_grad_()
    distances = feature_distances(features, vectors)
    distances.sum().backward()
    assert distances[0, :, 0].diagonal().max() < 1e-3
    assert features.grad is not None and features.grad.isfinite().all()


def test_rectification_moves_a_label_to_the_near_prototype() -> None:
    """The weights can overrule the soft label; a threshold ignores; equal distances change nothing."""
    soft = torch.tensor([0.5, 0.4, 0.1]).view(1, 3, 1, 1)
    near = prototype_weights(torch.tensor([5.0, 1.0, 5.0]).view(1, 3, 1, 1))
    rectified = rectify(soft, near)
    assert rectified_labels(rectified).item() == 1
    torch.testing.assert_close(rectified.sum(1), torch.ones(1, 1, 1))
    torch.testing.assert_close(rectify(soft, prototype_weights(torch.ones(1, 3, 1, 1))), soft)
    assert rectified_labels(soft, threshold=0.6).item() == IGNORE
    assert (rectify(soft * 0, near) == 0).all()


def test_a_pixel_of_a_class_never_seen_keeps_its_label() -> None:
    """Its soft label is one-hot, as four stored classes in half precision are, and that class has no weight."""
    soft = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    unseen = prototype_weights(torch.tensor([2.0, 1e4, 3.0]).view(1, 3, 1, 1))
    assert unseen[0, 1] == 0
    rectified = rectify(soft, unseen)
    assert torch.equal(rectified, soft) and rectified_labels(rectified).item() == 1
