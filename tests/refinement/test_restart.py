"""Fingers that begin anew: between which poses, and which frames stay with it."""

from pathlib import Path

import pytest
import torch
from short_schedules import schedule
from torch import Tensor

from handrefine.config import Config
from handrefine.config_files import config_from_mapping
from handrefine.datasets.interhand26m import read_interhand26m
from handrefine.hand.anatomy import joint_axes
from handrefine.refinement.camera_weights import CameraWeights
from handrefine.refinement.finger_starts import predicted_by_neighbours
from handrefine.refinement.hooks import Stage
from handrefine.refinement.problem import prepare
from handrefine.refinement.restart import Restart
from handrefine.refinement.view_batches import batches
from handrefine.scene.video_model import VideoHand
from handrefine.synthetic.truth import SyntheticSettings
from handrefine.synthetic.video import synthesize

FRAMES = 4
#: Angles of the three joints of middle and index finger: bent far back.
FINGER, OTHER_FINGER, BENT = slice(9, 18), slice(0, 9), 1.0
#: Radians by which two fingers spread into each other's place.
CROSSED = 0.35


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose annotation is the truth."""
    data = tmp_path_factory.mktemp("restart") / "data"
    settings = SyntheticSettings(n_cameras=4, n_frames=FRAMES, size=48, texture_size=128)
    synthesize(data, ["right"], settings, 0.0, Config())
    return data


def stage_with_a_finger_astray(folder: Path, frame: int, **settings: object) -> Stage:
    """All views at once, in the stage that restarts."""
    stages = schedule()
    stages["again"] |= {"iterations": 1, "resolution": 1.0, "views_per_frame": None, "texture_levels": 1}
    config = config_from_mapping({"texture": {"size": 16}, "stages": stages, **settings})
    problem = prepare(read_interhand26m(folder), ["right"], config)
    with torch.no_grad():
        problem.model.hands[0].pose.articulation[frame, FINGER] += BENT
    (name, chosen), *_ = problem.stages.items()
    return Stage(name, chosen, problem, batches(problem, chosen))


def tips_off_mm(hand: VideoHand, true_articulation: Tensor) -> float:
    """How far the tips of index and middle finger are from the truth, the frames' and fingers' mean."""
    pose = hand.pose
    with torch.no_grad():
        posed = [
            hand.hand(torch.cat([pose.base_rotation, of], dim=1), pose.shapes(), pose.trans_m()).joints_world[
                :, [8, 12]
            ]
            for of in (pose.articulation_aa(), true_articulation)
        ]
    return 1e3 * float((posed[0] - posed[1]).norm(dim=-1).mean())


def restart_of(stage: Stage) -> Restart:
    problem = stage.problem
    names, device = problem.observations.camera_names, problem.runtime.device
    return Restart(CameraWeights(problem.config.camera_weights, names, device), seed=5)


def test_only_the_frame_whose_finger_went_astray_starts_again(folder: Path) -> None:
    stage = stage_with_a_finger_astray(folder, 1)
    pose = stage.problem.model.hands[0].pose
    before = pose.articulation.detach().clone()
    restart = restart_of(stage)
    restart.stage_begins(stage)
    begun = pose.articulation.detach().clone()
    assert not torch.equal(begun, before)
    restart.stage_ends(stage)
    kept = pose.articulation.detach()
    assert torch.equal(kept[1], begun[1])
    assert kept[1, FINGER].abs().max() < 0.5 * BENT
    others = [k for k in range(FRAMES) if k != 1]
    assert torch.equal(kept[others], before[others])


def test_each_finger_begins_where_neighbours_or_annotation_explain_it_better(folder: Path) -> None:
    stage = stage_with_a_finger_astray(folder, 1)
    pose = stage.problem.model.hands[0].pose
    true = pose.base_articulation.clone()
    with torch.no_grad():
        pose.base_articulation[1, FINGER] += BENT
        pose.articulation.zero_()
        pose.articulation[[0, 2], OTHER_FINGER] += BENT
    restart_of(stage).stage_begins(stage)
    off = (pose.articulation_aa().detach() - true)[1].abs()
    assert off[FINGER].max() < 0.5 * BENT  # between its neighbours'
    assert off[OTHER_FINGER].max() == 0  # at the annotation


def test_without_neighbours_a_finger_takes_another_bend(folder: Path) -> None:
    alone = {"frame_coupling": "independent", "losses": {"temporal": {"weight": 0}}}
    stage = stage_with_a_finger_astray(folder, 2, **alone)
    articulation, restart = stage.problem.model.hands[0].pose.articulation, restart_of(stage)
    restart.stage_begins(stage)
    assert articulation[2, FINGER].abs().max() < 0.5 * BENT
    assert articulation[[0, 1, 3]].abs().max() == 0  # at the annotation, which is the truth
    restart.stage_ends(stage)
    assert articulation[2, FINGER].abs().max() < 0.5 * BENT


def test_a_finger_that_is_wrong_everywhere_takes_another_bend(folder: Path) -> None:
    stage = stage_with_a_finger_astray(folder, 1)
    pose = stage.problem.model.hands[0].pose
    true = pose.base_articulation.clone()
    with torch.no_grad():
        pose.articulation.zero_()
        pose.base_articulation[:, FINGER] += BENT  # so is the annotation, and so are all neighbours
    restart_of(stage).stage_begins(stage)
    off = (pose.articulation_aa().detach() - true)[:, FINGER].abs()
    assert off.amax(dim=1).max() < 0.6 * BENT
    assert (pose.articulation_aa().detach() - true)[:, OTHER_FINGER].abs().max() < 0.6 * BENT


def test_fingers_that_crossed_at_every_frame_change_places(folder: Path) -> None:
    stage = stage_with_a_finger_astray(folder, 1)
    hand = stage.problem.model.hands[0]
    pose, true = hand.pose, hand.pose.base_articulation.clone()
    spread = joint_axes(hand.hand)[:, 1]
    with torch.no_grad():
        pose.articulation.zero_()
        # Each finger's first joint turns over the other finger, whose bends it has.
        pose.base_articulation[:, FINGER], pose.base_articulation[:, OTHER_FINGER] = (
            true[:, OTHER_FINGER],
            true[:, FINGER],
        )
        pose.base_articulation[:, 0:3] += CROSSED * spread[0]
        pose.base_articulation[:, 9:12] -= CROSSED * spread[3]
    before = tips_off_mm(hand, true)
    restart_of(stage).stage_begins(stage)
    assert before > 15
    assert tips_off_mm(hand, true) < 0.5 * before


def test_a_stage_that_does_not_ask_for_it_is_left_alone(folder: Path) -> None:
    stage = stage_with_a_finger_astray(folder, 1)
    calm = Stage("calm", stage.problem.config.stages["joint"], stage.problem, stage.batches)
    articulation, restart = stage.problem.model.hands[0].pose.articulation, restart_of(stage)
    before = articulation.detach().clone()
    restart.stage_begins(calm)
    restart.stage_ends(calm)
    assert torch.equal(articulation, before)


def test_neighbours_predict_a_steady_motion_exactly_whatever_the_gaps() -> None:
    time = torch.tensor([0.0, 1.0, 4.0, 6.0])
    values = torch.stack([2 * time + 1, -time], dim=1)
    found = predicted_by_neighbours(values, time)
    torch.testing.assert_close(found[1:-1], values[1:-1])
    torch.testing.assert_close(found[[0, -1]], values[[1, -2]])
