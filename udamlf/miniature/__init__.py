"""The embedded miniature: a procedural generator of street scenes with all 19 Cityscapes classes.

``style`` holds the knobs of a domain, ``palette`` the materials, ``canvas`` the painter, ``things`` and ``street`` the
scene, ``appearance`` the picture, ``frame`` one frame, ``world`` the data sets on disk."""

from udamlf.miniature.world import DATA_SETS, DEFAULT_FRAMES, Frames, cached_world, generate

__all__ = ["DATA_SETS", "DEFAULT_FRAMES", "Frames", "cached_world", "generate"]
