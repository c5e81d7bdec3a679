"""The documentation site: it builds strictly, and its tutorial runs. Both need the extra `docs`."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import handrefine

ROOT = Path(__file__).parents[1]
needs_docs = pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("nbclient") is None,
    reason="needs the extra [docs]",
)


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    named = set(re.findall(r"[\w./-]+\.md", nav))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} <= named


@pytest.mark.parametrize("name", [name for name in handrefine._HOME if name[0].islower()])
def test_every_argument_that_is_explained_exists(name: str) -> None:
    """One a line: the site's builder, which is strict, knows no `a, b: of both`."""
    function = getattr(handrefine, name)
    explained = re.search(r"^Args:\n((?: +.*\n?|\n)+)", inspect.getdoc(function) or "", flags=re.MULTILINE)
    names = [] if explained is None else re.findall(r"^    (\S.*?):(?=\s)", explained[1], flags=re.MULTILINE)
    assert set(names) <= set(inspect.signature(function).parameters)


@pytest.mark.slow
@needs_docs
def test_the_site_builds_and_every_setting_has_its_line(tmp_path: Path) -> None:
    """Strict: a link to nothing, or a page that is named and missing, fails."""
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        build, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    settings = (tmp_path / "site/reference/settings/index.html").read_text(encoding="utf-8")
    for name in ("render.spp", "labels.source", "losses.data.", "seed"):
        assert name in settings
    commands = (tmp_path / "site/reference/commands/index.html").read_text(encoding="utf-8")
    assert "--holdout" in commands
    interface = (tmp_path / "site/reference/api/index.html").read_text(encoding="utf-8")
    assert "read_dataset" in interface


@pytest.mark.slow
@needs_docs
def test_the_tutorial_runs_and_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools" / "site"))
    from run_notebook import NOTEBOOK, run_notebook  # pyright: ignore[reportMissingImports]

    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    outputs = str([cell.get("outputs", []) for cell in run_notebook(NOTEBOOK).cells])
    found = re.search(r"mean vertex error\D+([\d.]+) mm\D+([\d.]+) mm", re.sub(r"\\x1b\[[\d;]*m", "", outputs))
    assert found is not None
    before, after = map(float, found.groups())
    assert before == pytest.approx(10, abs=0.01)
    assert after < 2
