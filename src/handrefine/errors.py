"""The one error that a user's input may cause, worded so that it can be acted on."""

from __future__ import annotations

import re

#: A detail longer than this is the input itself, not a hint at its fault.
_LONGEST = 4000
_UNPRINTABLE = re.compile(
    r"[^\S \n\t]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class InputError(Exception):
    """Something outside the program is wrong: a file, a key, a value, an installation.

    The command line prints it without a traceback and exits with status 2.

    Args:
        what: the fault in one clause, e.g. "a MANO pose holds NaN".
        where: file, key, frame or camera in which it was found.
        expected: what would have been right.
        found: what was there instead.
        fix: what the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.found, self.fix = what, where, expected, found, fix
        details = {"where": where, "expected": expected, "found": found, "fix": fix}
        lines = [what, *(f"  {name + ':':<10}{_shown(v)}" for name, v in details.items() if v is not None)]
        super().__init__("\n".join(_printable(line) for line in lines))


class VideoError(InputError):
    """What is wrong is one of several videos; the others could go on without it.

    Args:
        position: of the video.
    """

    def __init__(self, error: InputError, position: int) -> None:
        super().__init__(error.what, where=error.where, expected=error.expected, found=error.found, fix=error.fix)
        self.position = position


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... ({len(text)} characters)"


def _printable(text: str) -> str:
    """What came from a file must not steer the terminal."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape", "backslashreplace").decode(), text)
