"""constraints.txt pins every dependency once for every Python; `tools/check_constraints.py` resolves the pins."""

from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_dependency_has_one_pin_that_it_allows(python: str) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(pin) for line in lines if (pin := line.partition("#")[0].strip())]
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    applicable = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    wanted = [Requirement(line) for line in requires("handrefine") or ()]
    assert len(wanted) > 10
    for requirement in wanted:
        versions = [str(pin.specifier).removeprefix("==") for pin in applicable if pin.name == requirement.name]
        if requirement.name != "handrefine":  # an extra may ask for another one
            assert len(versions) == 1, requirement
            assert requirement.specifier.contains(versions[0]), requirement
