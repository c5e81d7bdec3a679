"""Frames without annotation between annotated ones: where they start, and that they are marked everywhere."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from short_schedules import schedule

from handrefine.batch.merge import merge
from handrefine.batch.plan import BatchSettings, plan
from handrefine.batch.run import prepare_batch
from handrefine.batch.worker import do_task
from handrefine.config import Config
from handrefine.config_files import changed, config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.datasets.interhand26m_layout import annotation_path
from handrefine.hand.config import HandConfig
from handrefine.hand.model import load_hand_model
from handrefine.preprocess.fill import gaps, interpolated
from handrefine.preprocess.initialization import initialize
from handrefine.runs.reader import open_run
from handrefine.runs.verdict_file import read_verdicts
from handrefine.sequence import FrameId, FrameIndex, ManoParameters
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

CONFIG = config_from_mapping(
    {"texture": {"size": 16}, "crop": {"max_size_px": 48}, "schedule": schedule(environment=1, texture=1, joint=1)}
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of four frames before three cameras, which has no annotation at the second and third."""
    root = tmp_path_factory.mktemp("gap") / "data"
    size = SyntheticSettings(n_cameras=3, n_frames=4, size=48, texture_size=64)
    synthesize(root, ("right",), size, 10.0, Config())
    _, *between, _ = read_interhand26m(root).frames
    for kind in ("MANO_NeuralAnnot", "joint_3d"):
        path = annotation_path(root, "test", kind)
        content = json.loads(path.read_text())
        for frame in between:
            del content["0"][str(frame)]
        path.write_text(json.dumps(content))
    return root


def test_gaps_are_filled_up_to_their_limit() -> None:
    known = [FrameIndex(k) for k in (1, 2, 4, 7)]
    assert gaps(known, 0) == []
    assert gaps(known, 1) == [3]
    assert gaps(known, 2) == [3, 5, 6]


def test_joints_turn_at_a_constant_rate_and_the_rest_moves_linearly() -> None:
    hand = load_hand_model("right")
    mean = np.concatenate([np.zeros(3), hand.hands_mean.numpy()])
    rng = np.random.default_rng(0)
    turns = rng.normal(0, 0.8, (2, 16, 3))
    mano = ManoParameters(turns.reshape(2, 48) - mean, rng.normal(size=(2, 10)), rng.normal(size=(2, 3)))
    found = interpolated(mano, [FrameId(10), FrameId(14)], [FrameId(11)], hand)
    begin, end = (Rotation.from_rotvec(of) for of in turns)
    a_quarter = begin * Rotation.from_rotvec((begin.inv() * end).as_rotvec() / 4)
    assert np.allclose((found.pose_aa + mean).reshape(16, 3), a_quarter.as_rotvec(), atol=1e-6)
    assert np.allclose(found.trans_m[0], 0.75 * mano.trans_m[0] + 0.25 * mano.trans_m[1])
    assert np.allclose(found.shape[0], 0.75 * mano.shape[0] + 0.25 * mano.shape[1])


def test_a_start_has_the_gaps_frames_only_if_asked_for(data: Path) -> None:
    sequence = read_interhand26m(data)
    for fill in (0, 1):
        start = initialize(sequence, "right", HandConfig(fill=fill))
        assert (start.frame_indices, start.filled) == ([0, 3], ())
    start = initialize(sequence, "right", HandConfig(fill=2))
    assert (start.frame_indices, start.filled) == ([0, 1, 2, 3], (1, 2))
    known = initialize(sequence, "right", HandConfig()).parameters
    assert np.array_equal(start.parameters.pose_aa[[0, 3]], known.pose_aa)
    steps = np.diff(start.parameters.trans_m, axis=0) / np.diff(sequence.frames)[:, None]
    assert np.allclose(steps, steps[0])


def test_filled_frames_are_refined_marked_and_merged(data: Path, tmp_path: Path) -> None:
    config = changed(CONFIG, {"hand": {"fill": 2}})
    (planned,) = plan(BatchSettings(data=data, config=CONFIG, held_out=()))
    assert len(planned.tasks[0].frames) == 2
    folder = prepare_batch(BatchSettings(data=data, config=config, held_out=()), tmp_path / "runs")
    (name,) = folder.names()
    assert len(folder.task(name).frames) == 4
    assert do_task(folder, name).status == "done"
    said = read_verdicts(open_run(folder.run(name)).only_hand().layout)
    assert [of["filled"] for of in said.values()] == [False, True, True, False]
    use = ("improved", "unchanged", "worse", "beyond repair")
    merge(folder, tmp_path / "merged", use=use)
    with (tmp_path / "merged/verdict.csv").open() as file:
        assert [row["filled"] for row in csv.DictReader(file)] == ["False", "True", "True", "False"]
    rows = json.loads((tmp_path / "merged/verdict.json").read_text())["frames"]
    assert [row["filled"] for row in rows] == [False, True, True, False]
    told = json.loads((tmp_path / "merged/provenance.json").read_text())["filled"]
    filled = list(folder.task(name).frames[1:3])
    assert [(row["frame"], row["hand"]) for row in told] == [(frame, "right") for frame in filled]
    new = json.loads(annotation_path(tmp_path / "merged", "test", "MANO_NeuralAnnot").read_text())
    assert sorted(map(int, new["0"])) == list(folder.task(name).frames)


def test_a_clip_holds_the_gaps_between_its_frames(data: Path) -> None:
    config = changed(CONFIG, {"hand": {"fill": 2}})
    frames = read_interhand26m(data).frames
    (planned,) = plan(BatchSettings(data=data, config=config, clip=1, overlap=0))
    assert [task.frames for task in planned.tasks] == [frames[:1], frames[3:]]
    wanted = f"{frames[0]},{frames[2]},{frames[3]}"
    (planned,) = plan(BatchSettings(data=data, config=config, frames=wanted))
    assert planned.tasks[0].frames == (frames[0], *frames[2:])
