"""The house of docs/architecture.md: which room may import which, no cycles, short files, few parameters."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "handrefine"
#: What every room may import: nouns and small tools that know no room. Among themselves they form no cycle.
NOUNS = {
    "errors", "colour", "lens", "lens_arrays", "camera", "colour_fit", "spherical", "mesh", "sequence", "views",
    "observations", "regions", "progress", "preset", "findings", "person", "frame_ranges", "rasterise", "state",
    "things",
}  # fmt: skip
#: Nouns, and the room of files.
EVERYWHERE = {*NOUNS, "io"}
SETTINGS = {"config", "config_files", "deprecated_keys"}
BELOW_CONFIG = {"hand", "render", "scene", "losses", "optimizers"}
#: Of every room, the other rooms that it may import beside the nouns; a dotted name is one module of a room.
MAY_IMPORT: dict[str, set[str]] = {
    "io": set(),
    "datasets": set(),
    "hand": set(),
    "render": set(),
    "scene": {"hand", "render.base"},
    "losses": {"scene", "hand"},
    "optimizers": {"scene", "losses", "hand", "render.base"},
    "config": {*BELOW_CONFIG, "preprocess", "refinement"},
    "config_files": {"config", "deprecated_keys", "refinement.schedule"},
    "deprecated_keys": set(),
    "preprocess": {"hand", "render", "config"},
    "capture": {"datasets", "export.new_output"},
    "synthetic": {"hand", "render", "config", "datasets"},
    "refinement": {*BELOW_CONFIG, *SETTINGS, "preprocess", "runs.result"},
    "runs": {"config", "config_files"},
    "evaluation": {"preprocess", "render", "hand", "runs.result", "runs.judgement", "scene.missing_hands"},
    "report": {"runs", "evaluation.measures"},
    "viewer": {"runs", "evaluation.measures", "export.meshes", "export.glb"},
    "export": {"runs", "evaluation.measures", "render", "datasets", "hand"},
    "task": {*SETTINGS, "datasets"},
    "pipeline": {
        *BELOW_CONFIG, *SETTINGS, "task", "datasets", "preprocess", "refinement", "evaluation", "runs", "report",
    },
    "batch": {
        *SETTINGS, "task", "pipeline", "datasets", "preprocess", "render", "refinement.schedule",
        "refinement.check", "runs", "export.new_output", "report.markup", "report.page",
    },
    "evaluate_run": {"datasets", "evaluation", "runs", "report", "synthetic"},
}  # fmt: skip
#: Functions may take so many parameters, methods beside self; files may have so many lines.
MOST_PARAMETERS, MOST_LINES = 7, 300
#: Signatures that are Mitsuba's.
OF_MITSUBA = {"render/mitsuba/first_hit.py: sample takes 10"}


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path, *, at_import_only: bool = False) -> set[str]:
    """Modules of handrefine that a file imports, without the package's name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if at_import_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "handrefine":
            names.update(f"handrefine.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            own = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = {name for name in own if is_module(name)}
            names.update(submodules if submodules == own else submodules | {node.module})
    return {name.removeprefix("handrefine.") for name in names if name.startswith("handrefine.")}


def is_module(name: str) -> bool:
    path = SOURCE.joinpath(*name.split(".")[1:])
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_it_may(room: str) -> None:
    own = [file for file in files() if module_of(file).split(".")[0] == room]
    assert own
    for file in own:
        for module in imported(file):
            top = module.split(".")[0]
            allowed = (
                top == room
                or top in EVERYWHERE
                or any(module == name or module.startswith(f"{name}.") for name in MAY_IMPORT[room])
            )
            assert allowed, f"{file} imports {module}"


def test_every_room_has_its_rule() -> None:
    rooms = {module_of(file).split(".")[0] for file in files()} - {""}
    assert rooms - set(MAY_IMPORT) - NOUNS == {"cli", "__main__"}


def test_nouns_import_nouns_only() -> None:
    for noun in NOUNS:
        tops = {module.split(".")[0] for module in imported(SOURCE / f"{noun}.py")}
        assert tops <= EVERYWHERE, f"{noun} imports {tops - EVERYWHERE}"


def test_files_are_read_without_knowing_what_they_hold() -> None:
    tops = {module.split(".")[0] for file in files() if file.parent.name == "io" for module in imported(file)}
    assert tops == {"io", "errors", "colour"}


def test_the_documentation_names_every_noun_and_room() -> None:
    page = (SOURCE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    nouns = page.split("The **nouns** are")[1].split("every room may import them")[0]
    assert {word for word in nouns.split("`") if word.isidentifier()} == NOUNS
    rooms = {room for room in MAY_IMPORT if (SOURCE / room).is_dir()}
    assert {room for room in rooms if f"`{room}/`" not in page} == set()


def test_modules_import_each_other_in_no_circle() -> None:
    needs = {module_of(file): imported(file, at_import_only=True) for file in files()}
    needs = {name: {n for n in of if n in needs and n != name} for name, of in needs.items()}
    while free := [name for name, of in needs.items() if not of]:
        needs = {name: of - set(free) for name, of in needs.items() if name not in free}
    assert needs == {}


def test_files_are_short() -> None:
    long = {
        str(file.relative_to(SOURCE)): n
        for file in files()
        if (n := len(file.read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_functions_take_few_parameters() -> None:
    found = []
    for file in files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = len([a for a in arguments if a.arg not in ("self", "cls", "ctx")])
                if count > MOST_PARAMETERS:
                    found.append(f"{file.relative_to(SOURCE)}: {node.name} takes {count}")
    assert set(found) <= OF_MITSUBA


def test_the_variant_is_set_at_one_place_only() -> None:
    calls = [file for file in files() for _ in range(file.read_text().count("mi.set_variant("))]
    assert [file.name for file in calls] == ["runtime.py"]


def test_benchmarks_import_no_command() -> None:
    for file in (SOURCE.parents[1] / "benchmarks").rglob("*.py"):
        assert not [module for module in imported(file) if module.split(".")[0] == "cli"], file


def test_importing_the_package_chooses_no_renderer() -> None:
    import subprocess
    import sys

    code = "import handrefine, handrefine.cli.main, sys; print('mitsuba' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split()[0] == "False"


def test_the_public_interface_is_what_it_says() -> None:
    import inspect

    import handrefine as hr

    assert list(inspect.signature(hr.refine).parameters)[:3] == ["sequence", "hands", "config"]
    import handrefine.refinement.refine  # a module of that name does not take the function's place

    assert callable(hr.refine)
    for name in hr._HOME:
        assert getattr(hr, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = hr.nonsense
