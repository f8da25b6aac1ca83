"""TrainState: everything a killed training needs to go on as if nothing had happened.

Batches, augmentation and dropout are functions of (seed, step), so no generator state is part of it: weights, every
optimiser, the modules an objective keeps (teacher, discriminator, prototypes), the scale of the loss and the step are
all there is."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from udamlf.common.errors import UserError
from udamlf.common.files import atomic_file

DIGEST_BYTES = hashlib.sha256().digest_size


class TrainState:
    """A training in progress: modules by name, the network is called "model", and optimisers by name.

    ``key`` is the digest of what the training is a function of; a state of another training is refused."""

    def __init__(
        self,
        modules: dict[str, nn.Module],
        optimisers: dict[str, Optimizer],
        key: str,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.modules, self.optimisers, self.key, self.step = modules, optimisers, key, 0
        self.scaler = scaler or torch.amp.GradScaler(enabled=False)

    def save(self, path: Path) -> None:
        """Write the state: a SHA-256 digest, without which a flipped bit would become a weight, and what ``torch.save``
        writes. The previous state stays when the writer is killed or the disk is full (UserError)."""
        payload = {
            "key": self.key,
            "step": self.step,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimisers": {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
            "scaler": self.scaler.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(payload, buffer)
        with atomic_file(path) as temporary, open(temporary, "wb") as handle:
            handle.write(hashlib.sha256(buffer.getbuffer()).digest())
            handle.write(buffer.getbuffer())

    def load(self, path: Path, device: torch.device) -> bool:
        """Go on from ``path``; False if it is not there. UserError: it is damaged or belongs to another training."""
        if not path.exists():
            return False
        hint = f"rm {path}   # starts this training over"
        data = memoryview(path.read_bytes())
        if hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
            raise UserError(f"{path} is damaged", "a training state written by udamlf", hint)
        payload: dict[str, Any] = torch.load(io.BytesIO(data[DIGEST_BYTES:]), map_location=device, weights_only=True)
        if payload["key"] != self.key:
            raise UserError(f"{path} belongs to another training", f"key {self.key[:12]}", hint)
        for name, module in self.modules.items():
            module.load_state_dict(payload["modules"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(payload["optimisers"][name])
        if payload["scaler"]:  # empty where nothing is scaled
            self.scaler.load_state_dict(payload["scaler"])
        self.step = int(payload["step"])
        return True
