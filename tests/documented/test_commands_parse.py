"""Every command that README and docs/ show is understood by the program that it names."""

import json
import re
import shlex
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from documented_commands import DOCUMENTS, REPOSITORY, DocumentedCommand, all_commands, commands_of, untold_blocks

from handrefine.cli.deprecated import renewed
from handrefine.cli.main import COMMANDS, command_named, parse

COMMANDS_SHOWN = all_commands()


def shown(program: str) -> list[DocumentedCommand]:
    return [command for command in COMMANDS_SHOWN if command.words[0] == program]


def test_every_block_says_what_it_holds() -> None:
    for document in DOCUMENTS:
        assert untold_blocks(document) == [], document.name


def test_every_program_is_one_of_these() -> None:
    assert {command.words[0] for command in COMMANDS_SHOWN} == {
        "handrefine",
        "make",
        "mkdir",
        "pip",
        "pytest",
        "python",
    }


@pytest.mark.parametrize("command", shown("handrefine"), ids=str)
def test_handrefine_parses_it(command: DocumentedCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own parser, in a folder where what the command reads exists."""
    monkeypatch.chdir(tmp_path)
    arguments = command.words[1:]
    for before, word in pairwise(arguments):
        if before in ("--data", "evaluate", "export", "turntable", "view", "report") and not word.startswith("-"):
            Path(word).mkdir(parents=True)
        if before == "--rerun":
            Path(word).mkdir()
            (Path(word) / "task.json").write_text(json.dumps({"data": ".", "out": word}))
    new, messages = renewed(arguments)
    assert messages == []
    assert callable(parse(new))


def test_every_command_is_shown_once_at_least() -> None:
    assert {command_named(command.words[1:])[0] for command in shown("handrefine")} == set(COMMANDS)


def test_what_make_pip_and_python_are_asked_for_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for command in shown("make"):
        assert re.search(rf"^{command.words[1]}:", makefile, flags=re.MULTILINE), command
    extras = set(
        re.findall(r"^(\w+) = \[", (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    for command in shown("pip"):
        for asked in re.findall(r"\.\[([\w,]+)\]", command.text):
            assert set(asked.split(",")) <= extras, command
    for command in shown("python"):
        if command.words[2] not in ("venv", "timeit"):
            assert find_spec(command.words[2]) is not None, command
    for command in shown("pytest"):
        (path,) = [word for word in command.words[1:] if word.endswith(".py")]
        assert (REPOSITORY / path).is_file(), command


def test_what_is_taken_for_a_command(tmp_path: Path) -> None:
    """A comment is none, a line may go on, and words are a shell's."""
    document = tmp_path / "page.md"
    document.write_text("a\n\n```sh\nhandrefine x --a 'b c' \\\n    --d   # why\n```\n\n| `handrefine y` | z |\n")
    found = list(commands_of(document))
    assert [shlex.join(command.words) for command in found] == ["handrefine x --a 'b c' --d", "handrefine y"]
    document.write_text("a\n\n```\nhandrefine x\n```\n\n    handrefine y\n")
    assert len(untold_blocks(document)) == 2
