"""The command line: parse one command, run it, and turn bad input into one clear message."""

import dataclasses
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

from handrefine.cli.arguments import COMMANDS, Command
from handrefine.config_files import load_config
from handrefine.errors import InputError

HELP = "Refine the 3D annotations of multi-view hand videos by differentiable ray tracing."
USAGE_ERROR, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Parse and run one command; bad input ends in one clear message and exit status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    errors = Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=errors, show_path=debug, show_time=debug)],
    )
    logging.getLogger("handrefine").setLevel(logging.DEBUG if debug else logging.INFO)
    try:
        _parse(arguments)(Console())
    except InputError as error:
        if debug:
            traceback.print_exc()
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        errors.print("interrupted")
        raise SystemExit(INTERRUPTED) from None


def _parse(arguments: list[str]) -> Command:
    """The command with its options, on top of the configuration file if one is named."""
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", "100")
    if not arguments or arguments[0] not in COMMANDS:
        return tyro.extras.subcommand_cli_from_dict(COMMANDS, prog="handrefine", description=HELP, args=arguments)
    command = COMMANDS[arguments[0]]
    try:
        return tyro.cli(
            command,
            prog=f"handrefine {arguments[0]}",
            default=_defaults(command, arguments),
            args=arguments[1:],
        )
    except ValidationError as error:
        faults = [f"{e['loc'][-1] if e['loc'] else ''}: {e['msg']}, found {e['input']!r}" for e in error.errors()]
        raise InputError("an option has an invalid value", found="; ".join(faults)) from error


def _defaults(command: type, arguments: list[str]) -> Any:
    """The command's defaults, its settings taken from the `--config` file; required options stay required.

    tyro reads defaults off an instance. It is filled without `__init__`, because the mark of a required option has
    not the option's type.
    """
    defaults = object.__new__(command)
    for option in dataclasses.fields(command):
        value: Any = option.default
        if option.default_factory is not dataclasses.MISSING:
            value = option.default_factory()
        object.__setattr__(defaults, option.name, tyro.MISSING if value is dataclasses.MISSING else value)
    path = _config_path(arguments)
    if path is not None:
        object.__setattr__(defaults, "settings", load_config(path))
    return defaults


def _config_path(arguments: list[str]) -> Path | None:
    for k, argument in enumerate(arguments):
        if argument == "--config" and k + 1 < len(arguments):
            return Path(arguments[k + 1])
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
    return None
