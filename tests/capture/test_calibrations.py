"""Every calibration format: a file of one known rig, read such that a known point meets its known pixel."""

import json
from pathlib import Path

import numpy as np
import pytest
from calibration_files import FILES, colmap_text, kalibr_text, transforms
from calibration_rig import DIST, POINTS, K, R, T, opencv_pixels

from handrefine.capture.calibration.registry import FORMATS, read_calibration
from handrefine.errors import InputError


@pytest.mark.parametrize("file", FILES)
def test_a_known_point_meets_its_pixel(tmp_path: Path, file: str) -> None:
    form, write = FILES[file]
    path = write(tmp_path)
    assert next(f.name for f in FORMATS if f.recognise(path)) == form
    cameras = {camera.name: camera for camera in read_calibration(path)}
    expected = {"0": 0, "1": 1} if file == "in_caliscope_toml" else {"cam0": 0, "cam1": 1}
    assert set(cameras) == set(expected)
    for name, k in expected.items():
        np.testing.assert_allclose(cameras[name].project(POINTS), opencv_pixels(k) + 0.5, atol=0.01)


@pytest.mark.parametrize("lens", ["radtan", "equidistant"])
def test_kalibr(tmp_path: Path, lens: str) -> None:
    (tmp_path / "camchain.yaml").write_text(kalibr_text(lens))
    cameras = read_calibration(tmp_path / "camchain.yaml")
    seen_from_first = POINTS @ R[0].T + T[0]
    for k, camera in enumerate(cameras):
        expected = opencv_pixels(k, fisheye=lens == "equidistant") + 0.5
        np.testing.assert_allclose(camera.project(seen_from_first), expected, atol=0.01)


def test_fisheyes_of_colmap_and_nerfstudio(tmp_path: Path) -> None:
    (tmp_path / "transforms.json").write_text(json.dumps(transforms("OPENCV_FISHEYE", ("k1", "k2", "k3", "k4"))))
    for path in (tmp_path / "transforms.json", colmap_text(tmp_path, "OPENCV_FISHEYE")):
        for k, camera in enumerate(read_calibration(path)):
            np.testing.assert_allclose(camera.project(POINTS), opencv_pixels(k, fisheye=True) + 0.5, atol=0.01)


def test_a_stereo_calibration_begins_at_its_first_camera(tmp_path: Path) -> None:
    step_R, step_t = R[1] @ R[0].T, T[1] - R[1] @ R[0].T @ T[0]
    np.savez(tmp_path / "s.npz", K1=K[0], D1=DIST[0], K2=K[1], D2=DIST[1], R=step_R, T=step_t)
    for k, camera in enumerate(read_calibration(tmp_path / "s.npz")):
        np.testing.assert_allclose(camera.project(POINTS @ R[0].T + T[0]), opencv_pixels(k) + 0.5, atol=0.01)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{}", "no camera is found"),
        ('{"cam0": {"K": [[1,0,0],[0,1,0],[0,0,1]]}}', "no rotation and translation"),
        ('{"cam0": {"K": [[1,0,0],[0,1,0],[0,0,1]], "R": [0,0,0], "t": [0,0]}}', "another shape"),
        ('{"cam0": {"K": [[1,0,0],[0,1,0],[0,0,1]], "R": [0,0,0], "t": [0,0,NaN]}}', "not finite"),
        (
            '{"cam0": {"K": [[1,0,0],[0,1,0],[0,0,1]], "R": [0,0,0], "t": [0,0,1], "D": [1,2,3,4,5,6]}}',
            "coefficients",
        ),
        ("{", "not valid JSON"),
        ('{"frames": [3]}', "no camera is found"),
        ('{"frames": [{"transform_matrix": [["a"]]}]}', "not of the format nerfstudio"),
        (
            '{"cam0": {"K": [["a",0,0],[0,1,0],[0,0,1]], "R": [0,0,0], "t": [0,0,1]}}',
            "not of the format opencv",
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, content: str, match: str) -> None:
    (tmp_path / "rig.json").write_text(content)
    with pytest.raises(InputError, match=match):
        read_calibration(tmp_path / "rig.json")


def test_focal_lengths_beyond_all_numbers_are_told(tmp_path):
    """Found by the fuzzer: an angle so small that the focal length is infinite."""
    frame = {"file_path": "images/cam0.png", "transform_matrix": np.eye(4).tolist()}
    document = {"w": 64, "h": 48, "camera_angle_x": 1e-320, "frames": [frame]}
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match="camera matrix"):
        read_calibration(tmp_path / "transforms.json")


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": [{}, 2.0]},
        {"data": ["/etc/passwd"] * 9},
        {"data": [[1.0], 2.0]},
        {"data": [10**399] * 9},
        {"rows": "-"},
        {"rows": [3]},
        {"sizes": 9},
        {"sizes": [-1, -9]},
    ],
    ids=lambda wrong: str(wrong)[:25],
)
def test_what_only_looks_like_a_matrix_of_opencv_is_told_where_it_is_used_and_no_damage_elsewhere(
    tmp_path: Path, wrong: dict
) -> None:
    """Found by the fuzzer: entries of rows, cols and data that hold no matrix."""
    matrix = {"rows": 3, "cols": 3, "data": K[0].ravel().tolist()} | wrong
    camera = {"K": K[0].tolist(), "R": R[0].tolist(), "t": T[0].tolist()}
    path = tmp_path / "rig.json"
    path.write_text(json.dumps({"cam0": camera, "note": matrix, "at": {"x": "left", "y": 0, "z": 10**399}}))
    assert [found.name for found in read_calibration(path)] == ["cam0"]
    path.write_text(json.dumps({"cam0": camera | {"K": matrix}}))
    if wrong != {"sizes": [-1, -9]}:  # nine numbers are a camera matrix all the same
        with pytest.raises(InputError, match=r"rig\.json"):
            read_calibration(path)


def change_first_image(folder: Path, words: dict[int, str]) -> None:
    """Of COLMAP's text model: other words at some places of the line of the first image."""
    images = next(folder.rglob("images.txt"))
    lines = images.read_text().splitlines()
    k = next(k for k, line in enumerate(lines) if line and not line.startswith("#"))
    lines[k] = " ".join(words.get(place, word) for place, word in enumerate(lines[k].split()))
    images.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("t", ["nan", "1e999"])
def test_a_translation_that_is_not_finite_is_told(tmp_path: Path, t: str) -> None:
    """Found by the fuzzer."""
    path = FILES["in_colmap_text"][1](tmp_path)
    change_first_image(tmp_path, {5: t})
    with pytest.raises(InputError, match="not finite"):
        read_calibration(path)


@pytest.mark.parametrize("w", ["nan", "inf", "0"])
def test_a_quaternion_that_is_none_is_told(tmp_path: Path, w: str) -> None:
    """Found by the fuzzer. COLMAP's may have any length, even such that its square is beyond all numbers."""
    path = FILES["in_colmap_text"][1](tmp_path)
    for q, told in (([w, "0", "0", "0"], True), (["1e200", "0", "0", "0"], False)):
        change_first_image(tmp_path, dict(enumerate(q, start=1)))
        if told:
            with pytest.raises(InputError, match="quaternion of the calibration is none"):
                read_calibration(path)
        else:
            assert any(np.array_equal(camera.R_cam_world, np.eye(3)) for camera in read_calibration(path))
