"""Keypoints as other tools write them: the hand's points, sides, frames and confidences come back."""

import json
from pathlib import Path

import numpy as np
import pytest

from handrefine.capture.keypoints.registry import read_keypoints
from handrefine.errors import InputError
from handrefine.sequence import FrameId

NAMES = ("cam0", "cam1")


class Images:
    """Where images would come from: three frames of a size."""

    where, numbers, size, fps = Path("nowhere"), (FrameId(3), FrameId(4), FrameId(7)), (640, 480), None

    def images(self, numbers):
        yield from ()


SOURCES = {name: Images() for name in NAMES}
#: Of a right and a left hand, as tools count pixels: from the first one's centre.
UV = np.random.default_rng(0).uniform(50, 400, (2, 21, 2))


def triples(side: int, score: float = 0.8) -> list[float]:
    return np.column_stack([UV[side], np.full(21, score)]).ravel().tolist()


def body() -> np.ndarray:
    points = np.zeros((133, 3))
    points[112:133], points[91:112] = np.reshape(triples(0), (21, 3)), np.reshape(triples(1), (21, 3))
    return points


def openpose(folder: Path) -> None:
    for name in NAMES:
        (folder / name).mkdir()
        for frame, people in (
            (3, []),
            (4, [{"hand_right_keypoints_2d": triples(0), "hand_left_keypoints_2d": triples(1)}]),
        ):
            file = folder / name / f"{name}_{frame:012d}_keypoints.json"
            file.write_text(json.dumps({"version": 1.3, "people": people}))


def coco_annotation(folder: Path) -> None:
    content = {
        "images": [{"id": 900, "file_name": "frame_0004.jpg"}],
        "annotations": [{"image_id": 900, "lefthand_kpts": triples(1), "righthand_kpts": triples(0)}],
    }
    for name in NAMES:
        (folder / f"{name}.json").write_text(json.dumps(content))


def coco_results(folder: Path) -> None:
    content = [{"image_id": 4, "category_id": 1, "keypoints": body().ravel().tolist(), "score": 0.9}]
    for name in NAMES:
        (folder / f"{name}.json").write_text(json.dumps(content))


def mmpose(folder: Path) -> None:
    person = {"keypoints": body()[:, :2].tolist(), "keypoint_scores": body()[:, 2].tolist()}
    content = {"meta_info": {}, "instance_info": [{"frame_id": 5, "instances": [person]}]}
    for name in NAMES:
        (folder / f"{name}.json").write_text(json.dumps(content))


def mediapipe(folder: Path) -> None:
    landmarks = [[{"x": (u + 0.5) / 640, "y": (v + 0.5) / 480, "z": 0} for u, v in UV[side]] for side in range(2)]
    sides = [[{"categoryName": label, "score": 0.8}] for label in ("Left", "Right")]  # as in a mirror
    for name in NAMES:
        frames = {"4": {"landmarks": landmarks, "handedness": sides}, "3": {"landmarks": [], "handedness": []}}
        (folder / f"{name}.json").write_text(json.dumps(frames))


@pytest.mark.parametrize("write", [openpose, coco_annotation, coco_results, mmpose, mediapipe])
def test_the_hands_come_back(tmp_path: Path, write) -> None:
    write(tmp_path)
    found = read_keypoints(tmp_path, SOURCES)
    assert found.cameras == NAMES
    assert np.isnan(found.uv_px[:, [0, 2]]).all()
    for c in range(2):
        order = np.argsort(-found.right_score[c, 1])
        assert found.right_score[c, 1, order[0]] > 0.7
        assert found.right_score[c, 1, order[1]] < 0.3
        np.testing.assert_allclose(found.uv_px[c, 1, order], UV + 0.5, atol=1e-9)
        np.testing.assert_allclose(found.confidence[c, 1], 0.8)


def test_an_imports_own_detections_come_back(tmp_path: Path) -> None:
    uv_px = np.full((2, 1, 2, 21, 2), np.nan, np.float32)
    uv_px[:, 0, 1] = UV[1]
    np.savez(tmp_path / "d.npz", camera=np.array(NAMES), frames=[7], uv_px=uv_px)
    found = read_keypoints(tmp_path / "d.npz", SOURCES)
    np.testing.assert_allclose(found.uv_px[:, 2, 0], np.stack([UV[1]] * 2), atol=1e-4)
    assert (found.right_score[:, 2, 0] < 0.3).all()


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no keypoints of a known format"):
        read_keypoints(tmp_path, SOURCES)
    coco_results(tmp_path)
    (tmp_path / "cam1.json").write_text(json.dumps([{"image_id": 4, "keypoints": body()[:17].tolist()}]))
    with pytest.raises(InputError, match="no whole-body keypoints"):
        read_keypoints(tmp_path, SOURCES)
    large = [{"image_id": 4, "keypoints": (body() * [9, 9, 1]).ravel().tolist()}]
    (tmp_path / "cam1.json").write_text(json.dumps(large))
    with pytest.raises(InputError, match="do not fit the images"):
        read_keypoints(tmp_path, SOURCES)
    (tmp_path / "cam1.json").write_text(json.dumps([{"image_id": 99, "keypoints": body().ravel().tolist()}]))
    with pytest.raises(InputError, match="of other frames"):
        read_keypoints(tmp_path, SOURCES)
