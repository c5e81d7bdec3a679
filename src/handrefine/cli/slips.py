"""Slips that a command line shows by itself: told at once, before PyTorch is loaded or anything is written.

What is checked here is checked again where it counts (`RunFolder.create`, the readers); this is only the quicker
answer. So nothing is refused here that would be accepted there.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from handrefine.errors import InputError
from handrefine.preset import configuration_file

_SIDES = ("right", "left", "both")
#: Commands that make a new folder or file of `--out`, and take it only where there is none.
_NEW = ("refine", "demo", "synthesize", "fit")
#: Commands whose first argument is a run folder.
_OF_A_RUN = ("evaluate", "export", "turntable", "report")


def refuse_slips(command: str, options: Sequence[str]) -> None:
    """Look at what was typed for paths that are not there, or are there already, and hands that do not exist.

    Raises:
        InputError: one of them.
    """
    if {"-h", "--help", "--help-all"} & set(options):
        return
    given = dict(named_options(options))
    if "config" in given:
        configuration_file(given["config"])
    if "rerun" in given and not Path(given["rerun"]).expanduser().is_dir():
        raise InputError("the run folder does not exist", where=given["rerun"], fix="--rerun RUN")
    if "data" in given and not Path(given["data"]).expanduser().is_dir():
        raise InputError("the dataset's folder does not exist", where=given["data"], fix="--data FOLDER")
    if command in _OF_A_RUN and options and not options[0].startswith("-") and not Path(options[0]).exists():
        raise InputError("the run folder does not exist", where=options[0])
    if given.get("hand", "right") not in _SIDES:
        raise InputError("there is no such hand", where="--hand", expected=", ".join(_SIDES), found=given["hand"])
    _refuse_absent_model(command, given)
    if given.get("render.variant", "").startswith("cuda") and not _nvidia_driver():
        raise InputError(
            "the CUDA variant was asked for, but there is no NVIDIA driver",
            where="--render.variant",
            fix="use --render.variant auto",
        )
    if command in _NEW and "out" in given and not {"overwrite", "resume"} & set(given):
        out = Path(given["out"]).expanduser()
        if "data" not in given or not _overlap(Path(given["data"]).expanduser(), out):  # that is the graver slip
            _refuse_taken(out, may_overwrite=command in ("refine", "demo"))


def _refuse_absent_model(command: str, given: Mapping[str, str]) -> None:
    model = given.get("hand.model-file", given.get("hand.model_file", "None"))
    if model == "None":
        return
    path, hand = Path(model).expanduser(), given.get("hand", "right")
    needed = [path]
    if path.is_dir() and command in _NEW and "rerun" not in given:  # a run that is repeated knows its hands
        needed = [path / f"MANO_{side.upper()}.pkl" for side in (_SIDES[:2] if hand == "both" else [hand])]
    for file in needed:
        if not file.exists():
            raise InputError(
                "the hand model's file does not exist",
                where="--hand.model-file",
                expected="MANO_RIGHT.pkl or MANO_LEFT.pkl, or the folder of both",
                found=file,
            )


def _nvidia_driver() -> bool:
    """Whether CUDA's own library, which comes with the driver, can be loaded."""
    import ctypes

    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _overlap(data: Path, out: Path) -> bool:
    data, out = data.resolve(), out.resolve()
    return data.is_relative_to(out) or out.is_relative_to(data)


def _refuse_taken(out: Path, *, may_overwrite: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    remedy = "choose another name" + (", or --overwrite what an earlier run wrote there" if may_overwrite else "")
    raise InputError("the output exists already", where=out, fix=remedy)


def named_options(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Names and values of `--name value`, `--name=value` and `--flag` (an empty value)."""
    for k, option in enumerate(options):
        if option.startswith("--"):
            name, has_value, value = option.removeprefix("--").partition("=")
            following = options[k + 1] if k + 1 < len(options) else "--"
            yield name, value if has_value else "" if following.startswith("--") else following
