"""Names of cameras where a format knows image files only."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from handrefine.errors import InputError


def names_of_paths(paths: Sequence[str]) -> list[str]:
    """The folder that tells images of different cameras apart, or the image's name without its ending.

    Raises:
        InputError: there is no image at all.
    """
    if not paths:
        raise InputError("the calibration holds no image")
    parts = [PurePosixPath(path.replace("\\", "/")) for path in paths]
    folders = [path.parent.name for path in parts]
    stems = [path.stem for path in parts]
    return folders if len(set(folders)) > 1 else stems
