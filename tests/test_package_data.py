"""Everything the package needs beside its code is installed with it."""

from pathlib import Path

import pytest

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no reader of TOML")
ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "handrefine"


def test_every_file_that_is_not_code_is_named_and_every_name_finds_one():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
        "handrefine"
    ]
    assert isinstance(patterns, list)
    found = {pattern: {path for path in PACKAGE.glob(pattern) if path.is_file()} for pattern in patterns}
    assert [pattern for pattern, paths in found.items() if not paths] == []
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert files - set().union(*found.values()) == set()
