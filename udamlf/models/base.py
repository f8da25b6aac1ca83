"""The contract of every segmentation network, how one is found by name, and what is done to its BatchNorm."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from types import ModuleType
from typing import Any, NamedTuple, NotRequired, Self, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from udamlf.errors import UserError, nearest
from udamlf.seeding import torch_seed

PACKAGE = "udamlf.models"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Output(NamedTuple):
    """What a network returns, everything at network stride, float.

    Attributes:
        logits: [N, C, h, w].
        aux: logits of an auxiliary head [N, C, h, w], or None.
        features: [N, D, h, w], the layer prototypes are made of, or None.
    """

    logits: Tensor
    aux: Tensor | None = None
    features: Tensor | None = None


class ParameterGroup(TypedDict):
    """Parameters that share a learning rate and a weight decay, both relative to the optimiser's base values.

    ``visits`` (default 1) is how often the published optimiser stepped these parameters per iteration, because it
    listed them several times (advent.md 5.1).
    """

    name: str
    params: list[nn.Parameter]
    lr_scale: float
    decay_scale: float
    visits: NotRequired[int]


class SegmentationModel(nn.Module):
    """A network from images to class logits.

    Attributes:
        num_classes: C, output channels.
        mean, std: normalisation, RGB, on the 0-1 scale.
        bgr: the network was trained on blue-green-red channel order.
        align_corners: convention of every bilinear interpolation of its output.
        stored_statistics: BatchNorm uses its stored statistics in training mode too, and never updates them.
    """

    num_classes: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    bgr: bool = False
    align_corners: bool = False
    stored_statistics: bool = False

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        if num_classes < 2:
            raise UserError(f"a segmentation network of {num_classes} classes", "num_classes >= 2")
        self.num_classes = num_classes

    def forward(self, images: Tensor) -> Output:
        """Logits of normalised images float [N, 3, H, W]; H and W need not be multiples of the stride."""
        raise TypeError(f"{type(self).__name__} has no forward")

    def train(self, mode: bool = True) -> Self:
        """Training mode (or evaluation mode) for all but the BatchNorm of networks with stored statistics."""
        super().train(mode)
        if self.stored_statistics:
            for norm in batchnorm_modules(self):
                norm.eval()
        return self

    def normalise(self, images: Tensor) -> Tensor:
        """Images uint8 (or float, 0-255) RGB [N, H, W, 3] to float32 [N, 3, H, W], channels_last in memory."""
        mean, std = (torch.tensor([255 * v for v in values], device=images.device) for values in (self.mean, self.std))
        normalised = ((images.float() - mean) / std).permute(0, 3, 1, 2)
        return normalised.flip(1) if self.bgr else normalised

    def upsample(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """[N, C, h, w] to [N, C, *size], bilinear."""
        return F.interpolate(logits, size, mode="bilinear", align_corners=self.align_corners)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Every trained parameter exactly once; parameters that need no gradient are left out."""
        return parameter_groups([("all", self.parameters(), 1.0, 1.0)])


def parameter_groups(groups: Iterable[tuple[str, Iterable[nn.Parameter], float, float]]) -> list[ParameterGroup]:
    """Groups from (name, parameters, lr_scale, decay_scale), without frozen parameters and without empty groups."""
    trained = [(name, [p for p in params if p.requires_grad], lr, decay) for name, params, lr, decay in groups]
    return [
        {"name": name, "params": params, "lr_scale": lr, "decay_scale": decay}
        for name, params, lr, decay in trained
        if params
    ]


def _defines_model(module: ModuleType) -> bool:
    own = (value for value in vars(module).values() if getattr(value, "__module__", None) == module.__name__)
    return any(
        isinstance(value, type) and issubclass(value, SegmentationModel) and value is not SegmentationModel
        for value in own
    )


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__))


def available() -> list[str]:
    """Names accepted by ``build``: the modules of this package that define a ``SegmentationModel``."""
    return [name for name in _modules() if _defines_model(importlib.import_module(f"{PACKAGE}.{name}"))]


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Modules made inside get initial weights that depend on (seed, name) alone; torch's global generator is kept."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "initial weights", name))
        yield


def find(name: str, options: Mapping[str, Any]) -> Callable[..., SegmentationModel]:
    """The builder of the network ``udamlf.models.<name>``; nothing is built.

    Raises:
        UserError: there is no network of that name, or it does not know an option.
    """
    module = importlib.import_module(f"{PACKAGE}.{name}") if name in _modules() else None
    if module is None or not _defines_model(module):
        names = available()
        raise UserError(f"unknown network {name!r}", " | ".join(names), nearest(name, names))
    factory: Callable[..., SegmentationModel] = module.build
    known = list(inspect.signature(factory).parameters)[1:]
    for option in options:
        if option not in known:
            found = f"network {name!r} has no option {option!r}"
            raise UserError(found, " | ".join(known), nearest(option, known))
    return factory


def build(name: str, num_classes: int, *, seed: int = 0, pretrained: bool = True, **options: Any) -> SegmentationModel:
    """The network ``udamlf.models.<name>``; its initial weights are a function of ``seed`` and the options.

    Args:
        pretrained: False leaves out the option ``weights``, for a network whose weights are overwritten at once.

    Raises:
        UserError: see ``find``.
    """
    if not pretrained:
        options.pop("weights", None)
    factory = find(name, options)
    with seeded(seed, name):
        model = factory(num_classes, **options)
    return model.train()


def batchnorm_modules(model: nn.Module) -> list[_BatchNorm]:
    """Every BatchNorm module of ``model`` that keeps running statistics."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


def freeze_batchnorm_affine(model: nn.Module) -> list[str]:
    """Stop training the weight and bias of every BatchNorm; its statistics stay live (adversarial-warmup.md 1.4).

    Returns:
        Names of the parameters that no longer need a gradient.
    """
    affine = {id(p) for module in batchnorm_modules(model) for p in module.parameters(recurse=False)}
    frozen = [(name, p) for name, p in model.named_parameters() if id(p) in affine]
    for _, parameter in frozen:
        parameter.requires_grad_(False)
    return [name for name, _ in frozen]


def freeze_batchnorm(model: SegmentationModel, affine: bool, statistics: bool) -> None:
    """Take the affine part, the statistics or both out of the training of ``model``'s BatchNorm."""
    if affine:
        freeze_batchnorm_affine(model)
    if statistics:
        model.stored_statistics = True


@torch.no_grad()
def reestimate_batchnorm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the plain average over ``batches`` (AdaBN, Li et al. 2016).

    Only the BatchNorm modules run in training mode, so dropout stays off; modes and momenta are put back.

    Args:
        batches: normalised images float [N, 3, H, W]; every batch weighs the same, so make them equally large.

    Raises:
        UserError: there is no batch; the statistics are then untouched.
    """
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        raise UserError("no image to re-estimate BatchNorm on", "at least one batch")
    training = {module: module.training for module in model.modules()}
    norms = batchnorm_modules(model)
    momenta = [norm.momentum for norm in norms]
    model.eval()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        for batch in chain([first], iterator):
            model(batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in training.items():
            module.training = mode
