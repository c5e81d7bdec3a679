"""ARCTIC: a tiny capture in its layout, made of the toolkit's formulas, lands where these draw it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_datasets as tiny
import torch
from tiny_arctic import DIST, HEAD_SIZE, IMAGES, NAME, OFFSET, ROWS, SIZE, VIEWS, write_arctic

from handrefine.datasets.registry import list_sequences, read_dataset
from handrefine.errors import InputError


def bent(points: np.ndarray) -> np.ndarray:
    """The toolkit's `distort_pts3d_all`, term by term, of x / z and y / z."""
    x, y = points[:, 0], points[:, 1]
    r2 = x * x + y * y
    k1, k2, p1, p2, k3, k4, k5, k6 = DIST
    radial = (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3) / (1 + k4 * r2 + k5 * r2**2 + k6 * r2**3)
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
        ],
        axis=1,
    )


def test_all_views_see_the_hands_where_the_toolkit_draws_them(tmp_path: Path) -> None:
    hands = write_arctic(tmp_path)
    assert list_sequences(tmp_path) == [NAME]
    sequence = read_dataset(tmp_path)
    assert sequence.frames == IMAGES[:3]
    assert set(sequence.cameras) == set(VIEWS)
    assert len(sequence.images) == 9
    assert [finding.what for finding in sequence.findings] == ["3 of 12 images have no parameters"]
    head, still = tiny.rig(ROWS), tiny.rig(8)
    for k, image in enumerate(IMAGES[:3]):
        row = image - OFFSET
        joints = hands["right"].joints[row]
        for name, pose in (("0", head[row]), ("1", still[0]), ("8", still[7])):
            cam = joints @ np.linalg.inv(pose)[:3, :3].T + np.linalg.inv(pose)[:3, 3]
            plane = cam[:, :2] / cam[:, 2:]
            plane = bent(plane) if name == "0" else plane
            drawn = plane @ tiny.K[:2, :2].T + tiny.K[:2, 2]
            seen = sequence.cameras[name].at(image).project(torch.as_tensor(joints)).numpy()
            np.testing.assert_allclose(seen, drawn + 0.5, atol=1e-6)
        assert sequence.images[k, "0"]().shape == (*HEAD_SIZE[::-1], 3)
        assert sequence.images[k, "8"]().shape == (*SIZE[::-1], 3)


def test_parameters_are_those_of_the_image(tmp_path: Path) -> None:
    hands = write_arctic(tmp_path)
    sequence = read_dataset(tmp_path, cameras=["0"])
    assert sequence.cameras["0"].path.frames == IMAGES[:3]
    assert sequence.official_mano
    assert not sequence.fix_left_shape
    for side, of in hands.items():
        mano = sequence.annotation(side).mano
        rows = [image - OFFSET for image in IMAGES[:3]]
        assert not mano.flat_hand_mean
        np.testing.assert_allclose(mano.pose_aa, of.pose_aa[rows])
        np.testing.assert_allclose(mano.shape, of.shape[rows])
        np.testing.assert_allclose(mano.trans_m, of.trans_m[rows])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda misc: misc["s01"].pop("ioi_offset"), "ioi_offset"),
        (lambda misc: misc["s01"]["world2cam"].pop(), "world2cam"),
        (lambda misc: misc.pop("s01"), "s01"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, change, message: str) -> None:
    write_arctic(tmp_path)
    path = tmp_path / "meta" / "misc.json"
    misc = json.loads(path.read_text())
    change(misc)
    path.write_text(json.dumps(misc))
    with pytest.raises(InputError, match=message):
        read_dataset(tmp_path)


def test_a_file_that_runs_something_or_is_cut_is_refused(tmp_path: Path) -> None:
    write_arctic(tmp_path)
    path = tmp_path / "raw_seqs" / "s01" / "box_grab_01.mano.npy"

    class Runs:
        def __reduce__(self):
            return print, ("ran",)

    whole = path.read_bytes()
    np.save(path, {"right": Runs()}, allow_pickle=True)
    with pytest.raises(InputError, match="not data"):
        read_dataset(tmp_path)
    for content in (whole[:-40], whole[:60], np.zeros(3).tobytes()):
        path.write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            read_dataset(tmp_path)
