"""Augmentation as pure functions of uint8 arrays and an explicit generator."""
