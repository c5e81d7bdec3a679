"""What a command prints to: names of any language, and a pipe that may close, end no work."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper

from rich.console import Console


class PatientConsole(Console):
    """Standard output. Where nobody reads it any more (`| head`, a terminal that is gone), the work goes on."""

    def on_broken_pipe(self) -> None:
        """Print nothing from now on; Rich itself would end the process."""
        self.quiet = True
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show_every_character() -> None:
    """Characters that the terminal's encoding lacks are shown by their codes, and are no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
