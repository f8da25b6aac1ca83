"""ST: plain self-training with one confidence threshold for all classes (``kc_policy=global`` of CBST; cbst.md, 1).

The threshold is the k-th largest top-1 confidence of the whole list, k = floor(n * portion); dividing by it does not
change the argmax, so the label is the predicted class where the confidence reaches the threshold.
"""

from __future__ import annotations

from typing import ClassVar

from udamlf.selection.class_balanced import ClassBalanced


class GlobalThreshold(ClassBalanced):
    """Parameters as in ``class_balanced``."""

    pooled: ClassVar[bool] = True
