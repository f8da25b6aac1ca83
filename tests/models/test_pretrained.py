"""ImageNet weights: from local files of three layouts, and from the network with their hash checked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor

from udamlf.common.errors import UserError
from udamlf.models.base import build
from udamlf.models.resnet import ResNet, ResNetParams
from udamlf.models.weight_files import read_weights


def backbone(seed: int, width: int = 4, weights: Path | None = None) -> ResNet:
    torch.manual_seed(seed)
    params = ResNetParams(depth=26, width=width, weights=None if weights is None else str(weights))
    return ResNet(params, "torchvision")


def classifier_file(folder: Path, layout: str = "torchvision") -> tuple[Path, dict[str, Tensor]]:
    """A weight file of a whole classification network, without BatchNorm counters as old files are."""
    state = {k: v for k, v in backbone(1).state_dict().items() if not k.endswith("num_batches_tracked")}
    whole = state | {"fc.weight": torch.zeros(10, 128)}
    content: dict = {
        "torchvision": whole,
        "adaptsegnet": {f"Scale.{k}": v for k, v in whole.items()}
        | {"Scale.layer5.conv2d_list.0.bias": torch.zeros(3)},
        "simclr": {"state_dict": whole},
    }[layout]
    path = folder / f"{layout}.pth"
    torch.save(content, path)
    return path, state


@pytest.mark.parametrize("layout", ["torchvision", "adaptsegnet", "simclr"])
def test_every_backbone_tensor_is_copied(layout: str, tmp_path: Path) -> None:
    """Heads of the file are not looked at."""
    path, state = classifier_file(tmp_path, layout)
    loaded = backbone(2, weights=path).state_dict()
    assert {name for name in loaded if not name.endswith("num_batches_tracked")} == set(state)
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_weights_option_reaches_the_backbone(tmp_path: Path) -> None:
    """``weights: file`` initialises the backbone and leaves the head to the seed."""
    path, state = classifier_file(tmp_path)
    model = build("deeplabv2", 5, depth=26, width=4, weights=str(path))
    fresh = build("deeplabv2", 5, depth=26, width=4)
    assert torch.equal(model.backbone.conv1.weight, state["conv1.weight"])
    assert torch.equal(model.head.branches[0].weight, fresh.head.branches[0].weight)


@pytest.mark.parametrize("layout", ["torchvision", "adaptsegnet"])
def test_a_network_fed_like_caffe_takes_both_kinds_of_file(layout: str, tmp_path: Path) -> None:
    """torchvision's first convolution gives on BGR of 0-255 what it gave on normalised RGB, but for the means, which
    differ by at most 1.03 of 255; a file that was trained on BGR is left as it is."""
    path, state = classifier_file(tmp_path, layout)
    caffe, plain = (build("deeplabv2", 5, variant=v, depth=26, width=4, weights=str(path)) for v in ("advent", "iast"))
    if layout == "adaptsegnet":
        assert torch.equal(caffe.backbone.conv1.weight, state["conv1.weight"])
        return
    images = torch.randint(0, 256, (2, 40, 60, 3), generator=torch.Generator().manual_seed(0))
    converted, expected = (model.backbone.conv1(model.normalise(images)) for model in (caffe, plain))
    bound = 1.03 / (255 * 0.224) * state["conv1.weight"].abs().sum((1, 2, 3)).max()
    assert (converted - expected).abs().max() < bound
    assert torch.corrcoef(torch.stack([converted.flatten(), expected.flatten()]))[0, 1] > 0.999


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path, _ = classifier_file(tmp_path)
    with pytest.raises(UserError, match="another shape"):
        backbone(1, width=8, weights=path)


@pytest.fixture()
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A real HTTP server and the folder it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()
        thread.join()


@pytest.fixture()
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torch.hub keeps its files."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


def test_a_file_is_downloaded_once_and_a_damaged_copy_noticed(server: tuple[str, Path], cache: Path) -> None:
    """The second call needs no server; the place of the copy is named when it cannot be read."""
    url, folder = server
    path, state = classifier_file(folder)
    name = f"net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(folder / name)
    for _ in range(2):
        assert torch.equal(read_weights(f"{url}/{name}")["conv1.weight"], state["conv1.weight"])
        (folder / name).unlink(missing_ok=True)
    copy = cache / name
    copy.write_bytes(copy.read_bytes()[:1000])
    with pytest.raises(UserError, match=f"cannot read[^|]*copy the file to {copy}"):
        read_weights(f"{url}/{name}")


def test_failed_downloads_leave_nothing(server: tuple[str, Path], cache: Path) -> None:
    """Wrong content, a missing file and a closed port: no file stays, and the place to put it by hand is named."""
    url, folder = server
    (folder / "net-00000000.pth").write_bytes(b"other content")
    with pytest.raises(UserError, match="invalid hash"):
        read_weights(f"{url}/net-00000000.pth")
    for address in (f"{url}/absent.pth", "http://127.0.0.1:9/absent.pth"):
        with pytest.raises(UserError, match=f"copy the file to {cache / 'absent.pth'}"):
            read_weights(address)
    assert list(cache.iterdir()) == []
