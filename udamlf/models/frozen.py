"""Weights that are never trained, and are stored nowhere but in the file that they come from."""

import copy
import hashlib
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn

from udamlf.common.errors import UserError


class Frozen(nn.Module):
    """Holds a module outside of the tree of modules, always in evaluation mode: no parameter of the network, so that no
    optimiser steps it, no teacher averages it and no state holds it; copies on one device share it. What a state has of
    it is the SHA-256 of its tensors, and it takes no state with another one (UserError)."""

    module: nn.Module
    digest: Tensor  # uint8 [32]

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__["module"] = module.requires_grad_(False).eval()  # which torch does not see
        content = hashlib.sha256()
        for name, value in module.state_dict().items():
            content.update(f"{name} {list(value.shape)}".encode())
            content.update(value.contiguous().numpy())
        self.register_buffer("digest", torch.tensor(list(content.digest()), dtype=torch.uint8))

    def forward(self, *inputs: Any) -> Any:
        return self.module(*inputs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        clone = copy.copy(self)
        clone._buffers = dict(self._buffers)
        return clone

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if any(fn(value) is not value for value in self.module.parameters()):  # those that share it keep theirs
            self.__dict__["module"] = copy.deepcopy(self.module)._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        stored = state_dict.get(f"{prefix}digest")
        if stored is not None and not torch.equal(stored.cpu(), self.digest.cpu()):
            actual, expected = (bytes(value.tolist()).hex()[:12] for value in (self.digest, stored))
            message = f"frozen weights {actual}, but those were trained on {expected}"
            raise UserError(message, "the file of the training: --set profile.model.weights=FILE")
        super()._load_from_state_dict(state_dict, prefix, *rest)


def frozen_parameters(model: nn.Module) -> int:
    """How many numbers are in a network's frozen parts."""
    held = (module.module for module in model.modules() if isinstance(module, Frozen))
    return sum(parameter.numel() for module in held for parameter in module.parameters())
