"""The one exception a user is meant to see."""


class UserError(Exception):
    """Bad input, reported without a traceback.

    Args:
        found: what was found, with the path, key or value in question.
        expected: what would have been right.
        hint: the command or step that helps.
    """

    def __init__(self, found: str, expected: str = "", hint: str = "") -> None:
        self.found, self.expected, self.hint = found, expected, hint
        lines = [found]
        if expected:
            lines.append(f"expected: {expected}")
        if hint:
            lines.append(f"try: {hint}")
        super().__init__("\n".join(lines))
