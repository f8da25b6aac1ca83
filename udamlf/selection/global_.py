"""ST: plain self-training with one confidence threshold for all classes (``kc_policy=global`` of CBST; cbst.md, 1).

Dividing by it does not change the argmax, so the label is the predicted class where the confidence reaches it."""

from udamlf.selection import class_balanced


class Selector(class_balanced.Selector):
    """Parameters as in ``class_balanced``."""

    pooled = True
