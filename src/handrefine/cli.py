"""The command line: `handrefine demo | synthesize | refine | evaluate | fit | doctor`."""

import dataclasses
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from tyro.conf import Positional, arg

from handrefine.config import Config, load_config
from handrefine.errors import InputError
from handrefine.sequence import Side

if TYPE_CHECKING:
    from handrefine.data.synthetic import SyntheticSettings

HELP = "Refine the 3D annotations of multi-view hand videos by differentiable ray tracing."
Settings = Annotated[Config, arg(name="")]
USAGE_ERROR, FAILURE = 2, 1


@dataclass(frozen=True, kw_only=True)
class _Common:
    debug: bool = False
    """Show the traceback of an error, and every message of the log."""


@dataclass(frozen=True, kw_only=True)
class _Configured(_Common):
    config: Path | None = None
    """YAML file of differences from the defaults; options on the command line override it."""
    settings: Settings = field(default_factory=Config)


@dataclass(frozen=True, kw_only=True)
class _Video(_Configured):
    cameras: int = 6
    """Number of cameras on the half-sphere around the hand."""
    instants: int = 4
    """Number of instants of the gesture."""
    size: int = 128
    """Width and height of the images in pixels."""
    error_mm: float = 10.0
    """Mean vertex error of the dataset's annotation in mm, exact."""
    hand: Side = "right"
    """Which hand."""


@dataclass(frozen=True, kw_only=True)
class Demo(_Video):
    """Make a synthetic video, perturb its annotation, refine it, and show what was gained."""

    out: Path = Path("runs/demo")
    """Folder to create."""
    overwrite: bool = False
    """Replace the folder of an earlier run, once the new one is complete."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.demo import demo

        demo(
            self.out,
            self.hand,
            _synthetic(self),
            self.error_mm,
            self.settings,
            overwrite=self.overwrite,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Synthesize(_Video):
    """Make a synthetic multi-view video in InterHand2.6M's layout, its annotation perturbed, and truth.npz."""

    out: Path
    """Folder to create."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.synthesize import synthesize

        synthesize(self.out, self.hand, _synthetic(self), self.error_mm, self.settings, console=console)


@dataclass(frozen=True, kw_only=True)
class Refine(_Configured):
    """Refine one hand's annotation in a folder of InterHand2.6M's layout."""

    data: Path
    """Folder that holds annotations/ and images/ (and masks/ where there are any)."""
    out: Path
    """Run folder to create."""
    hand: Side = "right"
    """Which hand."""
    cameras: str | None = None
    """Comma-separated names of the cameras to use; all when missing."""
    overwrite: bool = False
    """Replace the folder of an earlier run, once the new one is complete."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.refine import refine_folder

        refine_folder(
            self.data,
            self.out,
            self.hand,
            self.settings,
            cameras=None if self.cameras is None else tuple(name.strip() for name in self.cameras.split(",")),
            overwrite=self.overwrite,
            console=console,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluate(_Common):
    """Measure a finished run against the truth of a synthetic video, and complete its metrics.json."""

    run: Annotated[Path, Positional]
    """Run folder."""
    truth: Path
    """The dataset's truth.npz."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.evaluate import evaluate_run

        evaluate_run(self.run, self.truth, console=console)


@dataclass(frozen=True, kw_only=True)
class Fit(_Configured):
    """Fit MANO parameters to a dataset's 3D joints, and write them in the dataset's format."""

    data: Path
    """Folder that holds annotations/ and images/."""
    out: Path
    """Folder to create; receives annotations/."""
    hand: Literal["right", "left", "both"] = "right"
    """Which hand, or both."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.fit import fit_folder

        sides: tuple[Side, ...] = ("right", "left") if self.hand == "both" else (self.hand,)
        fit_folder(self.data, self.out, sides, self.settings.hand, console=console)


@dataclass(frozen=True, kw_only=True)
class Doctor(_Configured):
    """Say which Mitsuba variant, LLVM, CUDA device and hand model are found, and what to do about the rest."""

    def __call__(self, console: Console) -> None:
        from handrefine.commands.doctor import doctor

        if not doctor(self.settings, console=console):
            raise SystemExit(FAILURE)


COMMANDS = {
    "demo": Demo,
    "synthesize": Synthesize,
    "refine": Refine,
    "evaluate": Evaluate,
    "fit": Fit,
    "doctor": Doctor,
}


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
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        raise SystemExit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        errors.print("interrupted")
        raise SystemExit(130) from None


def _parse(arguments: list[str]) -> Demo | Synthesize | Refine | Evaluate | Fit | Doctor:
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
    """The command's defaults, its settings taken from the `--config` file; required options stay required."""
    missing = {
        f.name: tyro.MISSING
        for f in dataclasses.fields(command)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    path = _config_path(arguments)
    settings = {} if path is None else {"settings": load_config(path)}
    return command(**missing, **settings)


def _config_path(arguments: list[str]) -> Path | None:
    for k, argument in enumerate(arguments):
        if argument == "--config" and k + 1 < len(arguments):
            return Path(arguments[k + 1])
        if argument.startswith("--config="):
            return Path(argument.removeprefix("--config="))
    return None


def _synthetic(video: _Video) -> "SyntheticSettings":
    from handrefine.data.synthetic import SyntheticSettings

    return SyntheticSettings(
        cameras=video.cameras, instants=video.instants, size=video.size, seed=video.settings.seed
    )
