"""Keypoints as other tools write them: the hand's points, sides, frames and confidences come back."""

import json
from pathlib import Path

import numpy as np
import pytest
from keypoint_files import NAMES, SOURCES, UV, WRITERS, body, coco_results, mediapipe

from handrefine.capture.keypoints.registry import read_keypoints
from handrefine.errors import InputError


@pytest.mark.parametrize("write", WRITERS)
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


def test_a_side_without_a_name_is_told(tmp_path: Path) -> None:
    """Found by the fuzzer."""
    mediapipe(tmp_path)
    content = json.loads((tmp_path / "cam1.json").read_text())
    del content["4"]["handedness"][0][0]["categoryName"]
    (tmp_path / "cam1.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="a side without a name"):
        read_keypoints(tmp_path, SOURCES)
