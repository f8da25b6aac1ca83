"""Pseudo-label selectors, one file per family and found by name, and the pure functions they are made of."""
