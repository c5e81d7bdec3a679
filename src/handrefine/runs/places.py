"""Where no run may begin: places that are taken, by somebody else's files or by what a run has left."""

import logging
import os
from pathlib import Path

from handrefine.errors import InputError
from handrefine.runs.layout import MARKER, RunLayout
from handrefine.runs.owner import owner_of
from handrefine.runs.unfinished import worth_keeping

log = logging.getLogger(__name__)


def refuse_foreign(temporary: Path) -> None:
    """A folder in the place of a temporary one may be removed only if it is ours, or empty."""
    ours = (temporary / MARKER).is_file() and not temporary.is_symlink()
    empty = temporary.is_dir() and not temporary.is_symlink() and not any(temporary.iterdir())
    if os.path.lexists(temporary) and not ours and not empty:
        raise InputError(
            "something that handrefine did not write has the name of a temporary folder",
            where=temporary,
            fix="move it, or choose another output folder",
        )


def refuse_unfinished(partial: Path, *, overwrite: bool) -> None:
    """What a run has left that did not finish goes only if that is asked for."""
    if not partial.exists():
        return
    owner = owner_of(partial)
    if not worth_keeping(partial):
        log.info("%s is taken over: its run ended before its first iteration (%s)", partial, owner)
        return
    if not overwrite:
        done = "the refined annotation is in it" if any(partial.rglob(RunLayout.annotation.name)) else None
        raise InputError(
            "a run to this output folder did not finish",
            where=partial,
            found="; ".join(filter(None, (str(owner) if owner else None, done))) or None,
            fix="go on with it (--resume), add --overwrite to begin anew and remove it, or move that folder away",
        )
    log.warning("what a run has left that did not finish is replaced: %s (%s)", partial, owner)


def refuse_unusable(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(
            "the output path is a file", where=target, expected="a new folder", fix="choose another folder"
        )
    if os.path.ismount(target):
        raise InputError(
            "the output folder is a mount point, which cannot be replaced as a whole",
            where=target,
            fix=f"choose a folder inside it, such as {target / 'run'}",
        )
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise InputError(
            "the output folder is not empty", where=target, fix="choose another folder, or add --overwrite"
        )
    if not (target / MARKER).is_file():
        raise InputError(
            "the output folder was not written by handrefine, so --overwrite leaves it alone",
            where=target,
            fix="choose another folder, or remove it yourself",
        )
