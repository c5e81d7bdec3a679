"""The way between PyTorch and Dr.Jit: the right numbers, only gradients that are wanted, nothing left behind."""

import ast
import gc
import weakref
from pathlib import Path

import pytest
import torch
from render_scenes import look_at_camera, resident_mib, sphere

import handrefine
from handrefine.render.base import HandSurface, RenderConfig
from handrefine.render.registry import create_renderer
from handrefine.views import View, ViewSet

SOURCE = Path(handrefine.__file__).parent


class Polynomial:
    """A render pass with a gradient that can be worked out: parts `a^2 b + seed` and `c`, gradients plus seed."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def render(self, inputs, seeds):
        import mitsuba as mi

        a, b, c = (inputs[name] for name in "abc")
        return [a * a * b + float(seeds[0]), mi.TensorXf(c)]

    def render_backward(self, inputs, wanted, image_gradient, seeds):
        self.asked.append(tuple(wanted))
        a, b = inputs["a"], inputs["b"]
        first, second = image_gradient
        every = {"a": 2 * a * b * first, "b": a * a * first, "c": second}
        return {name: every[name] + float(seeds[0]) for name in wanted}


def inputs(wanted: str = "abc") -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (3, 4), "b": (3, 4), "c": (2, 5, 3)}
    return {k: torch.rand(s, generator=generator).requires_grad_(k in wanted) for k, s in shapes.items()}


def draw(tensors: dict[str, torch.Tensor], render_pass: Polynomial | None = None) -> list[torch.Tensor]:
    from handrefine.render.mitsuba import bridge

    return bridge.render(render_pass or Polynomial(), tensors, seeds=[0], seeds_grad=[0])


def test_values_and_gradients_cross_with_their_shapes(runtime):
    x = inputs()
    weights = torch.rand(3, 4), torch.rand(2, 5, 3)
    parts = draw(x)
    sum((part * w).sum() for part, w in zip(parts, weights, strict=True)).backward()
    y = inputs()
    expected = [y["a"] ** 2 * y["b"], y["c"]]
    sum((part * w).sum() for part, w in zip(expected, weights, strict=True)).backward()
    for part, e in zip(parts, expected, strict=True):
        torch.testing.assert_close(part, e)
    for name in "abc":
        torch.testing.assert_close(x[name].grad, y[name].grad)


def test_tensors_need_not_be_contiguous_nor_plain(runtime):
    """A transposed view, a parameter, and a gradient that arrives expanded from one number."""
    x = inputs()
    base = torch.nn.Parameter(x["a"].detach().t().contiguous())
    odd = {"a": base.t(), "b": torch.nn.Parameter(x["b"].detach()), "c": x["c"]}
    draw(odd)[0].sum().backward()
    torch.testing.assert_close(base.grad, (2 * x["a"] * x["b"]).detach().t())
    torch.testing.assert_close(odd["b"].grad, (x["a"] ** 2).detach())


@pytest.mark.parametrize("wanted", ["a", "b", "ac", ""])
def test_only_what_requires_a_gradient_is_asked_for_and_gets_one(runtime, wanted):
    render_pass, x = Polynomial(), inputs(wanted)
    loss = sum(part.sum() for part in draw(x, render_pass))
    assert loss.requires_grad == bool(wanted)
    if wanted:
        loss.backward()
        assert render_pass.asked == [tuple(wanted)]
    assert {name for name in "abc" if x[name].grad is not None} == set(wanted)


def test_without_autograd_nothing_is_differentiable(runtime):
    with torch.no_grad():
        assert not any(part.requires_grad for part in draw(inputs()))


def test_image_and_gradient_get_their_own_seeds(runtime):
    from handrefine.render.mitsuba import bridge

    x, plain = inputs(), inputs()
    parts = bridge.render(Polynomial(), x, seeds=[7], seeds_grad=[1000])
    torch.testing.assert_close(parts[0], plain["a"] ** 2 * plain["b"] + 7)
    parts[0].sum().backward()
    torch.testing.assert_close(x["b"].grad, (plain["a"] ** 2).detach() + 1000)


def test_a_second_gradient_of_one_image_is_refused(runtime):
    x = inputs()
    loss = draw(x)[0].sum()
    torch.autograd.grad(loss, x["a"], retain_graph=True)
    with pytest.raises(RuntimeError, match="differentiated once"):
        torch.autograd.grad(3 * loss, x["a"])


def test_inputs_changed_before_the_gradient_are_refused(runtime):
    x = inputs()
    loss = draw(x)[0].sum()
    with torch.no_grad():
        x["b"] += 1
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_nothing_is_left_behind(runtime):
    """400 iterations over 4 MB of inputs, with and without a backward pass; a pass goes with its image."""
    big = {name: torch.rand(1000, 350).requires_grad_() for name in "abc"}

    def iterate(*, backward: bool) -> weakref.ref:
        render_pass = Polynomial()
        loss = draw(big, render_pass)[0].sum()
        if backward:
            loss.backward()
        return weakref.ref(render_pass)

    for _ in range(5):
        assert iterate(backward=True)() is None
        assert iterate(backward=False)() is None
    gc.collect()
    start = resident_mib()
    for step in range(400):
        iterate(backward=step % 4 > 0)
    assert resident_mib() - start < 12


@pytest.mark.parametrize("backend", ["batched", "reference"])
def test_a_renderer_gives_the_gradients_that_are_wanted(runtime, backend):
    """Each alone is the same as all together; what is not wanted stays without one."""
    verts, topology = sphere(0.08, subdivisions=2)
    views = ViewSet((View(0, look_at_camera((0, -0.5, 0.1), (12, 10), (24.0, 24.0))),))
    renderer = create_renderer([topology], views, RenderConfig(backend=backend, depth=2, spp=2))
    values = {"verts": verts[None], "texture": torch.full((1, 4, 4, 3), 0.5), "light": torch.ones(4, 8, 3)}

    def gradients(wanted: set[str]) -> dict[str, torch.Tensor | None]:
        x = {name: value.clone().requires_grad_(name in wanted) for name, value in values.items()}
        image = renderer.render([HandSurface(x["verts"], x["texture"])], x["light"], seed=3)
        (image.rgb.square().sum() + image.coverage.sum()).backward()
        return {name: value.grad for name, value in x.items()}

    everything = gradients(set(values))
    for wanted in ({"verts"}, {"light", "texture"}):
        found = gradients(wanted)
        assert {name for name, value in found.items() if value is not None} == wanted
        for name in wanted:
            # Threads add in any order in Mitsuba's own kernels.
            difference = (found[name] - everything[name]).norm()
            assert everything[name].norm() > 0
            assert difference <= 1e-3 * everything[name].norm()


def test_the_bridge_is_the_only_one():
    """No other renderer's module handles both kinds of arrays or has a gradient of its own for PyTorch, and none
    anywhere turns one kind into the other. Starting Mitsuba, and photographs, which go through NumPy without
    gradients, need both."""
    both, crossing, functions = set(), set(), set()
    for file in SOURCE.rglob("*.py"):
        name, tree = str(file.relative_to(SOURCE)), ast.parse(file.read_text())
        roots = {root for node in ast.walk(tree) for root in _imported(node)}
        if "torch" in roots and roots & {"drjit", "mitsuba"}:
            both.add(name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"dr.wrap", "dr.custom", "dr.CustomOp"}:
                crossing.add(name)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "torch":
                crossing.add(name)
            if isinstance(node, ast.ClassDef) and any("Function" in ast.unparse(base) for base in node.bases):
                functions.add(name)
    bridge = "render/mitsuba/bridge.py"
    in_render = {name for name in both if name.startswith("render/")}
    assert in_render == {bridge, "render/mitsuba/runtime.py", "render/mitsuba/photo.py"}
    assert crossing == {bridge}
    assert not [name for name in functions if name.startswith("render/mitsuba/")]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module.split(".")[0]]
    return []
