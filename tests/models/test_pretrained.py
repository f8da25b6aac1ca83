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

from udamlf.errors import UserError
from udamlf.models.base import build
from udamlf.models.resnet import ResNet
from udamlf.models.weight_files import fetch


def backbone(seed: int) -> ResNet:
    torch.manual_seed(seed)
    return ResNet(26, "torchvision", width=4)


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
    """All of them, counted; heads of the file are not looked at."""
    path, state = classifier_file(tmp_path, layout)
    network = backbone(2)
    assert network.load_imagenet(path) == len(state)
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


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
    found, expected = (model.backbone.conv1(model.normalise(images)) for model in (caffe, plain))
    bound = 1.03 / (255 * 0.224) * state["conv1.weight"].abs().sum((1, 2, 3)).max()
    assert (found - expected).abs().max() < bound
    assert torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1] > 0.999


def test_weights_of_another_network_are_refused_whole(tmp_path: Path) -> None:
    """Nothing is copied when one tensor does not fit."""
    path, _ = classifier_file(tmp_path)
    network = ResNet(26, "torchvision", width=8)
    before = network.conv1.weight.clone()
    with pytest.raises(UserError, match="another shape"):
        network.load_imagenet(path)
    assert torch.equal(before, network.conv1.weight)
    with pytest.raises(UserError, match="depth 26"):
        network.load_imagenet("imagenet")


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


def test_download_happens_once_and_is_checked(server: tuple[str, Path], tmp_path: Path) -> None:
    """The second call needs no server; a local copy that was damaged since is noticed."""
    url, folder = server
    content = b"weights" * 1000
    name = f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    path = fetch(f"{url}/{name}", tmp_path / "cache")
    assert path.read_bytes() == content
    (folder / name).unlink()
    assert fetch(f"{url}/{name}", tmp_path / "cache") == path
    path.write_bytes(b"damaged")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(f"{url}/{name}", tmp_path / "cache")


def test_failed_downloads_leave_nothing(server: tuple[str, Path], tmp_path: Path) -> None:
    """Wrong content, a missing file and a closed port: no file stays, and the local way out is named."""
    url, folder = server
    (folder / "net-00000000.pth").write_bytes(b"other content")
    with pytest.raises(UserError, match="SHA-256"):
        fetch(f"{url}/net-00000000.pth", tmp_path / "cache")
    for address in (f"{url}/absent.pth", "http://127.0.0.1:9/net.pth"):
        with pytest.raises(UserError, match="local file"):
            fetch(address, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
