"""The version and what a release is made of: one home, and every copy of it compared."""

from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_the_citation_names_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == version("handrefine")
    assert citation["cff-version"] == "1.2.0"


def test_the_workflow_runs_the_test_command_of_the_readme() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    commands = [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step]
    assert commands[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
