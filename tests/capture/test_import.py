"""The import from end to end: a made capture on disk becomes a dataset that is read, or nothing is written."""

import json
from pathlib import Path

import cv2
import made_captures
import numpy as np
import pytest
import torch

from handrefine.capture.detections import Detections
from handrefine.capture.frame_choice import chosen_frames
from handrefine.capture.undistortion import Undistortion
from handrefine.cli.main import main
from handrefine.colour import linear_to_srgb8
from handrefine.datasets.registry import read_dataset
from handrefine.errors import InputError
from handrefine.lens import Lens
from handrefine.sequence import FrameId

LENS = Lens("opencv", (-0.25, 0.06, 0.001, -0.001, 0.0))
FRAMES = (2, 3, 5, 6)
WIDTH, HEIGHT = 320, 256
INVERSES = {"cam-to-world": lambda R, t: (R.T, -R.T @ t), "world-to-cam": lambda R, t: (R, t)}


def small_rig(lens: Lens | None) -> list[made_captures.RigCamera]:
    return [camera.resized(WIDTH, HEIGHT) for camera in made_captures.rig(3, lens=lens)]


def small_images(folder: Path, camera: made_captures.RigCamera) -> None:
    """Images with a white disc where the camera, through its lens, sees the world's origin."""
    (folder / camera.name).mkdir(parents=True)
    at = camera.project(np.zeros((1, 3)))[0] - 0.5
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.circle(image, at.round().astype(int).tolist(), 4, (255, 255, 255), -1, cv2.LINE_AA)
    for frame in FRAMES:
        cv2.imwrite(str(folder / camera.name / f"shot_{frame:04d}.JPG"), image)


def capture(
    folder: Path, *, lens: Lens | None = LENS, unit_m: float = 1.0, stored: str = "world-to-cam"
) -> list[str]:
    """Images, calibration and keypoints on disk; the arguments of an import of them."""
    cameras, truth = small_rig(lens), made_captures.hands(len(FRAMES))
    rig = {}
    for camera in cameras:
        small_images(folder, camera)
        R, t = INVERSES[stored](camera.R_cam_world, camera.t_cam_world)
        K = camera.K - [[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]  # OpenCV's centre of a pixel
        rig[camera.name] = {"K": K.tolist(), "R": R.tolist(), "t": (t / unit_m).tolist()}
        rig[camera.name]["dist"] = list(camera.lens.coefficients) if camera.lens else []
    (folder / "rig.json").write_text(json.dumps(rig))
    found = made_captures.detected(cameras, truth, np.random.default_rng(0), noise_px=0.3)
    save(folder / "keypoints.npz", found.swapped(found.right_score[..., 0] < 0.5))
    images = [f"{camera.name}={folder / camera.name}" for camera in cameras]
    return ["import", "--images", *images, "--calibration", str(folder / "rig.json"), "--joints",
            str(folder / "keypoints.npz"), "--out", str(folder / "dataset")]  # fmt: skip


def fisheye(folder: Path, lens: Lens) -> list[str]:
    """As `capture`, with fisheye cameras, whose coefficients no other key of the file tells."""
    arguments = capture(folder, lens=lens)
    rig = json.loads((folder / "rig.json").read_text())
    for camera in rig.values():
        camera["fisheye"] = True
    (folder / "rig.json").write_text(json.dumps(rig))
    return [*arguments, "--keep-distorted"]


def save(path: Path, found: Detections) -> None:
    np.savez(path, camera=np.array(found.cameras), frames=FRAMES, uv_px=found.uv_px, confidence=found.confidence)


@pytest.mark.parametrize("lens", [LENS, Lens("fisheye", (0.05, -0.02, 0.006, -0.001))])
def test_a_capture_keeps_its_images_and_lenses(tmp_path: Path, lens: Lens) -> None:
    """The dataset's cameras see the origin where the images as they were taken show it."""
    main([*capture(tmp_path), "--keep-distorted"] if lens is LENS else fisheye(tmp_path, lens))
    sequence = read_dataset(tmp_path / "dataset")
    assert not [finding for finding in sequence.findings if "lens" in finding.what]
    for (_, name), read in sequence.images.items():
        camera = sequence.cameras[name]
        assert camera.lens == lens
        middle = np.argwhere(read()[..., 0] > 0.5)[:, ::-1].mean(axis=0) + 0.5
        np.testing.assert_allclose(middle, camera.project(torch.zeros(1, 3, dtype=torch.float64))[0], atol=0.6)


def test_images_that_stay_as_they_are_may_be_linked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = capture(tmp_path)
    for path in tmp_path.glob("cam*/*.JPG"):
        path.rename(path.with_suffix(".jpg"))
    main([*arguments, "--keep-distorted", "--link"])
    assert "--follow-links" in capsys.readouterr().out
    links = [path for path in (tmp_path / "dataset" / "images").rglob("*.jpg") if path.is_symlink()]
    assert len(links) == 3 * len(FRAMES)
    with pytest.raises(InputError, match="link"):
        read_dataset(tmp_path / "dataset")
    sequence = read_dataset(tmp_path / "dataset", follow_links=True)
    assert len(sequence.images) == 3 * len(FRAMES)
    assert all(read().max() > 0.5 for read in sequence.images.values())


def test_undistorted_images_are_no_links(tmp_path: Path) -> None:
    main([*capture(tmp_path), "--link"])
    assert len(read_dataset(tmp_path / "dataset").images) == 3 * len(FRAMES)


@pytest.mark.parametrize("options", [[], ["--keep-distorted"]])
def test_a_dataset_keeps_what_was_detected(tmp_path: Path, options: list[str]) -> None:
    """In pixels of its own images: half a pixel from where its cameras see the joints."""
    main([*capture(tmp_path), *options])
    sequence = read_dataset(tmp_path / "dataset")
    assert set(sequence.detections) == {"right", "left"}
    for side, of_views in sequence.detections.items():
        assert len(of_views) == 3 * len(FRAMES)
        for (k, name), found in of_views.items():
            joints = torch.as_tensor(sequence.annotation(side).joints_world[k])
            offset = found[:, :2] - sequence.cameras[name].project(joints).numpy()
            assert np.median(np.linalg.norm(offset, axis=1)) < 1.0
            assert ((found[:, 2] >= 0) & (found[:, 2] <= 1)).all()
    first = sequence.with_frames([1]).with_cameras([name])
    assert set(first.detections["right"]) == {(0, name)}


def test_an_impossible_lens_in_a_dataset_is_told(tmp_path: Path) -> None:
    main([*capture(tmp_path), "--keep-distorted"])
    (path,) = (tmp_path / "dataset" / "annotations" / "test").glob("*_camera.json")
    cameras = json.loads(path.read_text())
    name = next(iter(cameras["0"]["lens"]))
    for told in ({"model": "opencv", "coefficients": [0.1] * 6}, {"model": "pinhole", "coefficients": []}, 3):
        cameras["0"]["lens"][name] = told
        path.write_text(json.dumps(cameras))
        with pytest.raises(InputError, match=r"lens|object"):
            read_dataset(tmp_path / "dataset")


def test_a_capture_becomes_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(capture(tmp_path))
    sequence = read_dataset(tmp_path / "dataset")
    assert sequence.frames == FRAMES
    assert not sequence.official_mano
    for k, side in enumerate(("right", "left")):
        annotation = sequence.annotation(side)
        assert annotation.mano is None
        error_mm = np.linalg.norm(annotation.joints_world - made_captures.hands(len(FRAMES))[:, k], axis=-1) * 1e3
        assert error_mm.mean() < 2.0
    for (index, name), read in sequence.images.items():
        camera = sequence.cameras[name]
        bright = read()[..., 0] > 0.5
        middle = np.argwhere(bright)[:, ::-1].mean(axis=0) + 0.5
        # Its place on disk is a whole pixel, and a disc behind a lens is none.
        np.testing.assert_allclose(
            middle, camera.project(torch.zeros(3)).numpy(), atol=0.7, err_msg=f"{name}, {index}"
        )
    told = capsys.readouterr().out
    assert "frames kept: 4" in told
    assert (tmp_path / "dataset" / "import.jpg").is_file()
    check = json.loads((tmp_path / "dataset" / "import.json").read_text())
    assert all(0.1 < camera["residual_px"] < 0.6 for camera in check["cameras"])


@pytest.mark.parametrize(
    ("made", "options", "told"),
    [
        ({"unit_m": 0.001}, [], "--unit mm"),
        ({"unit_m": 0.05}, [], "--unit 49.9mm"),
        ({"stored": "cam-to-world"}, [], "--convention cam-to-world"),
        ({}, ["--frames", "7,9"], "no such frame"),
        ({}, ["--fps", "3"], "frame rate is not known"),
        ({}, ["--hand", "left", "--frames", "0:2"], "no frame is chosen"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], made: dict, options: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*capture(tmp_path, **made), *options])
    assert end.value.code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "dataset").exists()
    assert not list(tmp_path.glob(".dataset*"))


def test_the_remedies_help(tmp_path: Path) -> None:
    arguments = capture(tmp_path, unit_m=0.001, stored="cam-to-world")
    main([*arguments, "--unit", "mm", "--convention", "cam-to-world", "--hand", "left", "--frames", "2"])
    sequence = read_dataset(tmp_path / "dataset")
    assert len(sequence.frames) == 2
    assert set(sequence.annotations) == {"left"}
    joints = sequence.annotation("left").joints_world
    assert np.abs(joints - made_captures.hands(4)[[0, 3], 1]).max() < 0.01


def with_masks(folder: Path, kind: str) -> None:
    """Masks beside the images: white around the hands, as they are kept in one of the usual ways."""
    for camera in small_rig(LENS):
        uv = camera.project(made_captures.hands(4).reshape(4, -1, 3))
        for k, frame in enumerate(FRAMES):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            for u, v in uv[k]:
                cv2.circle(mask, (round(u), round(v)), 10, 255, -1)
            name = f"shot_{frame:04d}"
            places = {
                "png": (folder / "masks" / camera.name / f"{name}.png", mask),
                "jpg": (folder / f"{camera.name}_mask" / f"{name}.jpg", mask),
                "ones": (folder / camera.name / f"mask_{frame:04d}.png", mask // 255),
                "inverted": (folder / camera.name / "masks" / f"{name}.png", 255 - mask),
                "alpha": (folder / camera.name / f"{name}.png", np.dstack([mask, mask, mask, mask])),
            }
            path, content = places[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "alpha":
                (folder / camera.name / f"{name}.JPG").unlink()
            cv2.imwrite(str(path), content)


@pytest.mark.parametrize("kind", ["png", "jpg", "ones", "alpha", "inverted"])
def test_masks_beside_the_images_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    arguments = capture(tmp_path)
    with_masks(tmp_path, kind)
    if kind == "inverted":
        with pytest.raises(SystemExit):
            main(arguments)
        assert "--invert-masks" in capsys.readouterr().err
        arguments.append("--invert-masks")
    main([*arguments, "--frames", "2,3"])
    sequence = read_dataset(tmp_path / "dataset")
    assert len(sequence.masks) == 6
    for (index, name), read in sequence.masks.items():
        joints = np.concatenate([sequence.annotation(side).joints_world[index] for side in ("right", "left")])
        uv = sequence.cameras[name].project(torch.as_tensor(joints)).numpy().astype(int)
        assert read()[uv[:, 1], uv[:, 0]].all()
        assert read().mean() < 0.5


def test_undistorted_images_are_opencvs() -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (480, 640, 3)).astype(np.uint8), (0, 0), 3)
    K, half = (
        np.array([[500.0, 0, 320], [0, 505, 238], [0, 0, 1]]),
        np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]),
    )
    camera = made_captures.RigCamera("a", K + half, np.eye(3), np.zeros(3), LENS)
    theirs = cv2.undistort(image, K, np.array(LENS.coefficients))
    ours = Undistortion(camera, (640, 480))(image)
    assert np.abs(ours.astype(int) - theirs)[5:-5, 5:-5].max() <= 2  # OpenCV rounds its map to 1 / 32 px


def test_undistorting_averages_light() -> None:
    """Half a pixel between white and black has half of white's light, which sRGB calls 188."""
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 320:] = 255
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    turned = made_captures.RigCamera("a", K, np.eye(3), np.zeros(3), Lens("opencv", (0.0, 0.0, 0.0, 1e-3, 0.0)))
    edge = Undistortion(turned, (640, 480))(image)[:, 319:322, 0].astype(int)
    source = turned.pixels(np.array([0.5 / 500, 0.0]))[0]  # of the pixel to the right of the edge
    share = np.clip(source - 0.5 - 319, 0, 1)
    expected = linear_to_srgb8(np.array([share]))[0]
    assert abs(edge[240, 1] - expected) <= 1


@pytest.mark.parametrize(
    ("choice", "fps", "expected"),
    [
        (None, None, list(range(60))),
        ("3", None, [0, 30, 59]),
        ("4,9", None, [4, 9]),
        ("10:40:10", None, [10, 20, 30]),
        (":", 1.0, [0, 30]),
        (None, 10.0, list(range(0, 60, 3))),
        (None, 100.0, list(range(60))),
    ],
)
def test_frames_are_chosen(choice: str | None, fps: float | None, expected: list[int]) -> None:
    frames = [FrameId(k) for k in range(60)]
    assert chosen_frames(frames, choice, fps, 30.0) == expected


def test_a_number_of_frames_is_spread_over_those_that_two_cameras_have() -> None:
    frames = [FrameId(k) for k in range(60)]
    assert chosen_frames(frames, "3", None, None, frames[10:21]) == [10, 15, 20]
    assert chosen_frames(frames, "4,9", None, None, frames[10:21]) == [4, 9]


def test_nonsense_frames_are_refused() -> None:
    with pytest.raises(InputError, match="another form"):
        chosen_frames([FrameId(1)], "a-b", None, None)
