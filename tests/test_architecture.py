"""The layers know nothing of each other; only `refine`, `commands` and the top level compose them."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "handrefine"
LAYERS = ("datasets", "hand", "render")


def imported_modules(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return {name for name in names if name.startswith("handrefine")}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_no_other_layer(layer: str) -> None:
    forbidden = {f"handrefine.{other}" for other in (*LAYERS, "refinement", "cli") if other != layer}
    files = list((SOURCE / layer).rglob("*.py"))
    assert files
    for file in files:
        for module in imported_modules(file):
            assert ".".join(module.split(".")[:2]) not in forbidden, f"{file} imports {module}"


def test_the_variant_is_set_at_one_place_only() -> None:
    calls = [file for file in SOURCE.rglob("*.py") for _ in range(file.read_text().count("mi.set_variant("))]
    assert [file.name for file in calls] == ["runtime.py"]


def test_importing_the_package_chooses_no_renderer() -> None:
    import subprocess
    import sys

    code = "import handrefine, handrefine.cli.main, sys; print('mitsuba' in sys.modules, 'torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split()[0] == "False"
