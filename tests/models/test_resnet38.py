"""ResNet-38's published weights, renamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from udamlf.common.errors import UserError
from udamlf.models.base import build
from udamlf.models.resnet38 import Network

WIDTH = 2


def published(model: Network) -> dict[str, np.ndarray]:
    """The network's tensors under their published names, as MXNet's files have them."""
    state = model.state_dict()
    names = model.upstream_names()
    return {f"{'aux' if 'moving' in names[n] else 'arg'}:{names[n]}": state[n].numpy() for n in names}


def test_published_weights_replace_everything_but_the_head(tmp_path: Path) -> None:
    """A network of another number of classes takes all tensors of the body and keeps its own head."""
    origin = build("resnet38", 1000, seed=1, width=WIDTH)
    np.savez(tmp_path / "weights.npz", **published(origin))
    model = build("resnet38", 5, width=WIDTH, weights=str(tmp_path / "weights.npz"))
    published_state, taken = origin.state_dict(), model.state_dict()
    body = [n for n in taken if not n.startswith(("head.", "classifier.")) and not n.endswith("num_batches_tracked")]
    assert len(body) > 100 and all(torch.equal(published_state[name], taken[name]) for name in body)
    assert taken["classifier.weight"].shape[0] == 5


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    """Nothing is silently left at its random value."""
    arrays = published(build("resnet38", 5, width=WIDTH))
    arrays.pop("arg:conv1a_weight")
    np.savez(tmp_path / "weights.npz", **arrays)
    with pytest.raises(UserError, match=r"stem\.weight is missing"):
        build("resnet38", 5, width=WIDTH, weights=str(tmp_path / "weights.npz"))
    np.savez_compressed(tmp_path / "bomb.npz", w=np.zeros(1 << 22, np.float32))
    with pytest.raises(UserError, match="it would grow to 16 MiB"):
        build("resnet38", 5, width=WIDTH, weights=str(tmp_path / "bomb.npz"))
    (tmp_path / "broken.npz").write_bytes(b"PK damaged")
    with pytest.raises(UserError, match="cannot read"):
        build("resnet38", 5, width=WIDTH, weights=str(tmp_path / "broken.npz"))
