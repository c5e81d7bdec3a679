"""The configurations that are installed with handrefine, by name. Importing this costs nothing."""

from pathlib import Path

from handrefine.errors import InputError

FOLDER = Path(__file__).parent / "configs"
_END = ".yaml"


def preset_names() -> list[str]:
    """Names of the installed configurations, sorted."""
    return sorted(path.name.removesuffix(_END) for path in FOLDER.glob(f"*{_END}"))


def about(name: str) -> str:
    """What a preset is for: the comment that its file begins with."""
    comment = []
    for line in (FOLDER / f"{name}{_END}").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comment.append(line.removeprefix("#").strip())
    return " ".join(comment)


def configuration_file(name_or_path: str | Path) -> Path:
    """The file of a preset's name (`real`), or the file itself. A file of a preset's name in the way is not taken.

    Raises:
        InputError: there is neither such a preset nor such a file.
    """
    if str(name_or_path) in preset_names():
        return FOLDER / f"{name_or_path}{_END}"
    path = Path(name_or_path)
    if not path.is_file():
        raise InputError(
            "there is no such configuration",
            where=path,
            expected=f"one of the presets {', '.join(preset_names())}, or a YAML file",
            fix="`handrefine configs` tells what the presets are for",
        )
    return path
