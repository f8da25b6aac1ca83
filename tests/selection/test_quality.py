"""The label-free quality of pseudo-labels equals a plain count."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tests import toy
from udamlf.common.seeding import rng
from udamlf.config.labels import IGNORE
from udamlf.selection.quality import Quality

CLASSES = toy.SPACE.num_classes


def test_counts_of_several_images_equal_a_plain_count() -> None:
    """A class that is never predicted has no coverage, one that is never kept no confidence; labels may differ from the
    argmax, as CBST's do."""
    draw = rng(0, "quality")
    scores = draw.random((3, 4, 6)).astype(np.float32)
    predicted = draw.integers(0, CLASSES - 1, scores.shape).astype(np.uint8)
    labels = np.where(scores > 0.5, draw.integers(1, CLASSES, scores.shape), IGNORE).astype(np.uint8)
    quality = Quality(CLASSES)
    for image in zip(scores, predicted, labels, strict=True):
        quality.add(*(torch.from_numpy(part) for part in image))
    thresholds = np.linspace(0.1, 0.9, CLASSES)
    thresholds[2] = np.inf
    metrics = quality.metrics(toy.SPACE, thresholds)
    expected = {"pl/coverage": 100 * np.mean(labels != IGNORE)}
    for c, name in enumerate(toy.SPACE.classes):
        if (predicted == c).any():
            expected[f"pl/coverage/{name}"] = 100 * (labels == c).sum() / (predicted == c).sum()
        if (labels == c).any():
            expected[f"pl/confidence/{name}"] = 100 * scores[labels == c].mean()
        if np.isfinite(thresholds[c]):
            expected[f"pl/threshold/{name}"] = thresholds[c]
    assert metrics.keys() == expected.keys()
    assert (
        f"pl/coverage/{toy.SPACE.classes[-1]}" not in metrics and f"pl/confidence/{toy.SPACE.classes[0]}" not in metrics
    )
    np.testing.assert_allclose([metrics[k] for k in expected], list(expected.values()), rtol=1e-6)


def test_online_labels_report_their_quality_and_start_again() -> None:
    """ema_mix: coverage is the confident share of all steps since it was last read."""
    objective: Any = toy.objective("ema_mix", {"threshold": 0.25})
    shares = []
    for step in (0, 1):
        online = objective.teach(toy.batch(objective, step=step).target)
        shares.append(float((online.confidence >= 0.25).float().mean()))
    metrics = objective.scalars()
    assert abs(metrics["pl/coverage"] - 100 * np.mean(shares)) < 1e-3 and 0 < metrics["pl/coverage"] <= 100
    assert any(name.startswith("pl/confidence/") for name in metrics)
    assert objective.scalars() == {}
