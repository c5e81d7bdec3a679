"""Names from data are data: a path that a dataset or a run names lies below its own folder; outputs lie beside."""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from handrefine.errors import InputError

#: Characters that stand for themselves in a file's name; all others are written as `%` and their code.
_PLAIN = re.compile(r"[^A-Za-z0-9_.\-+ ()\[\]{},=@~]")
#: Bytes that file systems allow.
_LONGEST_NAME, _LONGEST_PATH = 255, 2000
#: Names of ours get further parts and suffixes.
_LONGEST = 100


class LinksBelow:
    """`check_links` for many files: every folder is resolved once, and a file only where it is itself a link."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside: set[Path] = set()

    def check(self, path: Path, where: object = None) -> None:
        """Raises:
        InputError: a symbolic link on the way from the root to `path` leads out of the root.
        """
        folder = path.parent
        if folder not in self._inside:
            check_links(self._root, folder, where)
            self._inside.add(folder)
        if os.path.islink(path):
            check_links(self._root, path, where)


def within(
    root: Path, name: object, where: object, *, follow_links: bool = False, links: LinksBelow | None = None
) -> Path:
    """`root / name`, if that lies below `root`.

    Args:
        name: from a file of unknown quality.
        where: file and key that say so, for the message.
        follow_links: allow symbolic links below `root` that lead out of it.
        links: what checks them; to be given where many names are below one `root`.

    Raises:
        InputError: the name is no relative path, climbs out of the folder, or a link leads out of it.
    """
    text = str(name)
    parts = PurePosixPath(text).parts
    longest = max((len(part.encode(errors="surrogatepass")) for part in parts), default=0)
    bad = "\0" in text or len(text) > _LONGEST_PATH or longest > _LONGEST_NAME or PureWindowsPath(text).drive
    climbs = text.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", text)
    if bad or climbs or not isinstance(name, str) or not parts:
        raise InputError(
            "a name leads out of the dataset's folder, or is none",
            where=where,
            expected="a path below it, without ..",
            found=text,
        )
    path = root / text
    if not follow_links:
        (links or LinksBelow(root)).check(path, where)
    return path


def check_links(root: Path, path: Path, where: object = None) -> None:
    """Raises:
    InputError: a symbolic link on the way from `root` to `path` leads out of `root`.
    """
    try:
        inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, names that no file can have
        raise InputError("a path cannot be followed", where=where or path, found=error) from error
    if not inside:
        raise InputError(
            "a symbolic link leads out of the dataset's folder",
            where=path,
            found=path.resolve(),
            fix="if you made it yourself: --follow-links",
        )


def as_file_name(name: str) -> str:
    """A name from data as (a part of) one file's name: no folder, no surprise, different for different names."""
    plain = _PLAIN.sub(lambda match: "".join(f"%{b:02X}" for b in match[0].encode(errors="surrogatepass")), name)
    if plain in ("", ".", ".."):
        plain = plain.replace(".", "%2E") or "%"
    if len(plain) > _LONGEST:
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:16]
        plain = f"{plain[: _LONGEST - 17]}~{digest}"
    return plain


def refuse_overlap(data: Path, out: Path) -> None:
    """Raises:
    InputError: the dataset lies within the output folder or the other way round, through links or not.
    """
    data, out = (path.expanduser().resolve() for path in (data, out))
    if _lies_in(data, out) or _lies_in(out, data):
        raise InputError(
            "the dataset and the output folder lie in one another",
            where=f"--data {data}",
            found=f"--out {out}",
            fix="choose an output folder outside the dataset, and not around it",
        )


def _lies_in(inner: Path, outer: Path) -> bool:
    """By identity where there is one: file systems may ignore case, or show a folder at two places."""
    return any(
        above == outer or (above.exists() and outer.exists() and above.samefile(outer))
        for above in (inner, *inner.parents)
    )
