"""The contract of every segmentation network, how one is found by name, and what is done to its BatchNorm."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from udamlf.common.errors import UserError
from udamlf.common.seeding import torch_seed
from udamlf.config.parts import Part, Parts, Strict

NETWORKS = Parts("udamlf.models", "Network", "network")
BN_BATCH = 8
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Output(NamedTuple):
    """What a network returns, float: logits [N, C, h, w] at its stride; those of an auxiliary head; features [N, D, h',
    w'], the maps before the classifier (for a transformer: its last stage, which is smaller)."""

    logits: Tensor
    aux: Tensor | None = None
    features: Tensor | None = None
    detail: Tensor | None = None  # logits of a part of the image at full size, which has a loss of its own (HRDA)
    box: tuple[int, int, int, int] | None = None  # that part: y1, y2, x1, x2, pixels

    def needed_features(self, user: str) -> Tensor:
        """The features. UserError: the network returns none, which ``user`` needs."""
        if self.features is None:
            raise UserError(f"{user} needs features, and this network returns none", "another backbone")
        return self.features


def parameter_group(
    name: str, params: Iterable[nn.Parameter], lr_scale: float = 1.0, decay_scale: float = 1.0, visits: int = 1
) -> dict[str, Any]:
    """A group of those ``params`` that are trained; the scales multiply the optimiser's learning rate and decay;
    ``visits``: how often the published optimiser listed them, and stepped them per iteration (advent.md 5.1)."""
    trained = [p for p in params if p.requires_grad]
    return {"name": name, "params": trained, "lr_scale": lr_scale, "decay_scale": decay_scale, "visits": visits}


@lru_cache(maxsize=8)
def _constants(channels: tuple[float, ...], where: torch.device) -> Tensor:
    return torch.tensor([255 * value for value in channels], device=where)


class SegmentationModel(nn.Module):
    """A network: normalised images float [N, 3, H, W] -> ``Output``; H and W need not be multiples of the stride."""

    Params: ClassVar[type[Strict]] = Strict
    mean: tuple[float, float, float] = IMAGENET_MEAN  # RGB on the 0-1 scale
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False  # the channels are reversed afterwards
    align_corners: bool = False
    stored_statistics: bool = False  # BatchNorm uses them in training mode too, and never updates them
    classifier_name: ClassVar[str] = "classifier"  # the module that maps features to classes
    needs_weights: ClassVar[bool] = False  # a checkpoint has not all of them: their file is read whenever it is built
    whole_view: bool = False  # no part of the image is drawn in training mode either: of a teacher
    sees_windows: ClassVar[bool] = False  # its BatchNorm sees windows of the images, more than there are images

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules but BatchNorm with stored statistics, which stays in evaluation mode."""
        super().train(mode)
        if self.stored_statistics:
            for norm in batchnorm_modules(self):
                norm.eval()
        return self

    def normalise(self, images: Tensor) -> Tensor:
        """Images uint8 (or float, 0-255) RGB [N, H, W, 3] to float32 [N, 3, H, W], channels_last in memory."""
        mean, std = (_constants(values, images.device) for values in (self.mean, self.std))
        normalised = ((images.float() - mean) / std).permute(0, 3, 1, 2)
        return normalised.flip(1) if self.bgr else normalised

    def recoloured(self, images: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
        """Normalised images [N, 3, H, W] after a ``change`` of their colours, RGB of 0-1 in that shape."""
        mean, std = (_constants(values, images.device).view(3, 1, 1) / 255 for values in (self.mean, self.std))
        changed = (change((images.flip(1) if self.bgr else images) * std + mean) - mean) / std
        return changed.flip(1) if self.bgr else changed

    def upsample(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """[N, C, h, w] to [N, C, *size], bilinear."""
        return F.interpolate(logits, list(size), mode="bilinear", align_corners=self.align_corners)

    def features(self, images: Tensor) -> Tensor:
        output: Output = self(images)
        return output.needed_features("feature_distance")

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Every trained parameter exactly once."""
        return [parameter_group("all", self.parameters())]


class Ensemble(SegmentationModel):
    """The mean of the logits of networks of one kind (advent.md 1: A+M)."""

    def __init__(self, *members: SegmentationModel) -> None:
        first = members[0]
        super().__init__(first.num_classes)
        self.mean, self.std, self.bgr, self.align_corners = first.mean, first.std, first.bgr, first.align_corners
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Output:
        return Output(torch.stack([member(images).logits for member in self.members]).mean(0))


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Modules made inside get initial weights that depend on (seed, name) alone; torch's global generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "initial weights", name))
        yield


def build(name: str, num_classes: int, *, seed: int = 0, pretrained: bool = True, **options: Any) -> SegmentationModel:
    """The network ``udamlf.models.<name>`` in training mode; ``pretrained=False`` ignores ``weights``, unless it
    ``needs_weights``. UserError: unknown network or option, or unusable weights."""
    if not pretrained and not NETWORKS.find(name).needs_weights:
        options.pop("weights", None)
    params = NETWORKS.params(Part(name=name, **options))
    with seeded(seed, name):
        model: SegmentationModel = NETWORKS.find(name)(num_classes, params)
    return model.train()


def device() -> torch.device:
    """The first GPU this process sees, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def devices() -> list[torch.device]:
    """Every GPU this process sees, or the CPU; the first is ``device()``."""
    return [torch.device("cuda", number) for number in range(torch.cuda.device_count())] or [device()]


def batchnorm_modules(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


def freeze_batchnorm(model: SegmentationModel, affine: bool, statistics: bool) -> None:
    """Take the weights and biases (adversarial-warmup.md 1.4), the statistics or both of BatchNorm out of training."""
    if affine:
        for norm in batchnorm_modules(model):
            norm.requires_grad_(False)
    model.stored_statistics |= statistics


@torch.no_grad()
def reestimate_batchnorm(
    model: SegmentationModel, image: Callable[[int], np.ndarray], count: int, most: int | None = None,
    source_share: Tensor | None = None,
) -> None:  # fmt: skip
    """Replace the running statistics by the plain average over batches of 8 target images (AdaBN, Li et al. 2016), or
    of ``most`` where fewer fit: uint8 RGB [H, W, 3] of one size. A shorter last batch is left out unless it is alone.
    ``source_share`` float32 [C]: as if the target's classes were as frequent as the source's: a pixel weighs share in
    the source / share in the target of its class, within 1/10..10, by the network's own probabilities."""
    training, where, size = model.training, next(model.parameters()).device, min(BN_BATCH, most or BN_BATCH)

    def batches() -> Iterator[Tensor]:
        for start in range(0, max(count // size, 1) * size, size):
            images = [image(index) for index in range(start, min(start + size, count))]
            yield model.normalise(torch.from_numpy(np.stack(images)).to(where))

    model.eval()
    if source_share is None:
        _average_statistics(model, batches())
    else:
        _balance_statistics(model, batches, source_share)
    model.train(training)


def _average_statistics(model: SegmentationModel, batches: Iterable[Tensor]) -> None:
    norms = batchnorm_modules(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # average over all batches
        norm.train()
    for images in batches:
        model(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _balance_statistics(
    model: SegmentationModel, batches: Callable[[], Iterable[Tensor]], source_share: Tensor
) -> None:
    norms, reference = batchnorm_modules(model), copy.deepcopy(model)

    def probabilities(images: Tensor) -> Tensor:
        return reference.upsample(reference(images).logits, images.shape[-2:]).float().softmax(1)

    shares = [probabilities(images).mean((0, 2, 3)) for images in batches()]
    target_share = torch.stack(shares).mean(0).clamp_min(1e-4)
    ratio = (source_share.to(target_share) / target_share).clamp(0.1, 10.0)
    weights = target_share  # of the pixels of the batch at hand, set below
    moments: dict[_BatchNorm, list[Tensor]] = {norm: [] for norm in norms}

    def normalise_by_batch(norm: _BatchNorm, inputs: tuple[Tensor]) -> None:
        pixels = F.interpolate(weights, inputs[0].shape[-2:], mode="area")
        mean = (pixels * inputs[0]).sum((0, 2, 3)) / pixels.sum()
        variance = (pixels * (inputs[0] - mean[:, None, None]) ** 2).sum((0, 2, 3)) / pixels.sum()
        norm.running_mean, norm.running_var = mean, variance
        moments[norm].append(torch.stack([mean, variance]))

    with ExitStack() as hooks:
        for norm in norms:
            hooks.callback(norm.register_forward_pre_hook(normalise_by_batch).remove)
        for images in batches():
            weights = torch.einsum("nchw,c->nhw", probabilities(images), ratio).unsqueeze(1)
            model(images)
    for norm in norms:
        norm.running_mean, norm.running_var = torch.stack(moments[norm]).mean(0)
