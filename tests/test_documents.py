"""The documents name what exists: links lead somewhere, settings are settings, old names still work."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest

from handrefine.config import Config
from handrefine.deprecated_keys import RENAMED, renamed

REPOSITORY = Path(__file__).parents[1]
DOCUMENTS = [
    *(REPOSITORY / name for name in ("README.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((REPOSITORY / "docs").glob("*.md")),
]
SOURCE = REPOSITORY / "src" / "handrefine"
SECTIONS = {field.name for field in dataclasses.fields(Config)}
OLD_SECTIONS = {name.split(".")[0] for name in RENAMED}
#: What begins with "handrefine." and is no module: groups of entry points, and a file.
ELSEWHERE = ("readers", "renderers", "json")
#: A name may also be a file's.
FILES = (".png", ".npz", ".json", ".yaml", ".exr", ".glb", ".xml", ".py", ".md")
OLD_NAMES = "## Old names"


def text_of(document: Path) -> str:
    """Without the table of old names, and without what is no prose of ours."""
    return document.read_text(encoding="utf-8").split(OLD_NAMES)[0]


def anchors(document: Path) -> set[str]:
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{document.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{document.name} links to {target}"


def settings_in(text: str) -> Iterator[str]:
    """Dotted names of settings, of today or of old: `--a.b-c` in commands, `a.b_c` and `a.b=1` in texts."""
    flags = re.findall(r"--([a-z][a-z-]*(?:\.[a-z][a-z-]*)+)", text)
    words = re.findall(r"[`\s]([a-z_]+(?:\.[a-z_]+)+)[`:=]", text)
    for name in (*(flag.replace("-", "_") for flag in flags), *words):
        of_settings = name.split(".")[0] in SECTIONS | OLD_SECTIONS
        if of_settings and not name.endswith(FILES) and not is_module(name):
            yield name


def is_module(name: str) -> bool:
    path = SOURCE / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def is_in_module(name: str) -> bool:
    """Whether the last part is a name in the module before it."""
    home = (SOURCE / name.replace(".", "/")).parent
    file = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
    return file.is_file() and f" {Path(name).suffix[1:] or name}" in file.read_text(encoding="utf-8")


def is_setting(name: str) -> bool:
    """A flag may carry `no_` before its last part."""
    value, (*path, last) = Config(), name.split(".")
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
        if value is None:
            return False
    known = set(value) if isinstance(value, Mapping) else {f.name for f in dataclasses.fields(value)}
    return last in known or last.removeprefix("no_") in known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_settings_exist(document: Path) -> None:
    for name in settings_in(text_of(document)):
        assert is_setting(name), f"{document.name}: there is no setting {name}, perhaps {renamed(name).new}"


def test_what_counts_as_a_setting() -> None:
    assert list(settings_in("`losses.edge.weight` and --stages.joint.iterations 4")) == [
        "stages.joint.iterations",
        "losses.edge.weight",
    ]
    assert is_setting("stages.joint.iterations")
    assert is_setting("labels.no_check_masks")
    assert not is_setting("losses.edge.wait")
    assert not is_setting("stages.joint.edges")
    assert not is_setting("schedule.joint.iterations")


def test_old_names_are_all_told() -> None:
    told = (REPOSITORY / "docs" / "conventions.md").read_text(encoding="utf-8").split(OLD_NAMES)[1]
    for old, entry in RENAMED.items():
        for part in (old.split(".")[0], re.split(r"[._]", old)[-1]):
            assert part in told, f"{old} is {entry.new} now"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_files_and_modules_exist(document: Path) -> None:
    text = text_of(document)
    for name in re.findall(r"`([a-z_0-9]+/[a-z_0-9/]+\.(?:py|yaml|css|js))`", text):
        assert any((root / name).exists() for root in (SOURCE, REPOSITORY)), f"{document.name}: there is no {name}"
    for name in re.findall(r"\bhandrefine\.([a-z_0-9]+(?:\.[a-z_0-9]+)*)", text):
        known = is_module(name) or is_in_module(name) or name in ELSEWHERE
        assert known, f"{document.name}: there is no handrefine.{name}"
