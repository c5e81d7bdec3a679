"""The commands that README and docs/ show: every line of a `sh` block, and every table cell that is a command."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
#: Languages of fenced blocks that hold no commands.
NO_COMMANDS = {"python", "toml", "text", "bibtex", "yaml", "json"}
_FENCE = re.compile(r"^ *```(\w*)$\n(.*?)^ *```$", flags=re.MULTILINE | re.DOTALL)
_CELL = re.compile(r"^\| `(handrefine [^`]+)`", flags=re.MULTILINE)
_INDENTED = re.compile(r"\n\n    (?:handrefine|pip|python|pytest|make) .*")


@dataclass(frozen=True)
class DocumentedCommand:
    """One command, its comment and line breaks removed."""

    document: Path
    text: str

    @property
    def words(self) -> list[str]:
        """As a shell would split it; redirections and what follows `&&` are left out."""
        words = shlex.split(self.text)
        ends = [k for k, word in enumerate(words) if word in (">", "&&", "|")]
        return words[: min(ends, default=len(words))]

    def __str__(self) -> str:
        return f"{self.document.name}: {self.text}"


def commands_of(document: Path) -> Iterator[DocumentedCommand]:
    """In the document's order, those of tables last."""
    text = document.read_text(encoding="utf-8")
    for language, block in _FENCE.findall(text):
        if language == "sh":
            for line in re.sub(r"\\\n\s*", "", block).splitlines():
                if bare := re.sub(r"\s+#\s.*$", "", line).strip():
                    yield DocumentedCommand(document, bare)
    for cell in _CELL.findall(text):
        yield DocumentedCommand(document, cell)


def untold_blocks(document: Path) -> list[str]:
    """Blocks that say no language, and commands that stand in no fenced block: nobody would try them."""
    text = document.read_text(encoding="utf-8")
    untold = [
        language or block[:60] for language, block in _FENCE.findall(text) if language not in NO_COMMANDS | {"sh"}
    ]
    return untold + [indented.strip() for indented in _INDENTED.findall(text)]


def all_commands() -> list[DocumentedCommand]:
    return [command for document in DOCUMENTS for command in commands_of(document)]
