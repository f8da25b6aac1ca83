"""ST: one confidence threshold for all classes (``kc_policy=global`` of CBST; cbst.md, 1), which keeps the argmax."""

from udamlf.selection import class_balanced


class Selector(class_balanced.Selector):
    pooled = True
