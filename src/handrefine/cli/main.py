"""The command line: parse one command, run it, and turn bad input into one clear message."""

import dataclasses
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape

import handrefine
from handrefine.cli.console import PatientConsole, show_every_character
from handrefine.cli.deprecated import renewed
from handrefine.cli.exit_codes import INTERRUPTED, USAGE_ERROR
from handrefine.cli.signals import Terminated, sigterm_raises
from handrefine.cli.slips import named_options, refuse_slips
from handrefine.errors import InputError

HELP = "Refine the 3D annotations of multi-view hand videos by differentiable ray tracing."
#: Commands that work for long, and whose first word should not wait until all that they need is loaded.
SLOW = ("demo", "synthesize", "refine", "fit")
#: A parsed command line, ready to run; it may give an exit status.
Command = Callable[[Console], int | None]


class _Entry(NamedTuple):
    """A command: module and class within `handrefine.cli`, which are imported only when they are wanted."""

    place: str
    summary: str


COMMANDS = {
    "demo": _Entry("demo.Demo", "synthesize, refine, evaluate"),
    "synthesize": _Entry("synthesize.Synthesize", "a video with exact truth and an imperfect annotation"),
    "import": _Entry("import_capture.Import", "a dataset of your own videos or images, and their calibration"),
    "refine": _Entry("refine.Refine", "refine the annotation of one hand, or of both in one scene"),
    "batch": _Entry("batch.Batch", "refine a whole dataset, or go on with it"),
    "batch status": _Entry("batch_status.BatchStatus", "how far a batch is, as a table and as a page"),
    "batch merge": _Entry("batch_merge.BatchMerge", "one annotation of it all, in the dataset's own files"),
    "evaluate": _Entry("evaluate.Evaluate", "a finished run against the truth, or on cameras that it never saw"),
    "fit": _Entry("fit.Fit", "MANO parameters from 3D joints"),
    "export": _Entry("export.Export", "a Mitsuba scene, meshes, arrays, or InterHand2.6M's files"),
    "render-scene": _Entry("render_scene.RenderScene", "an exported scene as an image"),
    "turntable": _Entry("turntable.Turntable", "the refined hand turning, as images and an animation"),
    "view": _Entry("view.View", "the hand over time in a browser, in 3D"),
    "report": _Entry("report.Report", "one HTML page that shows a run"),
    "configs": _Entry("configs.Configs", "the presets for --config, and what each is for"),
    "completion": _Entry("completion.Completion", "a script that lets a shell complete the command line"),
    "doctor": _Entry("doctor.Doctor", "what this machine has and lacks"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse and run one command; bad input ends in one clear message and exit status 2."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("PYDANTIC_ERRORS_INCLUDE_URL", "0")  # they explain pydantic, not the option
    show_every_character()
    debug = "--debug" in arguments
    errors = Console(stderr=True)
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=errors, show_path=debug, show_time=debug)],
    )
    logging.getLogger("handrefine").setLevel(logging.DEBUG if debug else logging.INFO)
    if arguments == ["--version"]:
        print(f"handrefine {handrefine.__version__}")
        return
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview())
        raise SystemExit(0 if arguments else USAGE_ERROR)
    arguments, messages = renewed(arguments)
    for message in messages:
        errors.print(f"[yellow]deprecated:[/] {escape(message)}", highlight=False, soft_wrap=True)
    try:
        with sigterm_raises():
            status = parse(arguments)(PatientConsole())
    except InputError as error:
        if debug:
            traceback.print_exc()
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(USAGE_ERROR) from None
    except (OSError, MemoryError) as error:
        _tell_of_machine(error, errors, debug=debug)
        raise SystemExit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        errors.print("interrupted")
        raise SystemExit(INTERRUPTED) from None
    except Terminated:
        errors.print("terminated")
        raise
    if status:
        raise SystemExit(status)


def _tell_of_machine(error: OSError | MemoryError, errors: Console, *, debug: bool) -> None:
    """A file or folder that cannot be used, or memory that does not suffice, in the words of the system."""
    if debug:
        traceback.print_exc()
    if isinstance(error, MemoryError):
        what = InputError(
            "the memory does not suffice", fix="fewer cameras or frames, or smaller textures and crops"
        )
    else:
        what = InputError("a file or folder cannot be used", where=error.filename, found=error.strerror or error)
    errors.print(f"[bold red]error:[/] {escape(str(what))}", highlight=False, soft_wrap=True)


def parse(arguments: list[str]) -> Command:
    """The command with its options, on top of the configuration file if one is named.

    Raises:
        InputError: there is no such command, or an option has an invalid value.
    """
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", "100")
    name, options = command_named(arguments)
    if name not in COMMANDS:
        raise InputError(f"there is no command {name!r}", expected=f"one of {', '.join(COMMANDS)}")
    refuse_slips(name, options)
    if name in SLOW and not {"-h", "--help", "--help-all"} & set(options):
        print(f"handrefine {handrefine.__version__}: loading PyTorch and Mitsuba", flush=True)
    resumes = name == "refine" and "resume" in dict(named_options(options))  # then nothing else is required
    module, cls = ("resume", "Resume") if resumes else COMMANDS[name].place.split(".")
    command = getattr(import_module(f"handrefine.cli.{module}"), cls)
    if {"-h", "--help"} & set(options):
        command = _without_settings(command)
    options = ["--help" if option == "--help-all" else option for option in options]
    try:
        return tyro.cli(command, prog=f"handrefine {name}", default=_defaults(command, options), args=options)
    except ValidationError as error:
        faults = [f"{e['loc'][-1] if e['loc'] else ''}: {e['msg']}, found {e['input']!r}" for e in error.errors()]
        raise InputError("an option has an invalid value", found="; ".join(faults)) from error


def command_named(arguments: list[str]) -> tuple[str, list[str]]:
    """The command's name, of one word or two, and its options."""
    words = 2 if " ".join(arguments[:2]) in COMMANDS else 1
    return " ".join(arguments[:words]), arguments[words:]


def _without_settings(command: type) -> type:
    """The command with only the options of its own in its help, where it has settings besides.

    Required ones come first, and last the one that explains errors.
    """
    settings = next((option for option in dataclasses.fields(command) if option.name == "settings"), None)
    if settings is None:
        return command
    hidden = dataclasses.field(default_factory=settings.default_factory)
    short = dataclasses.make_dataclass(
        command.__name__,
        [("settings", Annotated[settings.type, tyro.conf.Suppress], hidden)],
        bases=(command,),
        frozen=True,
        kw_only=True,
    )
    short.__doc__ = f"{inspect.getdoc(command)}\n\nIts settings are explained by --help-all."
    options = dataclasses.fields(short)
    ordered = sorted(options, key=lambda option: (option.name == "debug", not _required(option)))
    setattr(short, "__dataclass_fields__", {option.name: option for option in ordered})  # noqa: B010
    return short


def _required(option: dataclasses.Field) -> bool:
    return option.default is dataclasses.MISSING and option.default_factory is dataclasses.MISSING


def _overview() -> str:
    commands = "".join(f"  {name:<13}{entry.summary}\n" for name, entry in COMMANDS.items())
    return f"usage: handrefine [-h] [--version] COMMAND ...\n\n{HELP}\n\n{commands}\n`COMMAND --help` tells more."


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
    named = dict(named_options(arguments))
    if "rerun" in named:
        from handrefine.cli.rerun import options_of

        for name, value in options_of(named["rerun"]).items():
            object.__setattr__(defaults, name, value)
    chosen = named.get("config")
    if chosen is not None:
        from handrefine.config_files import load_config

        object.__setattr__(defaults, "settings", load_config(chosen))
    return defaults
