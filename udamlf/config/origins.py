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


def _last(layers: Sequence[Layer], leaf: str) -> Layer | None:
    return next((layer for layer in reversed(layers) if layer.covers(leaf)), None)


def overridden(layers: Sequence[Layer], final: Mapping[str, Any], shipped: Set[str]) -> Iterator[str]:
    """A line for every value of a user's file that a later file overrides, from the layers in the order in which they
    are set and the result by dotted key. What a copy of a shipped file has as that one, KEY=VALUE, is not named."""
    for position, layer in enumerate(layers):
        for leaf, value in [] if layer.is_shipped else flatten(layer.value, layer.key):
            winner, text = _last(layers[position + 1 :], leaf), f"{leaf}={value}"
            if (
                winner
                and not winner.origin.startswith("--")
                and final.get(leaf, layer) != value
                and text not in shipped
            ):
                wins = winner.key if isinstance(winner.value, dict) else f"{winner.key}={winner.value}"
                yield f"not used: {text} of {layer.origin}; what counts is {wins} of {winner.origin}, or --set"


def outvoted(layers: Sequence[Layer], config: Config) -> Iterator[str]:
    """A line for every value of the profile that a user sets in vain, as a shipped method's round has its own."""
    every = [(n, *item) for n in range(1, config.method.rounds + 1) for item in _OF_ROUND.items()]
    for number, block, target in every:
        own = getattr(config.method.round_at(number), block)
        for key, value in flatten(own) if own else ():
            asked, wins = _last(layers, f"{target}.{key}"), f"method.round.{number}.{block}.{key}"
            winner = _last(layers, wins)
            if asked and not asked.is_shipped and (winner is None or winner.is_shipped):
                yield f"not used in round {number}: {target}.{key} of {asked.origin}; what counts is {wins}={value}"
