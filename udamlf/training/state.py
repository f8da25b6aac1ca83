"""Everything a killed training needs to go on as if nothing had happened: weights, optimisers, the modules an objective
keeps, the scale of the loss and the step. Batches and dropout are functions of (seed, step): no generator has state."""

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
    """A training in progress, the network is called "model"; a state with another ``key`` is refused."""

    def __init__(
        self, modules: dict[str, nn.Module], optimisers: dict[str, Optimizer], key: str,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:  # fmt: skip
        self.key, self.step, self.modules = key, 0, modules
        self.parts: dict[str, Any] = {**modules, **{f"optimiser {n}": o for n, o in optimisers.items()}}
        self.parts["scaler"] = scaler or torch.amp.GradScaler(enabled=False)
        self.sums: dict[str, torch.Tensor | float] = {}  # of losses, over the steps since metrics were last taken
        self.summed_steps = 0

    def save(self, path: Path) -> None:
        """Write the state behind a SHA-256 digest of it; the previous one stays when that fails (UserError)."""
        buffer, states = io.BytesIO(), {name: part.state_dict() for name, part in self.parts.items()}
        payload = {"key": self.key, "step": self.step, "sums": self.sums, "summed_steps": self.summed_steps}
        torch.save({**payload, "states": states}, buffer)
        with atomic_file(path) as temporary, open(temporary, "wb") as handle:
            handle.write(hashlib.sha256(buffer.getbuffer()).digest())
            handle.write(buffer.getbuffer())

    def load(self, path: Path) -> bool:
        """Go on from ``path``; False if it is not there. UserError: it is damaged or belongs to another training."""
        if not path.exists():
            return False
        hint = f"rm {path}   # starts this training over"
        data = memoryview(path.read_bytes())
        if hashlib.sha256(data[DIGEST_BYTES:]).digest() != data[:DIGEST_BYTES]:
            raise UserError(f"{path} is damaged", "a training state written by udamlf", hint)
        try:
            # On the CPU: a step counter of Adam's that is on a GPU is read back for every parameter in every step.
            payload: Any = torch.load(io.BytesIO(data[DIGEST_BYTES:]), map_location="cpu", weights_only=True)
            if payload["key"] != self.key:
                raise UserError(f"{path} belongs to another training", f"key {self.key[:12]}", hint)
            for name, part in self.parts.items():
                if payload["states"][name]:  # the scaler's is empty where nothing is scaled
                    part.load_state_dict(payload["states"][name])
            self.step, self.sums, self.summed_steps = (payload[name] for name in ("step", "sums", "summed_steps"))
        except UserError:
            raise
        except Exception as error:  # its digest fits; torch and zipfile raise anything for what others wrote
            message = f"{path} is no training state: {error!r}"[:300]
            raise UserError(message, "one that udamlf has written", hint) from error
        return True
