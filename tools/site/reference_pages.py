"""Reference pages made from the code: commands from the parser, settings and the interface from docstrings."""

import contextlib
import io
import os
import re
from collections.abc import Iterator

import griffe

from handrefine import _HOME as PUBLIC_HOMES
from handrefine.cli.main import COMMANDS, main

#: The frame that tyro draws around options.
_BOX = re.compile("[╭╮╰╯│─]|-{10,}|^[|+] | [|+]$")


def commands_page() -> str:
    """The help of every command."""
    parts = [
        "# Commands",
        "Made from the parser. Settings that several commands share have [a page](settings.md).",
    ]
    for name, entry in COMMANDS.items():
        parts += [f"## handrefine {name}", f"{entry.summary[0].upper()}{entry.summary[1:]}.", _fenced(_help(name))]
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Every setting with its default, by section: what YAML files name, and options of `--help-all`."""
    package = griffe.load("handrefine")
    parts = [
        "# Settings",
        "In a YAML file by section and name, on the command line as `--section.name`. `handrefine configs` lists "
        "the presets; what a file or an option does not say is as here.",
    ]
    top: list[str] = []
    for field in _fields(package["config.Config"]):
        section = _dataclass(field)
        if section is None:
            top.append(_row(field.name, field))
        else:
            rows = [_row(name, inner) for name, inner in _leaves(section, field.name)]
            parts += [f"## {field.name}", _summary(section), _table(rows)]
    parts[2:2] = ["## Of the whole run", _table(top)]
    return "\n\n".join(parts) + "\n"


def api_page() -> str:
    """Every public name by its docstring."""
    parts = ["# Python interface", "`import handrefine as hr`; each of these is a name of `hr`."]
    parts += [
        f"::: handrefine.{home}.{name}" for name, home in sorted(PUBLIC_HOMES.items(), key=lambda n: n[0].lower())
    ]
    return "\n\n".join(parts) + "\n"


def _help(command: str) -> str:
    text = io.StringIO()
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main([command, "--help"])
    finally:
        os.environ.pop("COLUMNS") if width is None else os.environ.update(COLUMNS=width)
    lines = (_BOX.sub("", line).rstrip() for line in text.getvalue().splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _fields(cls: griffe.Class) -> Iterator[griffe.Attribute]:
    for base in reversed(cls.mro()):
        yield from _fields(base)
    for member in cls.members.values():
        if (
            isinstance(member, griffe.Attribute)
            and member.annotation is not None
            and not member.name.startswith("_")
        ):
            yield member


def _dataclass(field: griffe.Attribute) -> griffe.Class | None:
    """The settings that a field holds, where it holds some."""
    annotation = field.annotation
    if not isinstance(annotation, griffe.Expr):
        return None
    with contextlib.suppress(KeyError, griffe.AliasResolutionError, ValueError, AttributeError):
        found = field.modules_collection[annotation.canonical_path]
        found = found.final_target if isinstance(found, griffe.Alias) else found
        if isinstance(found, griffe.Class) and found.name.endswith("Config"):
            return found
    return None


def _leaves(section: griffe.Class, prefix: str) -> Iterator[tuple[str, griffe.Attribute]]:
    for field in _fields(section):
        inner = _dataclass(field)
        if inner is None:
            yield f"{prefix}.{field.name}", field
        else:
            yield from _leaves(inner, f"{prefix}.{field.name}")


def _row(name: str, field: griffe.Attribute) -> str:
    about = " ".join((field.docstring.value if field.docstring else "").split()).replace("|", "\\|")
    default = str(field.value if field.value is not None else "").replace("|", "\\|")
    return f"| `{name}` | `{default}` | {about} |" if default else f"| `{name}` | | {about} |"


def _table(rows: list[str]) -> str:
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows])


def _summary(cls: griffe.Class) -> str:
    return cls.docstring.value if cls.docstring else ""
