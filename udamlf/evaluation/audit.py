"""How good pseudo-labels are, judged by the target's true labels: read after the fact, by nobody who trains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from udamlf.data.dataset import DataSet, Sample
from udamlf.data.labels import LabelSpace
from udamlf.data.resize import resize_label
from udamlf.evaluation.confusion import confusion_matrix
from udamlf.pseudo_labels import PseudoLabels


def audit(labels: PseudoLabels, dataset: DataSet, samples: Sequence[Sample], space: LabelSpace) -> dict[str, float]:
    """Precision of published pseudo-labels.

    Returns:
        ``pl/precision`` and ``pl/precision/<class>``: percent of the kept pixels (with a known truth) whose label is
        right; a class without kept pixels has none.
    """
    total = np.zeros((space.num_classes, space.num_classes), np.int64)
    for sample in samples:
        if sample.label is None or sample.name not in labels:
            continue
        truth = dataset.read_label(sample, space)
        label = resize_label(labels.label(sample.name), truth.shape[:2])
        total += confusion_matrix(label, truth, space.num_classes)
    kept, right = total.sum(0), np.diag(total)
    metrics = {
        f"pl/precision/{name}": 100.0 * float(right[c] / kept[c]) for c, name in enumerate(space.classes) if kept[c]
    }
    if kept.sum():
        metrics["pl/precision"] = 100.0 * float(right.sum() / kept.sum())
    return metrics
