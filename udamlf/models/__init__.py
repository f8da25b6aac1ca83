"""Segmentation networks (one file each, found by name), discriminators, and other projects' checkpoints."""
