"""The annotation file gives back what was put in, and says what is wrong with other files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from handrefine.camera import CameraPath
from handrefine.errors import InputError
from handrefine.lens import Lens
from handrefine.mesh import MeshTopology
from handrefine.runs.annotation_file import OPTIONAL, SHAPES, read_annotation_npz, write_annotation_npz
from handrefine.runs.result import HandState, JointEvidence, RunAnnotation
from handrefine.sequence import Camera, FrameId, FrameIndex, ManoParameters


def state(rng: np.random.Generator, frames: int, vertices: int) -> HandState:
    mano = ManoParameters(
        rng.normal(size=(frames, 48)),
        rng.normal(size=(frames, 10)),
        rng.normal(size=(frames, 3)),
        bool(frames % 2),
    )
    verts = rng.normal(size=(frames, vertices, 3)).astype(np.float32)
    return HandState(mano, verts, rng.normal(size=(frames, 21, 3)))


def annotation(frames: int = 3) -> RunAnnotation:
    rng = np.random.default_rng(0)
    cameras = tuple(
        Camera(
            name,
            640 + k,
            480,
            500.1 + k,
            501.7,
            320.3,
            239.9,
            Rotation.random(rng=rng).as_matrix(),
            rng.normal(size=3),
            grey=bool(k),
            lens=Lens("fisheye", (0.1, 0.02, -0.003, 0.0)) if k else None,
        )
        for k, name in enumerate(("400012", "cam ü"))
    )
    path = CameraPath(
        tuple(100 + 7 * k for k in range(frames)),
        Rotation.random(frames, rng=rng).as_matrix(),
        rng.normal(size=(frames, 3)),
    )
    cameras = (cameras[0].moving(path), cameras[1])
    topology = MeshTopology(
        9, rng.integers(0, 9, size=(5, 3)), rng.random((12, 2)), rng.integers(0, 12, size=(5, 3))
    )
    after = state(rng, frames, 9)
    return RunAnnotation(
        side="left",
        frames=tuple(FrameId(100 + 7 * k) for k in range(frames)),
        before=state(rng, frames, 9),
        after=replace(after, parametric_verts_world=after.verts_world + np.float32(0.001)),
        topology=topology,
        cameras=cameras,
        views=tuple((FrameIndex(k), name) for k, name in ((0, "cam ü"), (0, "400012"), (frames - 1, "400012"))),
        hand_model="open hand",
        open_hand=True,
        other_joints_world=rng.normal(size=(frames, 21, 3)).astype(np.float32),
        evidence=JointEvidence(rng.random((frames, 21)), rng.integers(0, 3, (frames, 21))),
        pca_components=rng.normal(size=(45, 45)),
    )


def assert_same(a: object, b: object) -> None:
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, tuple) and a and isinstance(a[0], Camera):
        assert isinstance(b, tuple)
        for first, second in zip(a, b, strict=True):
            assert_same(first, second)
    elif hasattr(a, "__dataclass_fields__"):
        assert type(a) is type(b)
        for name in type(a).__dataclass_fields__:  # pyright: ignore[reportAttributeAccessIssue]
            assert_same(getattr(a, name), getattr(b, name))
    else:
        assert type(a) is type(b)
        assert a == b


@pytest.mark.parametrize("frames", [1, 4])
def test_round_trip_is_exact(tmp_path, frames):
    original = annotation(frames)
    write_annotation_npz(tmp_path / "annotation.npz", original)
    assert_same(original, read_annotation_npz(tmp_path / "annotation.npz"))


def test_a_run_without_views_is_read_back(tmp_path):
    original = replace(annotation(), cameras=(), views=())
    write_annotation_npz(tmp_path / "annotation.npz", original)
    assert_same(original, read_annotation_npz(tmp_path / "annotation.npz"))


def test_the_documented_arrays_are_those_in_the_file(tmp_path):
    write_annotation_npz(tmp_path / "annotation.npz", annotation())
    with np.load(tmp_path / "annotation.npz") as archive:
        assert set(archive.files) == {*SHAPES, *OPTIONAL, "format", "version"}
    conventions = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
    assert [name for name in (*SHAPES, *OPTIONAL) if f"`{name}`" not in conventions] == []


def test_a_file_of_an_earlier_version_lacks_what_is_optional(tmp_path):
    edited(tmp_path / "annotation.npz", **dict.fromkeys(OPTIONAL))
    again, full = read_annotation_npz(tmp_path / "annotation.npz"), annotation()
    after = replace(full.after, parametric_verts_world=None)
    cameras = tuple(replace(camera, lens=None, path=None) for camera in full.cameras)
    missing = dict.fromkeys(("other_joints_world", "evidence", "pca_components"))
    lacking = replace(full, after=after, cameras=cameras, **missing)
    assert_same(lacking, again)


def edited(path, **changes: object) -> None:
    write_annotation_npz(path, annotation())
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, allow_pickle=True, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something else"}, "not a handrefine annotation"),
        ({"version": 2}, "later version"),
        ({"faces": None}, "lacks arrays"),
        ({"camera_path_R_cam_world": None}, "lacks arrays(.*\\n)*.*camera_path_R"),
        ({"camera_lens_coefficients": None}, "lacks arrays(.*\\n)*.*camera_lens_coefficients"),
        ({"after_pose_aa": np.zeros((3, 45))}, "wrong shape"),
        ({"after_verts_world": np.zeros((3, 8, 3), np.float32)}, "wrong shape"),
        ({"other_joints_world": np.zeros((2, 21, 3))}, "wrong shape"),
        (
            {"after_verts_world": np.full((3, 9, 3), np.nan, np.float32)},
            "values are not finite(.*\\n)*.*after_verts",
        ),
        ({"side": "middle"}, "unknown side"),
        ({"view_camera": np.array([0, 1, 2])}, "not there"),
        ({"faces": np.array([{"code": print}], dtype=object)}, "damaged"),
    ],
)
def test_a_wrong_file_is_told_by_name(tmp_path, changes, message):
    path = tmp_path / "annotation.npz"
    edited(path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        read_annotation_npz(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "one array", "folder"])
def test_a_broken_file_is_told_by_name(tmp_path, kind):
    path = tmp_path / "annotation.npz"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("hello")
    elif kind == "truncated":
        write_annotation_npz(path, annotation())
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(InputError) as caught:
        read_annotation_npz(path)
    assert str(path) in str(caught.value)


def test_damage_inside_an_array_is_found(tmp_path):
    path = tmp_path / "annotation.npz"
    write_annotation_npz(path, annotation())
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(damaged))
    with pytest.raises(InputError, match="damaged"):
        read_annotation_npz(path)
