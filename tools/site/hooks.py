"""What MkDocs is told beyond mkdocs.yml: which files of the repository are pages, and pages that are generated.

README, changelog and benchmarks stay where people look for them in the repository; here they become pages, and
links between them are turned into links between pages. A link to a file that is no page becomes plain text.
"""

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools" / "site"))

from notebook_page import notebook_page  # noqa: E402
from reference_pages import api_page, commands_page, settings_page  # noqa: E402

#: Files of the repository and the pages that they become; all of docs/ besides.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "RELEASE.md": "release.md",
    "SECURITY.md": "security.md",
}
TUTORIAL = "docs/tutorial.ipynb"
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
_NO_FILE = re.compile(r"^([a-z]+:|#|mailto:)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside docs/, and those that nobody writes."""
    pages = {**PAGES, **{path: path for path in _benchmarks()}}
    for source, target in pages.items():
        if (ROOT / source).suffix == ".md":
            text = (ROOT / source).read_text(encoding="utf-8")
            files.append(File.generated(config, target, content=text))
        else:
            files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    text, pictures = notebook_page(ROOT / TUTORIAL)
    files.append(File.generated(config, "tutorial.md", content=text))
    for name, data in pictures.items():
        files.append(File.generated(config, name, content=data))
    for name, make in (("commands", commands_page), ("settings", settings_page), ("api", api_page)):
        files.append(File.generated(config, f"reference/{name}.md", content=make()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links within the repository become links within the site."""
    here = page.file.src_uri
    home = next((source for source, target in PAGES.items() if target == here), None)
    if home is None:
        home = here if here.startswith("benchmarks/") else f"docs/{here}"

    def moved(match: re.Match[str]) -> str:
        text, link = match.groups()
        if _NO_FILE.match(link):
            return match.group()
        path, anchor, name = link.partition("#")
        target = _page_of(posixpath.normpath(posixpath.join(posixpath.dirname(home), path)))
        if target is not None and files.get_file_from_path(target) is not None:
            text = text.removesuffix(".md]") + "]" if text.endswith(".md]") else text  # of a file: now of a page
            return f"{text}({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor}{name})"
        if (ROOT / posixpath.dirname(home) / path).exists():
            return text.strip("![]")
        return match.group()  # a link to nothing: strict mode tells

    return _LINK.sub(moved, markdown)


def _benchmarks() -> list[str]:
    kinds = (".md", ".png", ".svg", ".webp")
    found = (path for path in (ROOT / "benchmarks").rglob("*") if path.suffix in kinds)
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _page_of(source: str) -> str | None:
    """The site's path of a file of the repository; None where it has none."""
    if source in PAGES:
        return PAGES[source]
    if source == TUTORIAL:
        return "tutorial.md"
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    return source if source.startswith("benchmarks/") else None
