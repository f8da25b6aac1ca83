"""udamlf: tracked self-training for unsupervised domain adaptation of semantic segmentation.

In Python: ``predict`` (``udamlf.runs.prediction``), imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from udamlf.runs.prediction import predict as predict

__version__ = "0.1.0"

_LIBRARY = {"predict": "runs.prediction"}


def __getattr__(name: str) -> Any:
    if name not in _LIBRARY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LIBRARY[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_LIBRARY]
