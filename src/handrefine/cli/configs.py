"""`handrefine configs`: the presets that are installed, and what each of them changes."""

from dataclasses import dataclass
from typing import Annotated

from rich.console import Console
from rich.table import Table
from tyro.conf import Positional

from handrefine.cli.common import Common
from handrefine.io.text_files import read_text
from handrefine.preset import about, configuration_file, preset_names


@dataclass(frozen=True, kw_only=True)
class Configs(Common):
    """List the presets for --config, or print the file of one to start a file of your own from."""

    name: Annotated[str | None, Positional] = None
    """The preset to print."""

    def __call__(self, console: Console) -> None:
        if self.name is not None:
            text = read_text(configuration_file(self.name))
            console.print(text, markup=False, highlight=False, soft_wrap=True, end="")
            return
        table = Table("preset", "what it is for", show_lines=False)
        for name in preset_names():
            table.add_row(name, about(name))
        console.print(table)
