"""Where the values of a configuration come from, so that one which does not count is named and never silently lost."""

from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from udamlf.config.parts import flatten
from udamlf.config.schema import Config

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# What a round may set for itself, and the block of the profile over which that wins.
_OF_ROUND = {"training": "profile.round", "labelling": "profile.labelling", "model": "profile.model"}


class Layer(NamedTuple):
    """One value that is set, and where it comes from: a file and its block, or an option."""

    origin: str
    key: str
    value: Any

    def covers(self, leaf: str) -> bool:
        """Whether it sets a dotted key; a key without an entry's number is that of every entry of a list."""
        wanted, steps = self.key.split("."), leaf.split(".")
        return wanted in (steps[: len(wanted)], [step for step in steps if not step.isdigit()][: len(wanted)])

    @property
    def is_shipped(self) -> bool:
        """Whether it is of a file that comes with the package."""
        return self.origin.startswith(f"{CONFIGS}/")

    @property
    def is_option(self) -> bool:
        """Whether it is of the command line."""
        return self.origin.startswith("--")


def _last(layers: Sequence[Layer], leaf: str) -> Layer | None:
    return next((layer for layer in reversed(layers) if layer.covers(leaf)), None)


def overridden(layers: Sequence[Layer], final: Mapping[str, Any], shipped: Set[str]) -> Iterator[str]:
    """A line for the values of a user's file or option that a later layer overrides: which, what wins, what helps.

    Args:
        layers: in the order in which they are set.
        final: dotted key -> value of the result.
        shipped: KEY=VALUE of the files whose names the user's have: what a copy has left as it was is not named.
    """
    for position, layer in enumerate(layers):
        lost: dict[str, list[str]] = {}
        for leaf, value in flatten(layer.value, layer.key):
            winner = _last(layers[position + 1 :], leaf)
            if layer.is_shipped or winner is None or winner.is_option or final.get(leaf, layer) == value:
                continue
            if f"{leaf}={value}" not in shipped:
                text = winner.key if isinstance(winner.value, dict) else f"{winner.key}={winner.value}"
                lost.setdefault(f"{text} of {winner.origin}", []).append(f"{leaf}={value}")
        for wins, values in lost.items():
            yield f"not used: {', '.join(values)} of {layer.origin}; what counts is {wins}, or --set"


def outvoted(layers: Sequence[Layer], config: Config) -> Iterator[str]:
    """A line for every value of the profile that a user sets in vain, as a shipped method's round has its own."""
    for number in range(1, config.method.rounds + 1):
        for block, target in _OF_ROUND.items():
            own = getattr(config.method.round_at(number), block)
            for key, value in flatten(own) if own else ():
                leaf = f"method.round.{number}.{block}.{key}"
                asked, winner = _last(layers, f"{target}.{key}"), _last(layers, leaf)
                if asked and not asked.is_shipped and (winner is None or winner.is_shipped):
                    where = leaf if isinstance(config.method.round, tuple) else leaf.replace(f".{number}.", ".")
                    text = f"not used in round {number}: {target}.{key} of {asked.origin}: the method has {value} there"
                    yield f"{text}; what counts is --set {where}=VALUE"
