"""A person's surface goes from one video to another, on either hand, and is then no unknown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_iterates import pose_of

from handrefine.errors import InputError
from handrefine.hand.model import HandModel, load_hand_model
from handrefine.optimizers.geometry_vector import GeometryVector
from handrefine.optimizers.vertex_metric import Motion
from handrefine.person import Person, mean_person, read_person, write_person
from handrefine.scene.colour_transforms import ColourTransforms
from handrefine.scene.known_person import begun_as, person_of, surface_of, texture_of
from handrefine.scene.light import SphericalLight
from handrefine.scene.surface import SurfaceConfig
from handrefine.scene.texture import TextureConfig, TexturePyramid
from handrefine.scene.video_model import VideoHand, VideoModel

MODES = 6
CONFIG = SurfaceConfig(modes=MODES)


@pytest.fixture(scope="module")
def right() -> HandModel:
    return load_hand_model("right")


def hand_with(hand: HandModel, person: Person | None) -> VideoHand:
    pose = pose_of(np.zeros((2, 48)))
    surface = surface_of(hand, CONFIG, person)
    return VideoHand(hand, pose if person is None else begun_as(pose, person), TexturePyramid(8), surface=surface)


@pytest.fixture(scope="module")
def found(right: HandModel) -> Person:
    """As a first video would find it: half a millimetre of every mode, and a shape."""
    video = hand_with(right, None)
    assert video.surface is not None
    with torch.no_grad():
        video.surface.coefficients.copy_(5e-4 * torch.randn(MODES, generator=torch.Generator().manual_seed(0)))
        video.pose.shape.copy_(torch.linspace(-1, 1, 10))
    seen = np.zeros((256, 256), dtype=bool)
    seen[:, 128:] = True
    person = person_of(video, seen)
    assert person is not None
    return person


def model_with(hand: VideoHand) -> VideoModel:
    return VideoModel([hand], SphericalLight(1), 4, ColourTransforms(2))


def test_a_file_gives_the_person_back(found: Person, tmp_path: Path):
    write_person(tmp_path / "person.npz", found)
    read = read_person(tmp_path / "person.npz")
    assert read.hand_model == found.hand_model
    for name in ("shape", "coefficients_m", "displacement_m"):
        assert np.array_equal(getattr(read, name), getattr(found, name))
    texture = read.textures["right"]
    assert np.allclose(texture, found.textures["right"], atol=5e-4)
    assert np.array_equal(texture[..., 3], np.broadcast_to([0, 0, 0, 0, 1, 1, 1, 1], (8, 8)))


def test_another_video_wears_the_surface_and_does_not_move_it(right: HandModel, found: Person):
    first, second = hand_with(right, None), hand_with(right, found)
    assert len(model_with(first).parameters_of("surface")) == 1
    assert model_with(second).parameters_of("surface") == []
    assert second.surface is not None
    assert torch.allclose(second.surface.displacement_m().double(), torch.tensor(found.displacement_m), atol=1e-7)
    assert torch.allclose(second.pose.shape, torch.linspace(-1, 1, 10))
    assert second.pose.shape.requires_grad


def test_no_optimizer_moves_what_is_held(right: HandModel, found: Person):
    for hand, moves in ((hand_with(right, None), True), (hand_with(right, found), False)):
        assert hand.surface is not None
        vector, before = GeometryVector([hand], ["shape", "surface"]), hand.surface.coefficients.detach().clone()
        with torch.no_grad():
            vector.move(Motion(torch.zeros(2, 51).double(), torch.ones(10 + MODES).double()))
        assert torch.equal(hand.surface.coefficients, before) != moves
        assert (vector.damping(1e-3, {"shape": 1.0, "surface": 1e-3}, 7.0).shared[10:] == 7.0).all() != moves


def test_the_other_hand_wears_its_mirror_image(right: HandModel, found: Person):
    left = load_hand_model("left")
    verts, mirrored = (hand_with(hand, found).geometry().verts_world for hand in (right, left))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(verts, mirrored * flip, atol=1e-5)


def test_a_texel_is_the_mean_of_who_has_seen_it(found: Person):
    one, other = np.zeros((8, 8, 4)), np.ones((8, 8, 4))
    one[:, :4, 3] = 1  # sees the left half; the other one all
    assert np.unique(mean_person([found, found]).textures["right"][..., :3]).tolist() == [0.5]
    mean = mean_person([replace(found, textures={"right": of}) for of in (one, other)]).textures["right"]
    assert (mean[:, :4, :3] == 0.5).all()
    assert (mean[:, 4:, :3] == 1).all()
    assert (mean[..., 3] == 1).all()


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_texture_begins_as_the_persons(found: Person, size: int):
    wanted = torch.linspace(0.1, 0.9, 32)[:, None, None].expand(32, 32, 3)
    person = replace(found, textures={"right": torch.cat([wanted, torch.ones(32, 32, 1)], dim=2).numpy()})
    texture = texture_of("right", TextureConfig(size=size), 1, person)
    begun = texture()[0]
    assert begun.shape == (size, size, 3)
    fine, coarse = (begun, wanted) if size >= 32 else (wanted, begun)
    smaller = torch.nn.functional.adaptive_avg_pool2d(fine.permute(2, 0, 1), len(coarse)).permute(1, 2, 0)
    assert torch.allclose(smaller, coarse, atol=1e-5 if size <= 32 else 0.02)
    assert torch.allclose(texture(1)[0].mean(), wanted.mean(), atol=0.02)
    assert (texture_of("left", TextureConfig(size=size), 1, person)() == 0.5).all()


def test_another_hand_models_person_is_refused(right: HandModel, found: Person):
    with pytest.raises(InputError, match="another hand model"):
        surface_of(right, CONFIG, replace(found, hand_model="MANO.pkl"))
    with pytest.raises(InputError, match="another hand model"):
        surface_of(right, CONFIG, replace(found, displacement_m=found.displacement_m + 1e-3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": np.str_("else")}, "no file of a person"),
        ({"version": np.int64(9)}, "no file of a person"),
        ({"version": np.zeros(3, int)}, "no file of a person"),
        ({"version": np.str_("one")}, "no file of a person"),
        ({"shape": np.zeros(4)}, "shape is no row"),
        ({"coefficients_m": np.full(3, np.nan)}, "coefficients_m is no row"),
        ({"texture_left": np.zeros((8, 4, 4))}, "left hand is no square"),
        ({"texture_right": np.full((8, 8, 4), 2.0)}, "right hand is no square"),
    ],
)
def test_a_broken_file_is_told(found: Person, tmp_path: Path, changes: dict, message: str):
    path = tmp_path / "person.npz"
    write_person(path, found)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{**arrays, **changes})
    with pytest.raises(InputError, match=message):
        read_person(path)
