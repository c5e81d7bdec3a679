"""Writing a new file or filling a new folder, whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from handrefine.errors import InputError
from handrefine.io.files import tree_to_disk, whole_file


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that takes its name if the block ends well, and goes if it does not.

    Raises:
        InputError: `path` exists and is not an empty folder, or nothing can be written there; or something has
            taken the name meanwhile, which loses nothing: the folder keeps the temporary one.
    """
    refuse_existing(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise InputError("the output cannot be written", where=path, found=error, fix="choose another") from error
    try:
        yield temporary
        tree_to_disk(temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            "the finished output cannot take its name",
            where=path,
            found=error,
            fix=f"everything is in {temporary}: move it where you want it",
        ) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A temporary name that becomes `path` if the block ends well.

    Raises:
        InputError: `path` is a folder, or cannot be written.
    """
    if path.is_dir():
        raise InputError("the output is a folder, a file is to be written", where=path, fix="choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            yield temporary
    except OSError as error:
        raise InputError("the output cannot be written", where=path, found=error, fix="choose another") from error


def refuse_existing(path: Path) -> None:
    """Raises:
    InputError: there is something at `path` already; an empty folder does not count.
    """
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or not path.name:
        raise InputError("the output exists already", where=path, fix="choose another name, or remove it")
