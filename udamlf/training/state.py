"""TrainState: everything a killed training needs to go on as if nothing had happened.

Batches, augmentation and dropout are functions of (seed, step), so no generator state is part of it: weights, every
optimiser, the modules an objective keeps (teacher, discriminator, prototypes) and the step are all there is.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from udamlf.errors import UserError
from udamlf.files import atomic_file


class TrainState:
    """A training in progress.

    Args:
        modules: name -> module; the network is called "model".
        optimisers: name -> optimiser.
        key: digest of what the training is a function of; a state of another training is refused.
    """

    def __init__(self, modules: dict[str, nn.Module], optimisers: dict[str, Optimizer], key: str) -> None:
        self.modules, self.optimisers, self.key, self.step = modules, optimisers, key, 0

    def save(self, path: Path) -> None:
        """Write the state atomically: a killed writer leaves the previous state."""
        payload = {
            "key": self.key,
            "step": self.step,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }
        with atomic_file(path) as temporary:
            torch.save(payload, temporary)

    def load(self, path: Path, device: torch.device) -> bool:
        """Go on from ``path`` if it is there.

        Returns:
            Whether a state was loaded.

        Raises:
            UserError: the file is damaged or belongs to another training.
        """
        if not path.exists():
            return False
        hint = f"rm {path}   # starts this training over"
        try:
            payload: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, KeyError) as error:
            raise UserError(f"{path} is damaged: {error}", "a training state written by udamlf", hint) from error
        if payload.get("key") != self.key:
            raise UserError(f"{path} belongs to another training", f"key {self.key[:12]}", hint)
        for name, module in self.modules.items():
            module.load_state_dict(payload["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(payload["optimisers"][name])
        self.step = int(payload["step"])
        return True
