"""Tables and figures from what runs recorded."""

KINDS = {"miniature": "on the miniature (procedural scenes)", "real": "on real data"}
"""What every table and figure says of its data, so that nobody mistakes the miniature's numbers for Cityscapes'."""
