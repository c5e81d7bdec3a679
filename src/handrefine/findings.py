"""What is odd about an input, collected so that all of it can be told at once."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from handrefine.errors import InputError

#: error: the input cannot mean what it says. warning: it probably does not. note: worth a line.
Level = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One oddity: the fault in one clause, where it is, what was found, and what can be done about it."""

    level: Level
    what: str
    where: str | None = None
    found: str | None = None
    fix: str | None = None

    def __str__(self) -> str:
        details = [
            f"{name}{text}" for name, text in (("", self.found), ("in ", self.where), ("fix: ", self.fix)) if text
        ]
        return self.what + (f" ({'; '.join(details)})" if details else "")


def tell(findings: Iterable[Finding], log: logging.Logger) -> None:
    """Every finding as a line of the log."""
    for finding in findings:
        log.log(logging.INFO if finding.level == "note" else logging.WARNING, "%s", finding)


def refuse(findings: Sequence[Finding], where: object, fix: str) -> None:
    """Raises:
    InputError: some of the findings are errors; it lists these and the warnings.
    """
    errors = [finding for finding in findings if finding.level == "error"]
    if not errors:
        return
    rest = [finding for finding in findings if finding.level == "warning"]
    listed = [f"{number}. {finding}" for number, finding in enumerate([*errors, *rest], 1)]
    raise InputError(
        "the input cannot be right" if len(listed) == 1 else f"the input cannot be right, {len(listed)} findings",
        where=where,
        found="".join(f"\n    {line}" for line in listed),
        fix=fix,
    )


def some(names: Iterable[object], most: int = 6) -> str:
    """The first names of a list, and how many there are in all."""
    listed = [str(name) for name in names]
    shown = ", ".join(listed[:most])
    return shown if len(listed) <= most else f"{shown} ... ({len(listed)} in all)"
