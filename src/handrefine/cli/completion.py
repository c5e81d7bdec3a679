"""`handrefine completion`: what a shell needs to complete the command line."""

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Literal

import tyro
from rich.console import Console
from tyro.conf import Positional

from handrefine.cli.common import Common


@dataclass(frozen=True, kw_only=True)
class Completion(Common):
    """Print a script that lets a shell complete commands, options and their values."""

    shell: Annotated[Literal["bash", "zsh", "tcsh"], Positional]
    """Which shell it is for."""

    def __call__(self, console: Console) -> None:
        from handrefine.cli.main import COMMANDS

        # A shell completes single words.
        places = {name: entry.place.split(".") for name, entry in COMMANDS.items() if " " not in name}
        commands = {
            name: getattr(import_module(f"handrefine.cli.{module}"), cls) for name, (module, cls) in places.items()
        }
        tyro.extras.subcommand_cli_from_dict(
            commands, prog="handrefine", args=["--tyro-print-completion", self.shell]
        )
