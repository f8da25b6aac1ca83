"""Losses of ProDA (arXiv 2101.10979): noise-robust cross-entropy, structure consistency, distillation.

Its uniform regulariser is ``basic.kl_to_uniform`` over all pixels (``MRKLD``; minus ``basic.entropy`` is ``MRENT``).
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from udamlf.data.labels import IGNORE
from udamlf.losses.basic import cross_entropy, masked_mean


def reverse_cross_entropy(
    logits: Tensor, labels: Tensor, probability_floor: float = 1e-7, label_floor: float = 1e-4, count_eps: float = 1e-6
) -> Tensor:
    """-sum_c q_c log g_c over the pixels with a label, q the clamped prediction, g the clamped one-hot label.

    ProDA, section 7.5; symmetric cross-entropy learning (arXiv 1908.06112). As log g is 0 for the label and
    log(label_floor) elsewhere, it is -log(label_floor) (sum_c q_c - q_label). 0..9.21 at the default floors.

    Args:
        logits: float [N,C,h,w].
        labels: int64 [N,h,w], train ids or IGNORE.
        count_eps: added to the number of pixels in the divisor.
    """
    valid = labels != IGNORE
    probabilities = F.softmax(logits, 1).clamp(min=probability_floor)
    of_label = probabilities.gather(1, labels.masked_fill(~valid, 0).unsqueeze(1)).squeeze(1)
    wrong = (probabilities.sum(1) - of_label).masked_fill(~valid, 0.0)
    return -math.log(label_floor) * wrong.sum() / (valid.sum() + count_eps)


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, alpha: float = 0.1, beta: float = 1.0) -> Tensor:
    """alpha x cross-entropy + beta x reverse cross-entropy (ProDA, section 7.5); arguments as there."""
    return alpha * cross_entropy(logits, labels) + beta * reverse_cross_entropy(logits, labels)


def structure_consistency(
    student_distances: Tensor, teacher_distances: Tensor, valid: Tensor, distance_scale: float = 1.0
) -> Tensor:
    """KL(teacher || student) of the prototype assignments, mean over valid pixels AND classes (ProDA, section 7.6).

    So it is the usual per-pixel KL divided by C; the published weight 10 belongs to this form.

    Args:
        student_distances: float [N,C,h,w] in the strong view; the gradient flows through these alone.
        teacher_distances: float [N,C,h,w] moved to the strong view.
        valid: bool [N,h,w], False where the strong view shows nothing of the teacher's map.
        distance_scale: multiplies the distances.
    """
    teacher = F.log_softmax(-distance_scale * teacher_distances.detach(), 1)
    student = F.log_softmax(-distance_scale * student_distances, 1)
    return masked_mean(F.kl_div(student, teacher, reduction="none", log_target=True).mean(1), valid)


def distillation(
    student_logits: Tensor, teacher_logits: Tensor, form: Literal["corrected", "released"] = "corrected"
) -> Tensor:
    """Distillation of stages 2 and 3, mean over pixels and classes (ProDA, section 9).

    Args:
        student_logits, teacher_logits: float [N,C,h,w]; no gradient flows through the teacher.
        form: "corrected" is KL(teacher || student) / C. "released" takes the student's probability where its
            logarithm belongs, a bug its authors confirmed; the published checkpoints were trained with it.
    """
    log_teacher = F.log_softmax(teacher_logits.detach(), 1)
    if form == "corrected":
        return F.kl_div(F.log_softmax(student_logits, 1), log_teacher, reduction="none", log_target=True).mean()
    return (log_teacher.exp() * (log_teacher - torch.softmax(student_logits, 1))).mean()
