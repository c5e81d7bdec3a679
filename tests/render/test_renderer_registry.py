"""Renderers by name; installed packages bring renderers of their own."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from render_scenes import look_at_camera

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.errors import InputError
from handrefine.render.base import HandSurface, RenderConfig, Renderer, Rendering
from handrefine.render.registry import create_renderer
from handrefine.views import View, ViewSet

VIEWS = ViewSet((View(0, look_at_camera((0, -1, 0), (4, 3), (10.0, 10.0))),))


@dataclass
class FlatRenderer:
    """A stranger's renderer: every pixel has the mean colour of the first hand's texture."""

    topologies: tuple
    views: ViewSet
    config: RenderConfig
    beside: Renderer | None = None

    def render(self, hands: list[HandSurface], environment: torch.Tensor, *, seed: int) -> Rendering:
        rgb = hands[0].texture.mean(dim=(0, 1, 2)).expand(self.views.n_pixels, 3)
        return Rendering(rgb, torch.ones(self.views.n_pixels, len(hands)))


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a distribution with the given entry points; `tiny_renderers` holds what they name."""
    module = ModuleType("tiny_renderers")
    module.FlatRenderer, module.WORDS = FlatRenderer, "words"  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "tiny_renderers", module)

    def install(*entries: str) -> None:
        info = tmp_path / "site" / "tiny_renderers-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-renderers\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[handrefine.renderers]\n" + "\n".join(entries) + "\n")
        monkeypatch.syspath_prepend(tmp_path / "site")

    return install


def test_a_renderer_from_outside(installed, rest_hand):
    """It is asked for like a built-in one and gets what those get."""
    installed("flat = tiny_renderers:FlatRenderer")
    config = config_from_mapping({"render": {"backend": "flat", "spp": 9}}).render
    first = create_renderer((rest_hand.topology,), VIEWS, config)
    second = create_renderer((rest_hand.topology,), VIEWS, replace(config, shading="albedo"), beside=first)
    assert isinstance(second, FlatRenderer)
    assert second.config == RenderConfig(backend="flat", spp=9, shading="albedo")
    assert second.beside is first
    hand = HandSurface(rest_hand.verts[None], torch.full((1, 2, 2, 3), 0.25))
    assert (second.render([hand], torch.zeros(4, 8, 3), seed=0).rgb == 0.25).all()


def test_the_default_and_the_built_in_ones(runtime, rest_hand):
    from handrefine.render.mitsuba.batched import BatchedRenderer
    from handrefine.render.mitsuba.reference import ReferenceRenderer

    for config, kind in (
        (Config().render, BatchedRenderer),
        (RenderConfig(backend="reference"), ReferenceRenderer),
    ):
        renderer = create_renderer([rest_hand.topology], VIEWS, config)
        assert isinstance(renderer, kind)
        assert isinstance(renderer, Renderer)


def test_an_unknown_name_is_told_with_those_that_are_known(installed, rest_hand):
    installed("flat = tiny_renderers:FlatRenderer")
    with pytest.raises(InputError, match=r"no renderer 'bached'(.|\n)*batched, reference, redner, flat"):
        create_renderer([rest_hand.topology], VIEWS, RenderConfig(backend="bached"))


def test_a_broken_renderer_stops_only_who_asks_for_it(installed, rest_hand):
    installed("gone = no_such_module:Renderer", "odd = tiny_renderers:WORDS", "flat = tiny_renderers:FlatRenderer")
    with pytest.raises(InputError, match=r"'gone' cannot be loaded(.|\n)*no_such_module:Renderer(.|\n)*Module"):
        create_renderer([rest_hand.topology], VIEWS, RenderConfig(backend="gone"))
    with pytest.raises(InputError, match=r"'odd' is none(.|\n)*RendererFactory(.|\n)*str"):
        create_renderer([rest_hand.topology], VIEWS, RenderConfig(backend="odd"))
    assert create_renderer([rest_hand.topology], VIEWS, RenderConfig(backend="flat"))


def test_two_renderers_of_one_name(installed, rest_hand):
    installed("batched = tiny_renderers:FlatRenderer")
    with pytest.raises(InputError, match=r"2 renderers are called 'batched'(.|\n)*tiny_renderers:FlatRenderer"):
        create_renderer([rest_hand.topology], VIEWS, RenderConfig())


def test_more_hands_than_a_renderer_takes_are_refused(runtime, rest_hand):
    for backend, count in (("reference", 4), ("redner", 2)):
        with pytest.raises(InputError, match="hand"):
            create_renderer([rest_hand.topology] * count, VIEWS, RenderConfig(backend=backend))


def test_the_registry_imports_no_renderer():
    code = "import handrefine.render.registry, sys; print({'mitsuba', 'drjit'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"
