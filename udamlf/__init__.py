"""udamlf: tracked self-training for unsupervised domain adaptation of semantic segmentation.

In Python: ``compare``, ``run``, ``evaluate`` and ``predict``, imported when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from udamlf.runs.checkpoints import predict as predict
    from udamlf.runs.results import compare as compare
    from udamlf.runs.results import evaluate as evaluate
    from udamlf.runs.results import run as run

_LIBRARY = {"compare": "runs.results", "run": "runs.results", "evaluate": "runs.results", "predict": "runs.checkpoints"}


def __getattr__(name: str) -> Any:
    if name not in _LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LIBRARY[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_LIBRARY]
