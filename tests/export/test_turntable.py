"""The turntable stands any hand upright, turns it by equal steps, and writes pictures and an animation."""

import imageio.v3 as iio
import numpy as np
import pytest
from made_run import make_run
from scipy.spatial.transform import Rotation

from handrefine.cli.common import one_hand
from handrefine.errors import InputError
from handrefine.export.turntable import (
    SCENES,
    TurntableSettings,
    scene_file,
    there_and_back,
    upright,
    write_turntable,
)
from handrefine.sequence import JOINT_NAMES, MIDDLE_KNUCKLE, WRIST


def turntable(folder, out, **settings):
    write_turntable(one_hand(folder), out, TurntableSettings(**settings))


@pytest.fixture(scope="module")
def made(runtime, tmp_path_factory):
    folder = tmp_path_factory.mktemp("turntable") / "run"
    return folder, make_run(folder)


def test_hands_stand_upright_wherever_they_were(made):
    state = made[1].after
    verts, joints = upright(state.verts_world, state.joints_world)
    moved = Rotation.random(rng=np.random.default_rng(0)).as_matrix()
    again, _ = upright(
        state.verts_world @ moved.T + [5.0, -2.0, 1.0], state.joints_world @ moved.T + [5.0, -2.0, 1.0]
    )
    np.testing.assert_allclose(again, verts, atol=1e-5)
    np.testing.assert_allclose(verts[..., 1].min(axis=1), 0, atol=1e-7)
    towards = joints[:, MIDDLE_KNUCKLE] - joints[:, WRIST]
    np.testing.assert_allclose(towards[:, [0, 2]], 0, atol=1e-6)
    assert (towards[:, 1] > 0.05).all()
    knuckles = joints[:, JOINT_NAMES.index("pinky1")] - joints[:, JOINT_NAMES.index("index1")]
    np.testing.assert_allclose(knuckles[:, 2], 0, atol=1e-6)
    # A rigid motion, not a reflection.
    np.testing.assert_allclose(
        np.linalg.det(verts[0, [5, 50, 500]] - verts[0, 900]),
        np.linalg.det(state.verts_world[0, [5, 50, 500]].astype(float) - state.verts_world[0, 900]),
        rtol=1e-3,
    )


def test_a_film_goes_there_and_back():
    assert there_and_back(3, 8) == [0, 0, 1, 2, 2, 2, 1, 0]
    assert there_and_back(1, 3) == [0, 0, 0]


def test_images_and_animation(made, tmp_path):
    turntable(made[0], tmp_path / "film", n_images=3, size=48, spp=4)
    files = sorted(path.name for path in (tmp_path / "film").iterdir())
    assert files == ["000.png", "001.png", "002.png", "turntable.webp"]
    pictures = [iio.imread(tmp_path / "film" / name).astype(float) for name in files[:3]]
    assert {picture.shape for picture in pictures} == {(48, 48, 3)}
    assert np.abs(pictures[0] - pictures[1]).max() > 30
    frames = iio.imread(tmp_path / "film" / "turntable.webp", plugin="pillow", index=...)
    assert len(frames) == 3
    assert np.abs(frames[1].astype(float) - pictures[1]).mean() < 6


@pytest.mark.parametrize("scene", sorted(path.stem for path in SCENES.glob("*.xml")))
def test_every_scene_shows_the_hand_in_the_middle(made, tmp_path, scene):
    """Turning the hand by half changes the picture there, and the skin is neither black nor burnt out."""
    turntable(made[0], tmp_path / "film", scene=scene, frame=19, n_images=2, size=64, spp=16)
    pictures = [iio.imread(tmp_path / "film" / f"00{k}.png").astype(float) for k in (0, 1)]
    middle = pictures[0][24:44, 26:38]
    assert 60 < middle.mean() < 235
    assert middle[..., 0].mean() > middle[..., 2].mean() + 15
    assert np.abs(pictures[0] - pictures[1])[:, :4].mean() < 6
    assert np.abs(pictures[0] - pictures[1])[24:44, 26:38].mean() > 6


def test_bad_requests_are_told_and_leave_nothing(made, tmp_path):
    broken = tmp_path / "broken.xml"
    broken.write_text("<scene version='3.0.0'><shape type='nothing'/></scene>")
    for options, message in (
        ({"scene": "moon"}, "no such scene"),
        ({"scene": str(broken)}, "cannot load the scene"),
        ({"frame": 1}, "no frame 1"),
        ({"n_images": 0}, "n-images is out of range"),
        ({"n_images": 10**9}, "n-images is out of range"),
        ({"size": 10**6}, "size is out of range"),
        ({"spp": 10**9}, "spp is out of range"),
    ):
        with pytest.raises(InputError, match=message):
            turntable(made[0], tmp_path / "film", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.xml"]


def test_own_scenes_are_found_by_name():
    assert scene_file("studio").read_text().startswith("<scene")
