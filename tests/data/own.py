"""A folder data set of two domains and three classes, as a user has one, and the ten lines that describe it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml

CLASSES = ("path", "crop", "weed")
SCENARIO = """
name: day2night
title: fields by day to fields by night
datasets:
  fields: {images: images/**/*.png, labels: masks/**/*.png, ids: [path, crop, weed]}
label_space: {classes: [path, crop, weed]}
splits:
  source_train: {dataset: fields, split: day/*}
  target_train: {dataset: fields, split: night/*}
  target_test: {dataset: fields, split: test}
report: target_test
"""


def frame(seed: int, size_hw: tuple[int, int] = (32, 64)) -> tuple[np.ndarray, np.ndarray]:
    """An image, BGR, and its ids: squares of the three classes in their colours, with noise; a column is ignored."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 3, (size_hw[0] // 8, size_hw[1] // 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    colours = np.array([[120, 120, 120], [60, 160, 60], [30, 60, 200]])
    image = colours[ids] + generator.normal(0, 20, (*size_hw, 3))
    ids[:, :2] = 255
    return image.clip(0, 255).astype(np.uint8), ids


def write_fields(root: Path, frames: int = 4) -> Path:
    """Write day/ (labelled) and night/ (its last two labelled, and listed as ``test``); the scenario's file."""
    fields = root / "fields"
    for number in range(2 * frames):
        day = number < frames
        name = f"{'day' if day else 'night'}/{number:03d}.png"
        image, ids = frame(number)
        for folder, pixels in (("images", image if day else image // 2), ("masks", ids)):
            if folder == "images" or day or number >= 2 * frames - 2:
                (fields / folder / name).parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(fields / folder / name), pixels)
    (fields / "lists").mkdir()
    (fields / "lists" / "test.txt").write_text("".join(f"night/{n:03d}\n" for n in (2 * frames - 2, 2 * frames - 1)))
    return write_scenario(root)


def write_scenario(root: Path, **changes: object) -> Path:
    """The scenario's file beside the data, with other values of its keys."""
    path = root / "day2night.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(SCENARIO), **changes}), encoding="utf-8")
    return path
