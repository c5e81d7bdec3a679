"""Names of data are printed as they are, whatever they look like."""

import io

import pytest
from rich.console import Console

from handrefine.cli import main as command_line
from handrefine.cli.tables import holdout_table


@pytest.mark.parametrize("name", ["run [final]", "[/x]", "[red]03[/red]", "a\\[b]"])
def test_a_camera_in_a_table(name: str) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(holdout_table({"cameras": [{"camera": name}], "mean": None}))
    assert name in console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", ["no such [final]", "[/]"])
def test_a_folder_in_a_message(name: str, tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["report", str(tmp_path / name)])
    assert caught.value.code == 2
    assert str(tmp_path / name) in capsys.readouterr().err.replace("\n", "")
