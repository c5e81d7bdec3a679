"""The commands that README and docs/ show run, in the order in which a page shows them: `pytest -m docs`.

They run in a folder of their own with small settings, which stand in the tables below. A command that needs what
this machine lacks is skipped; whether it lacks that is looked up here, so that the command runs where it is found.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from documented_commands import REPOSITORY, DocumentedCommand, all_commands

from handrefine.cli.main import command_named
from handrefine.config import Config
from handrefine.config_files import load_config
from handrefine.render.redner.environment import environment_folder

pytestmark = [pytest.mark.docs, pytest.mark.slow]
TIMEOUT_S = 900
#: The end that is appended to `handrefine COMMAND`; the last of two equal options counts. STAGES are those of its
#: configuration.
_SHORT = "STAGES"
_VIDEO = "--n-cameras 3 --n-frames 2 --size 48 --texture.size 64"
SMALL = {
    "demo": f"{_VIDEO} {_SHORT} --overwrite",
    "synthesize": _VIDEO,
    "import": "--unit hand --frames 10 --out IMPORTED",
    "refine": f"{_SHORT} --overwrite --hand.model-file None",
    "turntable": "--n-images 2 --size 32 --spp 1",
    "view": "--no-browser",
    "batch": _SHORT,
    "batch merge": "--use 'improved,unchanged,worse,beyond repair'",  # so few iterations improve nothing
}
#: Names that a page lets stand for something of the reader's, and cameras and sequences of our small video.
STANDS_FOR = {
    "08,14": "02",
    "03,07": "02",
    "CAPTURE": "DATASET",
    "DATA": "DATASET",
    "SEQUENCE": "synthetic",
    "PATH": "scene-of-run",
    "a.mp4": "cam0_test.mp4",
    "b.mp4": "cam1_test.mp4",
    "--calibration FILE": "--calibration camera_parameters",
    "SCENE.xml": "scene-of-run/scene.xml",
    "IMAGE": "image.png",
    "~": "home",
}


def _unreachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=5).close()
    except OSError:
        return True
    return False


#: The folder in which the datasets lie, and handpose3d's clip: `*.mp4`, and `*.dat` in `camera_parameters/`.
DATASETS = Path(os.environ.get("HANDREFINE_DATASETS", "."))
CLIP = DATASETS / "handpose3d"


def _dataset_missing(name: str) -> bool:
    return not (DATASETS / name).is_dir()


#: Part of a command, what it needs, and whether this machine lacks that.
NEEDS: list[tuple[str, str, Callable[[], bool]]] = [
    ("download.pytorch.org", "PyTorch's package index", lambda: _unreachable("download.pytorch.org")),
    ("pip install", "a package index", lambda: _unreachable("pypi.org")),
    *[
        (f"--data {n}", f"{n} in HANDREFINE_DATASETS", lambda n=n: _dataset_missing(n))
        for n in ("InterHand2.6M", "DexYCB", "HanCo", "HO3D_v3")
    ],
    ("handrefine import", "handpose3d in HANDREFINE_DATASETS", lambda: not CLIP.is_dir()),
    ("--detect", "MediaPipe", lambda: find_spec("mediapipe") is None),
    ("handrefine view", "viser", lambda: find_spec("viser") is None),
    ("redner", "Redner's environment", lambda: not environment_folder().exists()),
    ("benchmarks.", "hours: HANDREFINE_HOURS=1", lambda: "HANDREFINE_HOURS" not in os.environ),
    ("test_report_browser", "Chromium", lambda: shutil.which("chromium") is None),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `handrefine` on its path, and a small video of two hands."""
    folder = tmp_path_factory.mktemp("documented")
    (folder / "bin").mkdir()
    for name, call in (
        ("handrefine", "-m handrefine"),
        ("python", ""),
        ("pip", "-m pip"),
        ("pytest", "-m pytest"),
    ):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
        script.chmod(0o755)
    run(f"handrefine synthesize --hand both --out DATASET {_VIDEO}", folder)
    run(f"handrefine refine --data DATASET --hand right --out RUN {with_stages(SMALL['refine'])}", folder)
    if CLIP.is_dir():
        for path in CLIP.iterdir():
            (folder / path.name).symlink_to(path.resolve())
    return folder


@pytest.fixture(scope="module")
def folder_of_page(workplace: Path) -> Callable[[str], Path]:
    """A page's own copy of the folder: what one page calls RUN is not what another does."""

    def folder_of(page: str) -> Path:
        folder = workplace.with_name(f"{workplace.name}-{page.replace('/', '-')}")
        if not folder.exists():
            shutil.copytree(workplace, folder, symlinks=True)
        return folder

    return folder_of


def with_stages(text: str) -> str:
    """Two iterations for every stage of the preset that the command names, or of the defaults."""
    preset = re.search(r"--config (\w+)(?!\S)", text)
    stages = (load_config(preset[1]) if preset else Config()).stages
    return text.replace(_SHORT, " ".join(f"--stages.{name}.iterations 2" for name in stages))


def environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    modules = os.pathsep.join([str(REPOSITORY / "src"), str(REPOSITORY)])
    return {**os.environ, "PATH": path, "PYTHONPATH": modules}


def run(text: str, folder: Path, *, where: Path | None = None) -> None:
    """Run one command line with the programs of a page's folder, there or elsewhere.

    Its output is told where it fails.
    """
    done = subprocess.run(
        text,
        shell=True,
        cwd=where or folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def serve(text: str, folder: Path) -> None:
    """Run a server until it says where it is, and end it."""
    process = subprocess.Popen(
        shlex.split(text),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "(Ctrl+C ends it)" in line:
                urllib.request.urlopen(line.split()[0], timeout=30).close()  # what is printed can be opened
                return
        raise AssertionError(f"{text}\n{''.join(lines)}")
    finally:
        process.kill()
        process.wait()


def small(command: DocumentedCommand) -> str:
    """The command with small settings."""
    text = command.text
    for name, value in STANDS_FOR.items():
        text = re.sub(rf"(?<![\w/.-]){re.escape(name)}(?![\w.-])", value, text)
    program, what = command.words[:2]
    if program == "handrefine":
        line, redirected, file = text.partition(" > ")
        end = SMALL.get(command_named(command.words[1:])[0], "")
        return f"{with_stages(f'{line} {end}')}{redirected}{file}"
    if (program, what) == ("pip", "install"):
        return text.replace("pip install", "pip install --dry-run")
    return text.replace("make ", "make --dry-run ")  # what it runs, other commands and the suite itself run


def what_is_lacking(command: DocumentedCommand) -> str | None:
    return next((need for part, need, lacks in NEEDS if part in command.text and lacks()), None)


@pytest.mark.parametrize("command", all_commands(), ids=str)
def test_the_command_runs(command: DocumentedCommand, folder_of_page: Callable[[str], Path]) -> None:
    if (need := what_is_lacking(command)) is not None:
        pytest.skip(f"needs {need}")
    if command.words[1] == "view":
        serve(small(command), folder_of_page(command.document.stem))
        return
    folder = folder_of_page(command.document.stem)
    of_project = command.words[0] in ("make", "pip", "pytest")
    run(small(command), folder, where=REPOSITORY if of_project else folder)
