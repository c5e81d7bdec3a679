"""The photographer's studio: same lens as the renderers, glossy skin, a lamp that casts light to one side."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from render_scenes import RestHand, look_at_camera

SIZE = (64, 48)


@dataclass(frozen=True, eq=False)
class Lamp:
    position_world: np.ndarray
    target_world: np.ndarray
    half_size_m: float
    radiance: np.ndarray


def lamp(radiance: float) -> Lamp:
    return Lamp(np.array([0.0, 1.2, 0.0]), np.zeros(3), 0.1, np.full(3, radiance))


def studio(hand: RestHand, *, ambient: float, lamp_radiance: float, specular: float = 0.5):
    from handrefine.render.mitsuba.photo import PhotoSettings, PhotoStudio

    texture = np.full((4, 4, 3), 0.5, np.float32)
    settings = PhotoSettings(specular=specular, spp=32, depth=3)
    made = PhotoStudio([hand.topology], [texture], torch.full((4, 8, 3), ambient), lamp(lamp_radiance), settings)
    made.move(hand.verts)
    return made


def test_the_lens_is_the_cameras(runtime, rest_hand: RestHand):
    camera = look_at_camera((0.1, 0.5, 0.1), SIZE, (110.0, 130.0))
    _, coverage = studio(rest_hand, ambient=1.0, lamp_radiance=0.0).photograph(camera, seed=0)
    coverage = coverage[..., 0]
    assert coverage.shape == (48, 64)
    uv_px = camera.project(rest_hand.verts.double()).numpy()
    rows, columns = np.nonzero(coverage > 0.05)
    np.testing.assert_allclose([columns.min(), rows.min()], uv_px.min(axis=0), atol=1.0)
    np.testing.assert_allclose([columns.max() + 1, rows.max() + 1], uv_px.max(axis=0), atol=1.0)


def test_it_is_black_where_there_is_no_hand_though_the_light_is_everywhere(runtime, rest_hand: RestHand):
    camera = look_at_camera((0.1, 0.5, 0.1), SIZE, (60.0, 60.0))
    rgb, coverage = studio(rest_hand, ambient=1.0, lamp_radiance=0.0).photograph(camera, seed=0)
    coverage = coverage[..., 0]
    assert np.abs(rgb[coverage == 0]).max() == 0
    # Under constant radiance 1 an albedo of 0.5 shows about 0.5; gloss adds a little, self-shadowing takes some.
    assert 0.4 < rgb[coverage == 1].mean() < 0.65


def test_skin_is_glossy(runtime, rest_hand: RestHand):
    camera = look_at_camera((0.1, 0.5, 0.1), SIZE, (90.0, 90.0))
    (matt, coverage), (glossy, _) = (
        studio(rest_hand, ambient=0.3, lamp_radiance=20.0, specular=s).photograph(camera, seed=0)
        for s in (0.0, 0.5)
    )
    gloss = (glossy - matt)[coverage[..., 0] == 1]
    assert gloss.mean() > 0.01
    assert np.percentile(gloss, 99) > 2 * gloss.mean()  # a highlight, not a veil


@pytest.mark.parametrize(("eye", "lit"), [((0.1, 0.5, 0.1), True), ((0.1, -0.5, 0.1), False)])
def test_the_lamp_lights_one_side(runtime, rest_hand: RestHand, eye: tuple[float, float, float], lit: bool):
    camera = look_at_camera(eye, SIZE, (90.0, 90.0))
    rgb, coverage = studio(rest_hand, ambient=0.0, lamp_radiance=60.0).photograph(camera, seed=0)
    coverage = coverage[..., 0]
    level = rgb[coverage == 1].mean()
    assert (level > 0.1) if lit else (level < 0.05)
