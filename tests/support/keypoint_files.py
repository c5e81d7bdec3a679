"""Keypoints of two cameras as other tools write them."""

import json
from pathlib import Path

import numpy as np

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


def mmpose_inferencer(folder: Path) -> None:
    person = {"keypoints": body()[:, :2].tolist(), "keypoint_scores": body()[:, 2].tolist()}
    for name in NAMES:
        content = [{"frame_id": 3, "instances": []}, {"frame_id": 4, "instances": [person]}]
        (folder / f"{name}.json").write_text(json.dumps(content))


def mmpose_an_image_a_file(folder: Path) -> None:
    person = {"keypoints": body()[:, :2].tolist(), "keypoint_scores": body()[:, 2].tolist()}
    for name in NAMES:
        (folder / name).mkdir()
        for frame, people in ((3, []), (4, [person])):
            (folder / name / f"shot_{frame:04d}.json").write_text(json.dumps(people))


def mediapipe(folder: Path) -> None:
    landmarks = [[{"x": (u + 0.5) / 640, "y": (v + 0.5) / 480, "z": 0} for u, v in UV[side]] for side in range(2)]
    sides = [[{"categoryName": label, "score": 0.8}] for label in ("Left", "Right")]  # as in a mirror
    for name in NAMES:
        frames = {"4": {"landmarks": landmarks, "handedness": sides}, "3": {"landmarks": [], "handedness": []}}
        (folder / f"{name}.json").write_text(json.dumps(frames))


WRITERS = (
    *(openpose, coco_annotation, coco_results, mmpose, mmpose_inferencer, mmpose_an_image_a_file),
    mediapipe,
)
