"""The completion script, as bash runs it."""

import subprocess
from pathlib import Path

import pytest

from handrefine.cli.main import main


def test_bash_completes_commands_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["completion", "bash"])
    assert not stop.value.code
    script = tmp_path / "handrefine.bash"
    script.write_text(capsys.readouterr().out)
    for typed, wanted in ((["ref"], "refine"), (["refine", "--hold"], "--holdout")):
        words = " ".join(["handrefine", *typed])
        ask = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; COMP_LINE='{words}'; "
            f"COMP_POINT=${{#COMP_LINE}}; _tyro_handrefine handrefine {typed[-1]}; echo ${{COMPREPLY[@]}}"
        )
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
        assert wanted in done.stdout.split(), done.stderr
