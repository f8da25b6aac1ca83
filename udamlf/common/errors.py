"""The one exception a user is meant to see, and its word for a name that is nearly right."""

import difflib
import re
from collections.abc import Sequence

# User and password before a host; a password may hold @ and /, a path may hold @ too.
_SECRETS = re.compile(r"(?<=://)(?:[^:/@\s]*:[^\s'\"]*|[^/\s'\"]*)@|(?<=[?&])(?:password|token)=[^&\s'\"]*", re.I)
CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal may take for an order; tabs and new lines are none."""


def masked(text: str) -> str:
    """``text`` as it may be shown: addresses without user and password, no control character for a terminal to obey."""
    return CONTROL_CHARACTER.sub(lambda match: repr(match[0])[1:-1], _SECRETS.sub("", text))


class UserError(Exception):
    """Bad input, reported without a traceback.

    Args:
        message: what was found, with the path, key or value in question.
        expected: what would have been right.
        hint: the command or step that helps.
    """

    def __init__(self, message: str, expected: str = "", hint: str = "") -> None:
        self.message = masked(message)
        lines = [self.message, *([f"expected: {expected}"] if expected else []), *([f"try: {hint}"] if hint else [])]
        super().__init__(masked("\n".join(lines)))


def nearest(name: str, names: Sequence[str]) -> str:
    """``try`` text: the nearest valid name, and all of them."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"{f'did you mean {close[0]!r}? ' if close else ''}one of: {', '.join(sorted(names))}"
