"""The one error that a user's input may cause, worded so that it can be acted on."""

from __future__ import annotations


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
        lines = [what, *(f"  {name + ':':<10}{value}" for name, value in details.items() if value is not None)]
        super().__init__("\n".join(lines))
